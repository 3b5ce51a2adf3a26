using System.Text;

namespace Quern.Engine.Sampling;

/// <summary>
/// The token sequences that end a repetition for DRY. A breaker is text, and text can hide in a token with more around it (<c>."\n</c>) or be spread over
/// several, so it becomes a set of sequences: each token that holds the text, and each token that ends with its beginning followed by the
/// tokens of the rest. Made once for a model; immutable, so chains share it.
/// Source: koboldcpp pull request 982 by pi6am, which llama.cpp's DRY follows.
/// </summary>
public sealed class DryBreakers
{
    private readonly Dictionary<int, int[][]> _tails;

    private DryBreakers(IEnumerable<int[]> sequences)
    {
        _tails = sequences.GroupBy(sequence => sequence[0]).ToDictionary(group => group.Key, group => group.Select(sequence => sequence[1..]).ToArray());
    }

    /// <summary>No breaker: every repetition counts.</summary>
    public static DryBreakers None { get; } = new([]);

    /// <summary>Breakers that are token sequences already.</summary>
    /// <param name="sequences">Sequences of at least one token.</param>
    /// <exception cref="ArgumentException">A sequence is empty.</exception>
    public static DryBreakers FromTokens(IEnumerable<int[]> sequences)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        int[][] all = [.. sequences];
        return all.All(sequence => sequence.Length > 0) ? new DryBreakers(all) : throw new ArgumentException("a breaker has no tokens", nameof(sequences));
    }

    /// <summary>Breakers from text, such as <see cref="SamplingOptions.DrySequenceBreakers"/>.</summary>
    /// <param name="breakers">The texts, none empty.</param>
    /// <param name="vocabularySize">The number of tokens.</param>
    /// <param name="piece">The UTF-8 bytes that a token stands for.</param>
    /// <param name="tokenise">The tokens of a text, without any that mark beginning or end.</param>
    /// <remarks>A breaker cut inside a character is not looked for: its rest would be no text.</remarks>
    /// <exception cref="ArgumentException">A breaker is empty.</exception>
    public static DryBreakers FromText(
        IEnumerable<string> breakers, int vocabularySize, Func<int, ReadOnlyMemory<byte>> piece, Func<string, IReadOnlyList<int>> tokenise)
    {
        ArgumentNullException.ThrowIfNull(breakers);
        ArgumentNullException.ThrowIfNull(piece);
        ArgumentNullException.ThrowIfNull(tokenise);
        var sequences = new List<int[]>();
        foreach (string breaker in breakers)
        {
            ArgumentException.ThrowIfNullOrEmpty(breaker, nameof(breakers));
            byte[] text = Encoding.UTF8.GetBytes(breaker);
            int[]?[] rests = Rests(text, tokenise);
            for (int token = 0; token < vocabularySize; token++) Add(token, piece(token).Span, text, rests, sequences);
        }

        return new DryBreakers(sequences);
    }

    /// <summary>How many tokens follow the last breaker; all, if there is none.</summary>
    /// <param name="newestFirst">The last tokens of the sequence, the newest first.</param>
    internal int TokensAfterLast(ReadOnlySpan<int> newestFirst)
    {
        for (int i = 0; i < newestFirst.Length; i++)
        {
            if (!_tails.TryGetValue(newestFirst[i], out int[][]? tails)) continue;
            int longest = -1;
            foreach (int[] tail in tails)
            {
                if (tail.Length > longest && tail.Length <= i && Follows(newestFirst, i, tail)) longest = tail.Length;
            }

            if (longest >= 0) return i - longest;
        }

        return newestFirst.Length;
    }

    /// <summary>Whether the token alone is a breaker.</summary>
    internal bool IsBreaker(int token) => _tails.TryGetValue(token, out int[][]? tails) && Array.Exists(tails, tail => tail.Length == 0);

    private static bool Follows(ReadOnlySpan<int> newestFirst, int head, int[] tail)
    {
        for (int i = 0; i < tail.Length; i++)
        {
            if (newestFirst[head - 1 - i] != tail[i]) return false;
        }

        return true;
    }

    // The tokens of text[i..] for each i that begins a character.
    private static int[]?[] Rests(byte[] text, Func<string, IReadOnlyList<int>> tokenise)
    {
        int[]?[] rests = new int[text.Length][];
        for (int i = 1; i < text.Length; i++)
        {
            if ((text[i] & 0xC0) != 0x80) rests[i] = [.. tokenise(Encoding.UTF8.GetString(text, i, text.Length - i))];
        }

        return rests;
    }

    private static void Add(int token, ReadOnlySpan<byte> piece, byte[] text, int[]?[] rests, List<int[]> sequences)
    {
        if (piece.IndexOf(text) >= 0)
        {
            sequences.Add([token]);
            return;
        }

        for (int shared = 1; shared < text.Length && shared <= piece.Length; shared++)
        {
            if (rests[shared] is { } rest && piece.EndsWith(text.AsSpan(0, shared))) sequences.Add([token, .. rest]);
        }
    }
}
