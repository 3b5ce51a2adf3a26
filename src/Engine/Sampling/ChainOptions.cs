using System.Globalization;

namespace Quern.Engine.Sampling;

/// <summary>The options that belong to the chain and not to one of its samplers.</summary>
internal static class ChainOptions
{
    public static IReadOnlyList<SamplerOption> All { get; } =
    [
        new TextOption("--seed", "seed", "N", "seed of the random numbers; -1 draws one", () => "a whole number, at least 0, or -1",
            options => options.Seed?.ToString(CultureInfo.InvariantCulture) ?? "-1",
            ParseSeed,
            _ => true)
        { Aliases = ["-s"] },
        new TextOption("--samplers", "samplers", "NAMES", "samplers in their order, separated by ';'", () => $"names of {Names}, separated by ';'",
            options => string.Join(';', options.Samplers),
            ParseNames,
            options => options.Samplers.All(name => SamplerTable.Find(name) is not null))
        { IsList = true },
        new TextOption("--sampling-seq", "sampling_seq", "LETTERS", "samplers in their order, one letter each", () => $"letters of {Letters}",
            options => string.Concat(options.Samplers.Select(name => SamplerTable.Find(name)?.Letter ?? '?')),
            ParseLetters,
            _ => true)
        { Aliases = ["--sampler-seq"] },
        new NumberOption("--min-keep", "min_keep", "N", "least number of tokens that typical, top-p, min-p and XTC leave", OptionRange.AtLeast(0),
            options => options.MinKeep,
            (options, value) => options with { MinKeep = (int)value })
        { IsInteger = true },
    ];

    private static IEnumerable<SamplerEntry> Ordered => SamplerTable.Samplers.Where(sampler => sampler.IsOrdered);

    private static string Names => string.Join(", ", Ordered.Select(sampler => sampler.Name));

    private static string Letters => string.Join(", ", Ordered.Select(sampler => $"{sampler.Letter} ({sampler.Name})"));

    private static SamplingOptions? ParseSeed(SamplingOptions options, IReadOnlyList<string> texts)
    {
        if (texts[0] == "-1") return options with { Seed = null };
        return ulong.TryParse(texts[0], NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed) ? options with { Seed = seed } : null;
    }

    private static SamplingOptions? ParseNames(SamplingOptions options, IReadOnlyList<string> texts)
    {
        var names = new List<string>();
        // llama.cpp's server takes one text in the field samplers for a sequence of letters.
        if (texts is [var sequence] && !sequence.Contains(';') && SamplerTable.Find(sequence) is null) return ParseLetters(options, texts);
        foreach (string name in texts.SelectMany(text => text.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)))
        {
            if (SamplerTable.Find(name) is not { } sampler) return null;
            names.Add(sampler.Name);
        }

        return options with { Samplers = names };
    }

    private static SamplingOptions? ParseLetters(SamplingOptions options, IReadOnlyList<string> texts)
    {
        var names = new List<string>();
        foreach (char letter in texts[0])
        {
            if (SamplerTable.Find(letter) is not { } sampler) return null;
            names.Add(sampler.Name);
        }

        return options with { Samplers = names };
    }
}
