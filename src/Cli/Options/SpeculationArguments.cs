using System.CommandLine;
using Quern.Engine;

namespace Quern.Cli.Options;

/// <summary>The options that say whether and how tokens are proposed and checked several at a time.</summary>
internal sealed class SpeculationArguments
{
    private static readonly string[] Kinds = ["off", "ngram", "suffix", "model", "auto"];
    private const int RememberedTokens = 1 << 17;

    private readonly Option<string?> _draft = new("--draft", "-md")
    {
        Description = $"GGUF file of a small model with the same vocabulary that proposes tokens [default: {ShippedModels.DraftName} where the model that ships is run].",
        HelpName = "FILE",
    };

    private readonly Option<int> _tokens = new("--draft-tokens") { Description = "The most tokens that are proposed at once.", HelpName = "N", DefaultValueFactory = _ => new SpeculationOptions().MaxTokens };

    private readonly Option<int> _branches = new("--draft-branches")
    {
        Description = "How many continuations are checked side by side, as a tree, where that gives more tokens in a second; 1 for none.",
        HelpName = "N",
        DefaultValueFactory = _ => new SpeculationOptions().Branches,
    };

    private readonly Option<string?> _kind = new("--speculate")
    {
        Description = "Where proposed tokens come from: what followed the same tokens earlier in the text (ngram), the same after the longest match in it and in texts finished before (suffix), a draft model (model), whichever there is (auto), nowhere (off) [default: auto with --draft, else off].",
        HelpName = "KIND",
    };

    public SpeculationArguments()
    {
        ModelArguments.Positive(_tokens);
        ModelArguments.Positive(_branches);
        _kind.AcceptOnlyFromAmong(Kinds);
    }

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _draft, _tokens, _branches, _kind }) command.Add(option);
    }

    /// <summary>Reads the options, and loads the draft beside the model, who both have to be disposed.</summary>
    /// <returns>Null where nothing is proposed.</returns>
    /// <exception cref="UsageException">A draft is asked for and not given.</exception>
    public SpeculationOptions? Read(ParseResult result, Terminal terminal, QuernModel model, string path)
    {
        string kind = result.GetValue(_kind) ?? (result.GetValue(_draft) is null ? "off" : "auto");
        if (kind == "off") return null;
        SpeculationOptions options = new() { MaxTokens = result.GetValue(_tokens), Branches = result.GetValue(_branches), RememberedTokens = kind == "suffix" ? RememberedTokens : 0 };
        string? draft = kind is "ngram" or "suffix" ? null : result.GetValue(_draft) ?? (path == Shipped(ShippedModels.TargetName) ? Shipped(ShippedModels.DraftName) : null);
        if (draft is null && kind == "model") throw new UsageException("--speculate model needs a draft; give one with --draft FILE");
        return draft is null ? options : options with { Draft = model.LoadBeside(draft, model.Options, null, terminal.Cancelled) };
    }

    private static string? Shipped(string name) => Path.Combine(ShippedModels.Folder, name) is var path && File.Exists(path) ? path : null;
}
