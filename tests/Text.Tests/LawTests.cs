using System.Text;
using FsCheck.Xunit;

namespace Quern.Text.Tests;

/// <summary>What holds for every text, on vocabularies made in code.</summary>
public sealed class LawTests
{
    private static readonly Tokenizer[] Lossless =
    [
        .. new[] { "gpt-2", "llama-bpe", "gpt-4o", "deepseek-v3", "default", "bloom", "superbpe", "kimi-k2", "afmoe", "deepseek-llm", "tiny_aya" }
            .Select(pre => SmallVocabularies.Make(SmallVocabularies.BytePair(pre))),
        SmallVocabularies.Make(SmallVocabularies.SentencePiece()),
        SmallVocabularies.Make(SmallVocabularies.SentencePiece(spaceInside: true)),
        SmallVocabularies.Make(SmallVocabularies.LongestMatch()),
    ];

    private static readonly Tokenizer[] All =
    [
        .. Lossless,
        SmallVocabularies.Make(SmallVocabularies.Unigram()),
        SmallVocabularies.Make(SmallVocabularies.WordPiece()),
    ];

    [Property(Arbitrary = [typeof(AdversarialText)], MaxTest = 1000, EndSize = 40)]
    public void DecodingUndoesEncoding(string text)
    {
        foreach (Tokenizer tokenizer in Lossless)
        {
            // SentencePiece spells a space ▁, and puts one more before the text behind every special token: those two it cannot tell apart.
            string expected = tokenizer.Vocabulary.Model == "llama" ? text.Replace('▁', ' ').Replace(SmallVocabularies.UserDefined, "", StringComparison.Ordinal) : text;
            string given = tokenizer.Vocabulary.Model == "llama" ? text.Replace(SmallVocabularies.UserDefined, "", StringComparison.Ordinal) : text;
            Assert.Equal(expected, tokenizer.Decode(tokenizer.Encode(given, addSpecial: true, parseSpecial: false)));
            Assert.Equal(expected, tokenizer.Decode(tokenizer.Encode(given, addSpecial: false, parseSpecial: true), renderSpecial: true));
        }
    }

    [Property(Arbitrary = [typeof(AdversarialUtf16)], MaxTest = 500, EndSize = 40)]
    public void AnyUtf16IsEncodedAsItsWellFormedText(string text)
    {
        string wellFormed = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
        foreach (Tokenizer tokenizer in All) Assert.Equal(tokenizer.Encode(wellFormed), tokenizer.Encode(text));
    }

    [Property(Arbitrary = [typeof(AdversarialUtf16)], MaxTest = 500, EndSize = 40)]
    public void EveryIdIsOfTheVocabulary(string text)
    {
        foreach (Tokenizer tokenizer in All) Assert.All(tokenizer.Encode(text), id => Assert.InRange(id, 0, tokenizer.Count - 1));
    }

    [Property(MaxTest = 500)]
    public void AStreamOfTokensDecodesAsTheWhole(int[] seeds)
    {
        foreach (Tokenizer tokenizer in All)
        {
            int[] ids = Array.ConvertAll(seeds, s => (int)((uint)s * 2654435761 % (uint)tokenizer.Count));
            Detokenizer detokenizer = tokenizer.CreateDetokenizer(renderSpecial: true);
            StringBuilder streamed = new();
            foreach (int id in ids)
            {
                ReadOnlySpan<char> added = detokenizer.Append(id);
                Assert.True(added.IsEmpty || !char.IsHighSurrogate(added[^1]), "a character was split");
                streamed.Append(added);
            }

            streamed.Append(detokenizer.Flush());
            byte[] bytes = [.. ids.SelectMany(id => tokenizer.Piece(id).ToArray())];
            bool stripped = tokenizer.PutsSpaceBefore && FirstTextBeginsWithSpace(tokenizer, ids);
            string whole = Encoding.UTF8.GetString(bytes);
            Assert.Equal(stripped ? RemoveFirstTextSpace(tokenizer, ids) : whole, streamed.ToString());
            Assert.Equal(streamed.ToString(), tokenizer.Decode(ids, renderSpecial: true));
        }
    }

    [Property(Arbitrary = [typeof(AdversarialText)], MaxTest = 300, EndSize = 30)]
    public void ConcatenationAtASpecialTokenIsConcatenationOfIds(string before, string after)
    {
        before = before.Replace("<", "", StringComparison.Ordinal);
        after = after.Replace("<", "", StringComparison.Ordinal);
        foreach (Tokenizer tokenizer in Lossless)
        {
            int special = Array.IndexOf([.. tokenizer.Vocabulary.Tokens], SmallVocabularies.UserDefined);
            int[] expected = [.. tokenizer.Encode(before, addSpecial: false), special, .. tokenizer.Encode(after, addSpecial: false)];
            Assert.Equal(expected, tokenizer.Encode(before + SmallVocabularies.UserDefined + after, addSpecial: false, parseSpecial: false));
        }
    }

    [Fact]
    public void EncodingAndDecodingAllocateNothing()
    {
        string text = string.Concat(Enumerable.Repeat("hello the aaaa 12345 café 世界 it's <tool> x\n\n  y ", 200));
        foreach (Tokenizer tokenizer in All)
        {
            List<int> ids = new(4 * text.Length);
            Detokenizer detokenizer = tokenizer.CreateDetokenizer();
            long least = long.MaxValue;
            for (int round = 0; round < 20; round++)
            {
                ids.Clear();
                long before = GC.GetAllocatedBytesForCurrentThread();
                tokenizer.Encode(text, ids);
                foreach (int id in ids) detokenizer.Append(id);
                least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            }

            Assert.True(least == 0, $"{tokenizer.Vocabulary.Model} {tokenizer.Vocabulary.PreTokenizer}: {least} bytes");
        }
    }

    [Theory]
    [InlineData('a')]
    [InlineData(' ')]
    [InlineData('h')]
    [InlineData('7')]
    [InlineData('\u3000')]
    [InlineData('é')]
    public void AWordOfHalfAMegabyteIsNotQuadratic(char letter)
    {
        string text = new string(letter, 1 << 19) + "x";
        foreach (Tokenizer tokenizer in Lossless)
        {
            System.Diagnostics.Stopwatch watch = System.Diagnostics.Stopwatch.StartNew();
            int[] ids = tokenizer.Encode(text, addSpecial: false);
            Assert.True(watch.Elapsed.TotalSeconds < 20, $"{tokenizer.Vocabulary.PreTokenizer}: {watch.Elapsed}");
            Assert.Equal(text, tokenizer.Decode(ids));
        }
    }

    private static bool FirstTextBeginsWithSpace(Tokenizer tokenizer, int[] ids) =>
        ids.Where(id => !tokenizer.IsSpecial(id)).Take(1).Any(id => tokenizer.Piece(id) is [(byte)' ', ..]);

    private static string RemoveFirstTextSpace(Tokenizer tokenizer, int[] ids)
    {
        int first = Array.FindIndex(ids, id => !tokenizer.IsSpecial(id));
        return Encoding.UTF8.GetString([.. ids.SelectMany((id, i) => i == first ? tokenizer.Piece(id)[1..].ToArray() : tokenizer.Piece(id).ToArray())]);
    }
}
