namespace Quern.Text.PreTokenizers;

/// <summary>How the text of a byte-pair tokenizer is cut into words before any merge, and what else follows from its name.</summary>
/// <param name="Names">The values of <c>tokenizer.ggml.pre</c> that mean it.</param>
/// <param name="Splits">The steps, each applied to every piece of the step before.</param>
internal sealed record PreTokenizer(string[] Names, params Split[] Splits)
{
    /// <summary>A word that is a token is that token, even where the merges would spell it otherwise.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Texts begin with a BOS token unless the file says otherwise.</summary>
    public bool AddBos { get; init; }

    /// <summary>Texts begin with a BOS token even where the file says otherwise (gemma 4 files are wrong about it).</summary>
    public bool ForcedBos { get; init; }

    /// <summary>Pairs of texts are joined by a SEP token unless the file says otherwise.</summary>
    public bool AddSep { get; init; }

    /// <summary>A file that names no BOS token has none.</summary>
    public bool NoDefaultBos { get; init; }

    /// <summary>The file may have no merges.</summary>
    public bool MergesOptional { get; init; }

    /// <summary>Tokens are spelled in plain characters with ▁ for the space, and bytes as <c>&lt;0x0A&gt;</c>, as SentencePiece does; not in GPT-2's byte alphabet.</summary>
    public bool PlainCharacters { get; init; }

    /// <summary>A run of line ends that is a token is that token.</summary>
    public bool WholeNewlines { get; init; }

    /// <summary>The steps as a chain that ends in <paramref name="words"/>.</summary>
    public IPieceSink Before(IPieceSink words)
    {
        IPieceSink first = words;
        foreach (Split split in Splits.Reverse()) first = split.Before(first);
        return first;
    }
}
