using System.Buffers;
using System.Text;
using Quern.Text.Merging;
using Quern.Text.Search;
using Quern.Text.Unicode;

namespace Quern.Text.Models;

/// <summary>
/// SentencePiece's BPE: of all adjacent symbols whose concatenation is a token, the one with the highest score merges first; characters
/// that are no token become bytes. A space is written ▁. Source: Kudo, Richardson, SentencePiece, 2018; llama.cpp, llm_tokenizer_spm.
/// </summary>
internal sealed class SentencePieceTokenizer : Tokenizer
{
    private const int StackSymbols = 48;
    private readonly TokenIndex _index;
    private readonly int[] _ranks;
    private readonly int[] _byteIds;
    private readonly bool _spaceBeginsWord;
    private readonly SpelledAlone _spelledAlone;

    public SentencePieceTokenizer(Vocabulary vocabulary)
        : base(vocabulary)
    {
        _index = new TokenIndex(Count);
        for (int id = 0; id < Count; id++) _index.Add(Encoding.UTF8.GetBytes(vocabulary.Tokens[id]), id);
        _ranks = RanksOf(vocabulary.Scores);
        _byteIds = ByteTokens.Find(vocabulary, _index);
        _spaceBeginsWord = vocabulary.Tokens.All(EscapedSpace.IsOnlyAtStart);
        _spelledAlone = new SpelledAlone(Count);
    }

    internal override bool PutsSpaceBefore => Vocabulary.AddSpacePrefix;

    private protected override void EncodeText(ReadOnlySpan<byte> text, List<int> ids, bool afterSpecial)
    {
        bool prefixed = Vocabulary.AddSpacePrefix && afterSpecial;
        byte[] rented = ArrayPool<byte>.Shared.Rent(EscapedSpace.MostBytes(text, prefixed));
        ReadOnlySpan<byte> escaped = rented.AsSpan(0, EscapedSpace.Write(text, prefixed, rented));

        // No token has a ▁ after another character, so that no merge crosses the place before it, and words can be merged one by one.
        while (_spaceBeginsWord && !escaped.IsEmpty)
        {
            int length = EscapedSpace.WordLength(escaped);
            EncodeWord(escaped[..length], ids);
            escaped = escaped[length..];
        }

        if (!escaped.IsEmpty) EncodeWord(escaped, ids);
        ArrayPool<byte>.Shared.Return(rented);
    }

    private void EncodeWord(ReadOnlySpan<byte> word, List<int> ids)
    {
        int whole = word.Length <= _index.LongestKeyBytes ? _index.Find(word) : -1;
        if (whole >= 0)
        {
            bool? alone = _spelledAlone[whole];
            if (alone == true)
            {
                ids.Add(whole);
                return;
            }

            if (alone is null)
            {
                int before = ids.Count;
                Merge(word, ids);
                _spelledAlone[whole] = ids.Count == before + 1 && ids[before] == whole;
                return;
            }
        }

        Merge(word, ids);
    }

    private void Merge(ReadOnlySpan<byte> word, List<int> ids)
    {
        int[]? rented = word.Length <= StackSymbols ? null : ArrayPool<int>.Shared.Rent(2 * word.Length);
        Span<int> symbols = rented is null ? stackalloc int[2 * StackSymbols] : rented;
        Span<int> ends = symbols[(symbols.Length / 2)..];
        int count = 0;
        for (int start = 0; start < word.Length; count++)
        {
            int end = start + CodePoints.Length(word[start]);
            symbols[count] = _index.Find(word[start..end]);
            ends[count] = start = end;
        }

        Rule rule = new(word, _index, _ranks);
        count = SymbolMerger.Merge(ref rule, symbols[..count], ends[..count]);
        for (int i = 0; i < count; i++)
        {
            if (symbols[i] >= 0) ids.Add(symbols[i]);
            else ByteTokens.Append(word[(i == 0 ? 0 : ends[i - 1])..ends[i]], _byteIds, Vocabulary.Unk, ids);
        }

        if (rented is not null) ArrayPool<int>.Shared.Return(rented);
    }

    /// <summary>The place of each score among all scores, the highest first; equal scores share one.</summary>
    private static int[] RanksOf(IReadOnlyList<float> scores)
    {
        int[] byScore = Enumerable.Range(0, scores.Count).OrderByDescending(id => scores[id]).ToArray();
        int[] ranks = new int[scores.Count];
        for (int i = 1; i < byScore.Length; i++) ranks[byScore[i]] = scores[byScore[i]] == scores[byScore[i - 1]] ? ranks[byScore[i - 1]] : i;
        return ranks;
    }

    private readonly ref struct Rule(ReadOnlySpan<byte> word, TokenIndex index, int[] ranks) : IMergeRule
    {
        private readonly ReadOnlySpan<byte> _word = word;

        public int Rank(int left, int right, int start, int end, out int merged)
        {
            merged = end - start <= index.LongestKeyBytes ? index.Find(_word[start..end]) : -1;
            return merged < 0 ? int.MaxValue : ranks[merged];
        }
    }
}
