using System.Text.Json;
using System.Text.Json.Serialization;
using Quern.Corpus.Documents;

namespace Quern.Corpus.Building;

/// <summary>What one of the token files holds.</summary>
internal sealed class PartCounts
{
    public long Documents { get; private set; }

    public long ChatDocuments { get; private set; }

    public long Words { get; private set; }

    /// <summary>Without those of special tokens, which count as tokens.</summary>
    public long Characters { get; private set; }

    public long Tokens { get; private set; }

    /// <summary>Documents that were left out because the same text came before, or is held out.</summary>
    public long Duplicates { get; set; }

    public int LongestDocumentInTokens { get; private set; }

    public double TokensPerWord => Words == 0 ? 0 : Math.Round((double)Tokens / Words, 4);

    public double CharactersPerToken => Tokens == 0 ? 0 : Math.Round((double)Characters / Tokens, 4);

    /// <summary>Documents and tokens of each kind.</summary>
    public SortedDictionary<string, KindCounts> Kinds { get; } = new(StringComparer.Ordinal);

    public void Add(EncodedDocument document)
    {
        Documents++;
        if (document.Document.IsChat) ChatDocuments++;
        Words += document.Words;
        Characters += document.Document.Passages.Sum(passage => passage.Length);
        Tokens += document.Tokens.Length;
        LongestDocumentInTokens = Math.Max(LongestDocumentInTokens, document.Tokens.Length);
        string kind = DocumentWriter.Kinds.First(entry => entry.Kind == document.Document.Kind).Name;
        KindCounts before = Kinds.GetValueOrDefault(kind) ?? new KindCounts(0, 0);
        Kinds[kind] = new KindCounts(before.Documents + 1, before.Tokens + document.Tokens.Length);
    }
}

/// <summary>How much of a kind there is.</summary>
internal sealed record KindCounts(long Documents, long Tokens);

/// <summary>What a corpus is and how it is made again: the file <c>card.json</c>.</summary>
/// <param name="Recipe">The command that makes the same files.</param>
/// <param name="Seed">The seed of the corpus.</param>
/// <param name="Format">How to read the token files.</param>
/// <param name="VocabularySize">Tokens in all.</param>
/// <param name="DistinctWords">Different words, without regard to case, in the documents that the vocabulary was learned from.</param>
/// <param name="VocabularyDocuments">How many those are: the first of the training seeds.</param>
/// <param name="BosToken">Begins every document.</param>
/// <param name="EosToken">Ends a plain document.</param>
/// <param name="EotToken">Ends a message, and so a chat document.</param>
/// <param name="Train">Counts of train.tok.</param>
/// <param name="HeldOut">Counts of heldout.tok.</param>
/// <param name="Begin">Counts of begin.tok.</param>
internal sealed record CorpusCard(
    string Recipe, uint Seed, string Format, int VocabularySize, int DistinctWords, int VocabularyDocuments, int BosToken, int EosToken, int EotToken, PartCounts Train, PartCounts HeldOut, PartCounts Begin)
{
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
        NewLine = "\n",
    };

    public string ToJson() => JsonSerializer.Serialize(this, Options) + "\n";
}
