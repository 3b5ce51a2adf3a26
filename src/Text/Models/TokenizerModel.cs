namespace Quern.Text.Models;

/// <summary>
/// What follows from the name of a tokenizer model (<c>tokenizer.ggml.model</c>) where the file says nothing else. The ids and flags are
/// the defaults of llama.cpp, which writers of GGUF files rely on.
/// </summary>
internal sealed record TokenizerModel(string Name, Func<Vocabulary, Tokenizer> Create)
{
    public int? Bos { get; init; }

    public int? Eos { get; init; }

    public int? Unk { get; init; }

    public int? Sep { get; init; }

    public int? Pad { get; init; }

    public int? Mask { get; init; }

    public bool AddBos { get; init; }

    public bool AddEos { get; init; }

    public bool AddSep { get; init; }

    public bool AddSpacePrefix { get; init; }

    /// <summary>True where the model needs <c>tokenizer.ggml.merges</c> and a pre-tokenizer.</summary>
    public bool IsBytePair { get; init; }

    /// <summary>A pre-tokenizer that the model has whatever the file says.</summary>
    public string? PreTokenizer { get; init; }

    /// <summary>All tokenizer models that this library has.</summary>
    public static readonly TokenizerModel[] All =
    [
        new("llama", v => new SentencePieceTokenizer(v)) { Bos = 1, Eos = 2, Unk = 0, AddBos = true, AddSpacePrefix = true },
        new("gpt2", v => new BytePairTokenizer(v)) { Bos = 11, Eos = 11, IsBytePair = true },
        new("gemma4", v => new BytePairTokenizer(v)) { IsBytePair = true, PreTokenizer = "gemma4" },
        new("bert", v => new WordPieceTokenizer(v)) { Bos = 101, Unk = 100, Sep = 102, Pad = 0, Mask = 103, AddBos = true, AddSep = true },
        new("t5", v => new UnigramTokenizer(v)) { Eos = 1, Unk = 2, Pad = 0, AddEos = true },
        new("rwkv", v => new LongestMatchTokenizer(v)),
    ];

    /// <exception cref="NotSupportedException">No tokenizer of this name.</exception>
    public static TokenizerModel Find(string name) =>
        Array.Find(All, m => m.Name == name) ?? throw new NotSupportedException(
            $"tokenizer.ggml.model is '{name}', and this library has no such tokenizer; it has {string.Join(", ", All.Select(m => m.Name))}");
}
