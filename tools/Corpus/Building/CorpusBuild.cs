using System.Runtime.InteropServices;
using Quern.Corpus.BytePairs;
using Quern.Corpus.Documents;
using Quern.Text;

namespace Quern.Corpus.Building;

/// <summary>What to build.</summary>
/// <param name="Folder">Where the files go.</param>
/// <param name="Seed">The seed of the corpus.</param>
/// <param name="Documents">Training documents, or null where <paramref name="Tokens"/> decides.</param>
/// <param name="Tokens">Stop with the training document that reaches so many tokens, or null.</param>
internal sealed record BuildOptions(string Folder, uint Seed, int? Documents, long? Tokens)
{
    /// <summary>The vocabulary, special tokens included.</summary>
    public int VocabularySize { get; init; } = 2048;

    /// <summary>Documents that the vocabulary is learned from, at most.</summary>
    public int VocabularyDocuments { get; init; } = 40_000;

    /// <summary>Held-out documents, at most; a small corpus has a tenth of its documents.</summary>
    public int HeldOutDocuments { get; init; } = 4_000;

    /// <summary>Documents that a training begins with, at most; a small corpus has a tenth of its documents.</summary>
    public int BeginDocuments { get; init; } = 20_000;
}

/// <summary>Builds a corpus: vocabulary, token files, samples and card. The same options give the same bytes.</summary>
internal sealed class CorpusBuild(BuildOptions options, Action<string> report)
{
    public const string VocabularyName = "vocabulary.gguf";
    public const string TrainName = "train.tok";
    public const string HeldOutName = "heldout.tok";

    /// <summary>What a training begins with: <see cref="DocumentKind.Echo"/> alone.</summary>
    public const string BeginName = "begin.tok";
    public const string CardName = "card.json";

    /// <summary>The first training documents as text.</summary>
    public const string TrainSampleName = "corpus.txt";

    /// <summary>All held-out documents as text, special tokens included: its tokens are those of <see cref="HeldOutName"/>.</summary>
    public const string HeldOutTextName = "heldout.txt";

    private const int SampledDocuments = 1000;
    private const string Format =
        "Token files are little-endian 16-bit ids, one document after the other. Every document begins with bosToken; a plain text ends with eosToken, "
        + "a chat (ChatML) with the eotToken of its last message.";

    private readonly HashSet<ulong> _seen = [];

    /// <summary>The command that makes the same bytes.</summary>
    public string Recipe { get; } =
        $"quern-corpus build --out DIR {(options.Documents is { } documents ? $"--documents {documents}" : $"--tokens {options.Tokens}")} --seed {options.Seed}";

    /// <summary>Writes all files.</summary>
    public CorpusCard Run()
    {
        Directory.CreateDirectory(options.Folder);
        int vocabularyDocuments = Math.Min(options.VocabularyDocuments, options.Documents ?? options.VocabularyDocuments);
        report($"vocabulary: counting the words of {vocabularyDocuments:N0} documents");
        IReadOnlyDictionary<string, long> words = CountWords(vocabularyDocuments);
        BytePairs.BytePairs pairs = BytePairTrainer.Train(words, options.VocabularySize - VocabularyFile.SpecialTokens.Length);
        VocabularyFile.Create(pairs).Write(PathOf(VocabularyName));
        Tokenizer tokenizer = VocabularyFile.Open(PathOf(VocabularyName));
        DocumentStream stream = new(tokenizer);

        int heldOutDocuments = Math.Min(options.HeldOutDocuments, Math.Max(1, (options.Documents ?? int.MaxValue) / 10));
        PartCounts heldOut = Write(stream, index => DocumentStream.HeldOutSeed(options.Seed, index), HeldOutName, HeldOutTextName, heldOutDocuments, null, int.MaxValue);
        int beginDocuments = Math.Min(options.BeginDocuments, Math.Max(1, (options.Documents ?? int.MaxValue) / 10));
        PartCounts begin = Write(stream, index => DocumentStream.BeginSeed(options.Seed, index), BeginName, null, beginDocuments, null, 0, DocumentKind.Echo);
        PartCounts train = Write(stream, index => DocumentStream.TrainSeed(options.Seed, index), TrainName, TrainSampleName, options.Documents, options.Tokens, SampledDocuments);
        Vocabulary vocabulary = tokenizer.Vocabulary;
        CorpusCard card = new(
            Recipe, options.Seed, Format, vocabulary.Count, DistinctWords(words), vocabularyDocuments,
            vocabulary.Bos!.Value, vocabulary.Eos!.Value, vocabulary.Eot!.Value, train, heldOut, begin);
        File.WriteAllText(PathOf(CardName), card.ToJson());
        return card;
    }

    /// <summary>Different words, without regard to case: what is left of the pieces when only letters count.</summary>
    internal static int DistinctWords(IReadOnlyDictionary<string, long> pieces) =>
        pieces.Keys.Select(piece => piece.Trim().ToLowerInvariant()).Where(word => word.Length > 0 && word.All(char.IsAsciiLetter)).ToHashSet(StringComparer.Ordinal).Count;

    private Dictionary<string, long> CountWords(int documents)
    {
        WordCounts counts = new(VocabularyFile.PreTokenizer);
        for (int i = 0; i < documents; i++)
            foreach (string passage in DocumentWriter.Write(DocumentStream.TrainSeed(options.Seed, i)).Passages) counts.Add(passage);
        return new Dictionary<string, long>(counts.Counts, StringComparer.Ordinal);
    }

    private PartCounts Write(DocumentStream stream, Func<int, ulong> seed, string name, string? textName, int? documents, long? tokens, int sampled, DocumentKind? kind = null)
    {
        PartCounts counts = new();
        using FileStream file = File.Create(PathOf(name));
        using TextWriter text = textName is null ? TextWriter.Null : new StreamWriter(PathOf(textName));
        foreach (EncodedDocument document in stream.Read(seed, kind))
        {
            if (!_seen.Add(document.Hash))
            {
                counts.Duplicates++;
                continue;
            }

            file.Write(LittleEndian(document.Tokens));
            if (counts.Documents < sampled) text.Write(document.Text);
            counts.Add(document);
            if (counts.Documents % 5000 == 0) report($"{name}: {counts.Documents:N0} documents, {counts.Tokens:N0} tokens");
            if (counts.Documents >= (documents ?? long.MaxValue) || counts.Tokens >= (tokens ?? long.MaxValue)) break;
        }

        return counts;
    }

    private static ReadOnlySpan<byte> LittleEndian(ushort[] tokens)
    {
        if (!BitConverter.IsLittleEndian) System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(tokens, tokens);
        return MemoryMarshal.AsBytes(tokens.AsSpan());
    }

    private string PathOf(string name) => Path.Combine(options.Folder, name);
}
