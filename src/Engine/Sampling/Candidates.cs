using System.Numerics;
using System.Runtime.InteropServices;

namespace Quern.Engine.Sampling;

/// <summary>
/// The tokens still in play while a chain runs, with their logits: at first the whole vocabulary, where the index is the token's id and
/// no list of ids exists; after the first truncation a list. All arrays are as long as the vocabulary and are taken once.
/// Where two logits are equal the lower token id counts as the larger, everywhere.
/// </summary>
internal sealed partial class Candidates(int vocabularySize)
{
    private readonly float[] _logits = new float[vocabularySize];
    private readonly float[] _weights = new float[vocabularySize];
    private readonly int[] _tokens = new int[vocabularySize];
    private readonly ulong[] _keys = new ulong[vocabularySize];
    private readonly int[] _marks = new int[vocabularySize];
    private readonly Candidate[] _distribution = new Candidate[vocabularySize];

    public int VocabularySize => _logits.Length;

    public int Count { get; private set; }

    /// <summary>Every token of the vocabulary is in play and lies at the index that is its id.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>The logits descend, equal ones by ascending token id.</summary>
    public bool IsSorted { get; private set; }

    /// <summary>The logits of the tokens in play. Who changes their order calls <see cref="OrderChanged"/>.</summary>
    public Span<float> Logits => _logits.AsSpan(0, Count);

    /// <summary>One integer for each token of the vocabulary, all zero between two samplers: who sets one clears it.</summary>
    public Span<int> Marks => _marks;

    public int TokenAt(int index) => IsWhole ? index : _tokens[index];

    public void OrderChanged() => IsSorted = false;

    /// <summary>Takes a vocabulary of logits.</summary>
    /// <exception cref="InvalidOperationException">A logit is NaN or +∞, or every logit is −∞.</exception>
    public void Load(ReadOnlySpan<float> logits)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        var infinity = new Vector<float>(float.PositiveInfinity);
        bool sound = true;
        foreach (Vector<float> v in vectors) sound &= Vector.LessThanAll(v, infinity);
        foreach (float x in logits[(vectors.Length * Vector<float>.Count)..]) sound &= x < float.PositiveInfinity;
        if (!sound) Refuse(logits);
        logits.CopyTo(_logits);
        Count = logits.Length;
        IsWhole = true;
        IsSorted = false;
    }

    /// <summary>The largest logit in play.</summary>
    /// <exception cref="InvalidOperationException">Every logit is −∞.</exception>
    public float MaxLogit()
    {
        float max = IsSorted && Count > 0 ? _logits[0] : Reductions.Max(Logits);
        return max > float.NegativeInfinity ? max : throw new InvalidOperationException("every token is excluded: all logits are −∞");
    }

    /// <summary>exp(logit − max) for each token in play, and their sum.</summary>
    public ReadOnlySpan<float> Weights(out float max, out double sum)
    {
        max = MaxLogit();
        sum = Reductions.Exp(Logits, max, _weights.AsSpan(0, Count));
        return _weights.AsSpan(0, Count);
    }

    /// <summary>Room for one key for each token in play, shared by all who sort.</summary>
    public Span<ulong> Keys => _keys.AsSpan(0, Count);

    /// <summary>How many tokens have at least this logit.</summary>
    public int CountAtLeast(float logit)
    {
        Span<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(Logits);
        var threshold = new Vector<float>(logit);
        Vector<int> counts = Vector<int>.Zero;
        foreach (Vector<float> v in vectors) counts -= Vector.GreaterThanOrEqual(v, threshold);
        int count = Vector.Sum(counts);
        foreach (float x in Logits[(vectors.Length * Vector<float>.Count)..]) count += x >= logit ? 1 : 0;
        return count;
    }

    /// <summary>Drops every token with a smaller logit; the others keep their order.</summary>
    public void KeepAtLeast(float logit)
    {
        Span<float> logits = Logits;
        var threshold = new Vector<float>(logit);
        int kept = 0;
        int i = 0;
        while (i < logits.Length)
        {
            int end = Math.Min(i + Vector<float>.Count, logits.Length);
            bool some = end - i < Vector<float>.Count || Vector.GreaterThanOrEqualAny(new Vector<float>(logits[i..]), threshold);
            for (; some && i < end; i++)
            {
                if (logits[i] >= logit) Move(i, kept++);
            }

            i = end;
        }

        Truncate(kept);
    }

    /// <summary>Moves a token to a place at or before its own; to be followed by <see cref="Truncate"/>.</summary>
    public void Move(int from, int to)
    {
        _logits[to] = _logits[from];
        _tokens[to] = TokenAt(from);
    }

    /// <summary>Keeps the first <paramref name="count"/> tokens, all of which <see cref="Move"/> has written.</summary>
    public void Truncate(int count)
    {
        Count = count;
        IsWhole = false;
    }

    /// <summary>The softmax of what is in play, without the tokens whose logit is −∞.</summary>
    public ReadOnlySpan<Candidate> Distribution()
    {
        ReadOnlySpan<float> weights = Weights(out _, out double sum);
        float scale = (float)(1 / sum);
        int count = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            if (_logits[i] > float.NegativeInfinity) _distribution[count++] = new Candidate(TokenAt(i), weights[i] * scale);
        }

        return _distribution.AsSpan(0, count);
    }

    private static void Refuse(ReadOnlySpan<float> logits)
    {
        for (int token = 0; token < logits.Length; token++)
        {
            if (float.IsNaN(logits[token])) throw new InvalidOperationException($"logits contain NaN at token {token}");
            if (float.IsPositiveInfinity(logits[token])) throw new InvalidOperationException($"logits contain +∞ at token {token}");
        }
    }
}
