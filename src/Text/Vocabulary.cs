namespace Quern.Text;

/// <summary>
/// Everything that a GGUF file says about its tokenizer: the tokens with their scores and types, the merges, the special tokens, and what
/// to add to a text. Ids of special tokens are null where the file has none.
/// </summary>
public sealed class Vocabulary
{
    private readonly HashSet<int> _endOfGeneration = [];

    internal Vocabulary()
    {
    }

    /// <summary>The kind of tokenizer, <c>tokenizer.ggml.model</c>: <c>llama</c> (SentencePiece BPE), <c>gpt2</c> (byte-level BPE), <c>bert</c> (WordPiece), <c>t5</c> (Unigram), <c>rwkv</c> (longest match).</summary>
    public required string Model { get; init; }

    /// <summary>
    /// How a byte-level BPE splits text into words, <c>tokenizer.ggml.pre</c>. A file without that key has <c>default</c>, as in llama.cpp;
    /// such files are old, and most models split differently, so that the override of <see cref="Read"/> may be needed.
    /// </summary>
    public required string PreTokenizer { get; init; }

    /// <summary>[Count] The tokens as the file spells them.</summary>
    public required IReadOnlyList<string> Tokens { get; init; }

    /// <summary>[Count] Log probabilities or merge priorities; all 0 where the file has none.</summary>
    public required IReadOnlyList<float> Scores { get; init; }

    /// <summary>[Count] What each token is, after the corrections by text that llama.cpp makes too (an end token is always <see cref="TokenType.Control"/>).</summary>
    public required IReadOnlyList<TokenType> Types { get; init; }

    /// <summary>The merges of a byte-pair tokenizer, each two symbols with a space between, the most urgent first.</summary>
    public required IReadOnlyList<string> Merges { get; init; }

    /// <summary>The normalisation rules of a Unigram tokenizer: a double-array trie and its replacements, as SentencePiece compiles them; empty where there are none.</summary>
    public ReadOnlyMemory<byte> PrecompiledCharsmap { get; init; }

    /// <summary>The number of tokens.</summary>
    public int Count => Tokens.Count;

    /// <summary>Begins a text; for <c>bert</c> the token [CLS].</summary>
    public int? Bos { get; init; }

    /// <summary>Ends a text.</summary>
    public int? Eos { get; init; }

    /// <summary>Ends a turn.</summary>
    public int? Eot { get; init; }

    /// <summary>Ends a message that wants a tool's answer.</summary>
    public int? Eom { get; init; }

    /// <summary>Stands for text that the vocabulary cannot spell.</summary>
    public int? Unk { get; init; }

    /// <summary>Separates two texts.</summary>
    public int? Sep { get; init; }

    /// <summary>Fills a batch.</summary>
    public int? Pad { get; init; }

    /// <summary>The classifier token, where the file names one besides <see cref="Bos"/>.</summary>
    public int? Cls { get; init; }

    /// <summary>Hides a token of a masked language model.</summary>
    public int? Mask { get; init; }

    /// <summary>Fill in the middle: begins the text before the gap.</summary>
    public int? FimPrefix { get; init; }

    /// <summary>Fill in the middle: begins the text after the gap.</summary>
    public int? FimSuffix { get; init; }

    /// <summary>Fill in the middle: begins the gap.</summary>
    public int? FimMiddle { get; init; }

    /// <summary>Fill in the middle: padding.</summary>
    public int? FimPad { get; init; }

    /// <summary>Fill in the middle: begins a repository's name.</summary>
    public int? FimRepository { get; init; }

    /// <summary>Fill in the middle: separates files.</summary>
    public int? FimSeparator { get; init; }

    /// <summary>Encoding begins with <see cref="Bos"/>.</summary>
    public bool AddBos { get; init; }

    /// <summary>Encoding ends with <see cref="Eos"/>.</summary>
    public bool AddEos { get; init; }

    /// <summary>A pair of texts is joined by <see cref="Sep"/>.</summary>
    public bool AddSep { get; init; }

    /// <summary>A space is put before a text (and taken away again when decoding).</summary>
    public bool AddSpacePrefix { get; init; }

    /// <summary>Runs of spaces count as one (Unigram).</summary>
    public bool RemoveExtraWhitespaces { get; init; }

    /// <summary>Text is lower-cased first (WordPiece).</summary>
    public bool Lowercase { get; init; }

    /// <summary>Accents are taken off first (WordPiece).</summary>
    public bool StripAccents { get; init; }

    /// <summary>
    /// Combining marks that stand by themselves in a text are taken off too (WordPiece). Only where the file itself asks for
    /// <see cref="StripAccents"/>: older files do not say, and the reference ids for them keep such marks.
    /// </summary>
    public bool StripCombiningMarks { get; init; }

    /// <summary>The number of token types (segments) of a BERT, 0 where the file does not say.</summary>
    public int TokenTypeCount { get; init; }

    /// <summary>Tokens that a sampler must never choose, <c>tokenizer.ggml.suppress_tokens</c>.</summary>
    public IReadOnlyList<int> SuppressedTokens { get; init; } = [];

    /// <summary>Tokens that swallow white space on their left when they are parsed in a text.</summary>
    internal IReadOnlySet<int> LeftStripped { get; init; } = new HashSet<int>();

    /// <summary>Tokens that swallow white space on their right when they are parsed in a text.</summary>
    internal IReadOnlySet<int> RightStripped { get; init; } = new HashSet<int>();

    /// <summary>
    /// The tokens that end generation: <see cref="Eos"/>, <see cref="Eot"/>, <see cref="Eom"/>, and every token whose text is a well known
    /// end mark, in ascending order.
    /// </summary>
    public IReadOnlyList<int> EndOfGeneration
    {
        get;
        internal init
        {
            field = value;
            _endOfGeneration = [.. value];
        }
    } = [];

    /// <summary>True where generation ends with this token.</summary>
    public bool IsEndOfGeneration(int id) => _endOfGeneration.Contains(id);

    /// <summary>Reads the vocabulary of a GGUF file.</summary>
    /// <param name="metadata">
    /// The value of a metadata key, or null where the file has none: boxed scalars, strings, and typed arrays (<c>string[]</c>,
    /// <c>float[]</c>, <c>int[]</c>, <c>byte[]</c>, …).
    /// </param>
    /// <param name="preTokenizerOverride">A pre-tokenizer to use instead of the file's.</param>
    /// <exception cref="InvalidDataException">A key is missing, has the wrong type, or an array has the wrong length; the message names the key.</exception>
    /// <exception cref="NotSupportedException">The tokenizer model or the pre-tokenizer is not known; the message names it.</exception>
    public static Vocabulary Read(Func<string, object?> metadata, string? preTokenizerOverride = null)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return new VocabularyReader(metadata).Read(preTokenizerOverride);
    }
}
