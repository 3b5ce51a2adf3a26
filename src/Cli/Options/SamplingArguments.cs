using System.CommandLine;
using Quern.Engine.Sampling;

namespace Quern.Cli.Options;

/// <summary>The sampling options, made from <see cref="SamplerTable.Options"/>: a new sampler's options appear here by themselves.</summary>
internal sealed class SamplingArguments
{
    private readonly List<(SamplerOption Description, Option<string[]> Option)> _options = [];

    public SamplingArguments()
    {
        foreach (SamplerOption description in SamplerTable.Options)
        {
            string standard = description.DefaultText.Length > 0 ? $" [default: {Readable(description.DefaultText)}]" : "";
            Option<string[]> option = new(description.Name, [.. description.Aliases])
            {
                Description = $"{Sentence(description.Help)}{standard}",
                HelpName = description.ValueName,
                // One value each time that the option is given; how often it may be given is the description's to say.
                Arity = ArgumentArity.OneOrMore,
                AllowMultipleArgumentsPerToken = false,
            };
            _options.Add((description, option));
        }
    }

    public void AddTo(Command command)
    {
        foreach ((_, Option<string[]> option) in _options) command.Add(option);
    }

    /// <exception cref="UsageException">A value is not allowed.</exception>
    public SamplingOptions Read(ParseResult result)
    {
        SamplingOptions sampling = SamplingOptions.Default;
        foreach ((SamplerOption description, Option<string[]> option) in _options)
        {
            if (result.GetResult(option) is null || result.GetValue(option) is not { } texts) continue;
            try
            {
                sampling = description.Apply(sampling, texts);
            }
            catch (ArgumentException e)
            {
                throw new UsageException(e.Message);
            }
        }

        return sampling;
    }

    private static string Sentence(string help) => help.Length == 0 ? help : $"{char.ToUpperInvariant(help[0])}{help[1..].TrimEnd('.')}";

    private static string Readable(string text) => text.ReplaceLineEndings("\\n");
}
