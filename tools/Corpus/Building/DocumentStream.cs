using System.Text;
using Quern.Corpus.Documents;
using Quern.Text;

namespace Quern.Corpus.Building;

/// <summary>A document with its tokens.</summary>
/// <param name="Document">The document.</param>
/// <param name="Text">Its text with its special tokens, from the one that begins it to the one that ends it.</param>
/// <param name="Tokens">The tokens of that text.</param>
/// <param name="Words">How many words it has.</param>
/// <param name="Hash">Equal for equal texts, different for others with overwhelming probability.</param>
internal sealed record EncodedDocument(Document Document, string Text, ushort[] Tokens, int Words, ulong Hash);

/// <summary>The documents of consecutive seeds, encoded on all processors and given in the order of their seeds.</summary>
/// <param name="tokenizer">Made from a vocabulary of at most 65,536 tokens.</param>
internal sealed class DocumentStream(Tokenizer tokenizer)
{
    private const int BatchSize = 4096;

    /// <summary>Seeds of the training documents; the seed of a corpus is their upper half.</summary>
    public static ulong TrainSeed(uint corpus, int index) => ((ulong)corpus << 32) | (uint)index;

    /// <summary>Seeds of the held-out documents, none of which is a training document's.</summary>
    public static ulong HeldOutSeed(uint corpus, int index) => ((ulong)corpus << 32) | 0x8000_0000 | (uint)index;

    /// <summary>Seeds of the documents of <see cref="CorpusBuild.BeginName"/>, none of which is a training document's.</summary>
    public static ulong BeginSeed(uint corpus, int index) => ((ulong)corpus << 32) | 0xC000_0000 | (uint)index;

    /// <summary>Encodes the documents of the seeds 0, 1, 2, … without end, of all kinds or of one.</summary>
    public IEnumerable<EncodedDocument> Read(Func<int, ulong> seed, DocumentKind? kind = null)
    {
        for (int first = 0; ; first += BatchSize)
        {
            EncodedDocument[] batch = [.. Enumerable.Range(first, BatchSize).AsParallel().AsOrdered().Select(index => Encode(seed(index), kind))];
            foreach (EncodedDocument document in batch) yield return document;
        }
    }

    /// <summary>Encodes the document of a seed.</summary>
    public EncodedDocument Encode(ulong seed, DocumentKind? kind = null)
    {
        Document document = DocumentWriter.Write(seed, kind);
        string text = Marked(document);
        List<int> ids = new(text.Length / 3);
        tokenizer.Encode(text, ids, addSpecial: false, parseSpecial: true);
        return new EncodedDocument(document, text, [.. ids.Select(id => checked((ushort)id))], CountWords(document), Hash(text));
    }

    /// <summary>A document's text from the token that begins it to the one that ends it.</summary>
    public static string Marked(Document document) => ChatTokens.TextBegin + document.Text + (document.IsChat ? "" : ChatTokens.TextEnd);

    /// <summary>FNV-1a over the UTF-16 code units. Source: Fowler, Noll, Vo; RFC 9923.</summary>
    internal static ulong Hash(string text)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (char c in text) hash = (hash ^ c) * 0x100000001B3;
        return hash;
    }

    private static int CountWords(Document document)
    {
        int count = 0;
        foreach (string passage in document.Passages)
        {
            bool inside = false;
            foreach (Rune rune in passage.EnumerateRunes())
            {
                bool letter = Rune.IsLetterOrDigit(rune) || (inside && rune.Value == '\'');
                if (letter && !inside) count++;
                inside = letter;
            }
        }

        return count;
    }
}
