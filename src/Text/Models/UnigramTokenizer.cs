using System.Buffers;
using System.Text;
using Quern.Text.Search;
using Quern.Text.Unicode;

namespace Quern.Text.Models;

/// <summary>
/// SentencePiece's Unigram model: of all ways to spell a text with tokens, the one with the highest sum of scores, by Viterbi's algorithm.
/// A character that no token covers costs ten less than the least token; several in a row are one unknown token.
/// Source: Kudo, Subword Regularization, 2018; llama.cpp, llm_tokenizer_ugm.
/// </summary>
internal sealed class UnigramTokenizer : Tokenizer
{
    private const double UnknownPenalty = 10;
    private readonly ByteTrie _tokens = new();
    private readonly double[] _scores;
    private readonly double _unknownScore;
    private readonly UnigramNormalizer _normalizer;

    public UnigramTokenizer(Vocabulary vocabulary)
        : base(vocabulary)
    {
        if (vocabulary.Unk is null) throw new InvalidDataException("tokenizer.ggml.model is 't5', which needs unknown_token_id");
        _scores = new double[Count];
        double least = float.MaxValue;
        for (int id = 0; id < Count; id++)
        {
            TokenType type = vocabulary.Types[id];
            if (type is TokenType.Normal) least = Math.Min(least, vocabulary.Scores[id]);
            _scores[id] = type is TokenType.UserDefined ? 0 : vocabulary.Scores[id];
            if (type is TokenType.Normal or TokenType.UserDefined or TokenType.Unused) _tokens.Add(Encoding.UTF8.GetBytes(vocabulary.Tokens[id]), id);
        }

        _unknownScore = (float)least - UnknownPenalty;
        _normalizer = new UnigramNormalizer(vocabulary);
    }

    internal override bool PutsSpaceBefore => Vocabulary.AddSpacePrefix;

    private protected override void EncodeText(ReadOnlySpan<byte> text, List<int> ids, bool afterSpecial)
    {
        byte[] normalized = _normalizer.Normalize(text, out int length);
        if (length > 0)
        {
            Step[] steps = ArrayPool<Step>.Shared.Rent(length + 1);
            Search(normalized.AsSpan(0, length), steps);
            AppendPath(steps, length, ids);
            ArrayPool<Step>.Shared.Return(steps);
        }

        ArrayPool<byte>.Shared.Return(normalized);
    }

    /// <summary>Fills steps[i] with the last token of the best spelling of the first i bytes.</summary>
    private void Search(ReadOnlySpan<byte> text, Span<Step> steps)
    {
        int unknown = Vocabulary.Unk!.Value;
        steps[..(text.Length + 1)].Fill(new Step(unknown, 0, double.NegativeInfinity));
        steps[0] = new Step(unknown, 0, 0);
        for (int start = 0; start < text.Length;)
        {
            int next = Math.Min(text.Length, start + CodePoints.Length(text[start]));
            double score = steps[start].Score;
            bool covered = false;
            int node = 0;
            for (int end = start; end < text.Length && (node = _tokens.Child(node, text[end])) != ByteTrie.None;)
            {
                end++;
                int id = _tokens.Value(node);
                if (id == ByteTrie.None) continue;
                covered |= end == next;
                if (score + _scores[id] > steps[end].Score) steps[end] = new Step(id, start, score + _scores[id]);
            }

            if (!covered && score + _unknownScore > steps[next].Score) steps[next] = new Step(unknown, start, score + _unknownScore);
            start = next;
        }
    }

    private void AppendPath(ReadOnlySpan<Step> steps, int end, List<int> ids)
    {
        int unknown = Vocabulary.Unk!.Value;
        int before = ids.Count;
        bool afterUnknown = false;
        for (int position = end; position > 0; position = steps[position].Start)
        {
            int id = steps[position].Id;
            if (id != unknown || !afterUnknown) ids.Add(id);
            afterUnknown = id == unknown;
        }

        ids.Reverse(before, ids.Count - before);
    }

    private readonly record struct Step(int Id, int Start, double Score);
}
