using System.Buffers;
using System.Text;

namespace Quern.Text.Search;

/// <summary>A special token in a text, with the white space that it swallows. Positions in bytes.</summary>
internal readonly record struct SpecialTokenMatch(int Start, int End, int Rank, int Id);

/// <summary>The special tokens of a text in their order, in pooled memory.</summary>
internal readonly ref struct SpecialTokenMatches(SpecialTokenMatch[]? rented, int count)
{
    public ReadOnlySpan<SpecialTokenMatch> Found => rented.AsSpan(0, count);

    public void Dispose()
    {
        if (rented is not null) ArrayPool<SpecialTokenMatch>.Shared.Return(rented);
    }
}

/// <summary>
/// Finds special tokens in a text. Longer tokens take their places before shorter ones, wherever they stand, and equal ones from the left;
/// that is the order of llama.cpp (tokenizer_st_partition).
/// </summary>
internal sealed class SpecialTokenMatcher
{
    private readonly ByteTrie _trie = new();
    private readonly (int Id, bool Left, bool Right)[] _byRank;
    private readonly SearchValues<byte> _firstBytes;

    public SpecialTokenMatcher(Vocabulary vocabulary, Func<TokenType, bool> includes)
    {
        (int Id, byte[] Text)[] tokens = Enumerable.Range(0, vocabulary.Count).Where(id => includes(vocabulary.Types[id]))
            .Select(id => (id, Encoding.UTF8.GetBytes(vocabulary.Tokens[id]))).OrderByDescending(t => t.Item2.Length).ToArray();
        _byRank = Array.ConvertAll(tokens, t => (t.Id, vocabulary.LeftStripped.Contains(t.Id), vocabulary.RightStripped.Contains(t.Id)));
        for (int rank = 0; rank < tokens.Length; rank++) _trie.Add(tokens[rank].Text, rank);
        _firstBytes = SearchValues.Create(tokens.Select(t => t.Text[0]).Distinct().ToArray());
    }

    public SpecialTokenMatches Match(ReadOnlySpan<byte> text)
    {
        int first = text.IndexOfAny(_firstBytes);
        if (first < 0) return default;
        SpecialTokenMatch[]? matches = null;
        int count = FindAll(text, first, ref matches);
        return count == 0 ? default : new SpecialTokenMatches(matches, Choose(text, matches.AsSpan(0, count)));
    }

    private int FindAll(ReadOnlySpan<byte> text, int first, ref SpecialTokenMatch[]? matches)
    {
        int count = 0;
        for (int start = first; ;)
        {
            int node = 0;
            for (int end = start; end < text.Length && (node = _trie.Child(node, text[end])) != ByteTrie.None; end++)
            {
                int rank = _trie.Value(node);
                if (rank != ByteTrie.None) Append(ref matches, count++, new SpecialTokenMatch(start, end + 1, rank, _byRank[rank].Id));
            }

            int skipped = text[(start + 1)..].IndexOfAny(_firstBytes);
            if (skipped < 0) return count;
            start += 1 + skipped;
        }
    }

    private static void Append(ref SpecialTokenMatch[]? matches, int count, SpecialTokenMatch match)
    {
        if (matches is null || count == matches.Length)
        {
            SpecialTokenMatch[] larger = ArrayPool<SpecialTokenMatch>.Shared.Rent(Math.Max(64, 2 * count));
            matches?.CopyTo(larger, 0);
            if (matches is not null) ArrayPool<SpecialTokenMatch>.Shared.Return(matches);
            matches = larger;
        }

        matches[count] = match;
    }

    /// <summary>Keeps the matches that find their place free, in the order of the text, and returns how many.</summary>
    private int Choose(ReadOnlySpan<byte> text, Span<SpecialTokenMatch> matches)
    {
        matches.Sort(static (a, b) => a.Rank != b.Rank ? a.Rank.CompareTo(b.Rank) : a.Start.CompareTo(b.Start));
        bool[] rented = ArrayPool<bool>.Shared.Rent(text.Length);
        Span<bool> taken = rented.AsSpan(0, text.Length);
        taken.Clear();
        int kept = 0;
        foreach (SpecialTokenMatch match in matches)
        {
            if (taken[match.Start..match.End].Contains(true)) continue;
            (int _, bool left, bool right) = _byRank[match.Rank];
            int start = match.Start, end = match.End;
            while (left && start > 0 && !taken[start - 1] && IsAsciiSpace(text[start - 1])) start--;
            while (right && end < text.Length && !taken[end] && IsAsciiSpace(text[end])) end++;
            taken[start..end].Fill(true);
            matches[kept++] = match with { Start = start, End = end };
        }

        ArrayPool<bool>.Shared.Return(rented);
        matches[..kept].Sort(static (a, b) => a.Start.CompareTo(b.Start));
        return kept;
    }

    private static bool IsAsciiSpace(byte b) => b is (byte)' ' or (>= (byte)'\t' and <= (byte)'\r');
}
