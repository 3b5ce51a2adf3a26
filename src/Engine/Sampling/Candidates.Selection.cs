using System.Numerics;
using System.Runtime.InteropServices;

namespace Quern.Engine.Sampling;

/// <summary>
/// The k largest candidates without sorting all. A candidate becomes one integer whose ascending order is the order wanted (logit
/// descending, then token id), so that sorting needs no comparer and equal logits need no rule of their own.
/// </summary>
internal sealed partial class Candidates
{
    /// <summary>An integer that is smaller for a larger logit and, among equal logits, for a smaller id. −0 counts as +0.</summary>
    public static ulong Key(float logit, int token)
    {
        uint bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        uint ascending = (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000;
        return ((ulong)~ascending << 32) | (uint)token;
    }

    /// <summary>The logit that <see cref="Key"/> was given.</summary>
    public static float LogitOf(ulong key)
    {
        uint ascending = ~(uint)(key >> 32);
        return BitConverter.UInt32BitsToSingle((ascending & 0x8000_0000) != 0 ? ascending & 0x7FFF_FFFF : ~ascending);
    }

    /// <summary>
    /// The keys of the min(k, count) largest, in order, in <see cref="Keys"/>; the candidates themselves stay as they are. One vector pass with
    /// a threshold that rises: what passes is gathered, and when the room for it is full only the k largest stay, the least of which is the
    /// new threshold. For logits in random order about k·ln(n/k) candidates pass.
    /// </summary>
    public ReadOnlySpan<ulong> Largest(int k)
    {
        k = Math.Min(k, Count);
        int room = 2 * Math.Min(k, int.MaxValue / 4) + 64;
        if (IsSorted || Count <= room) return AllKeys()[..k];

        Span<ulong> gathered = _keys.AsSpan(0, room);
        Span<float> logits = Logits;
        int filled = 0;
        ulong worst = ulong.MaxValue;
        Vector<float> threshold = new(float.NegativeInfinity);
        Span<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        for (int block = 0; block < vectors.Length; block++)
        {
            if (!Vector.GreaterThanOrEqualAny(vectors[block], threshold)) continue;
            int start = block * Vector<float>.Count;
            for (int i = start; i < start + Vector<float>.Count; i++) Gather(i, k, gathered, ref filled, ref worst);
            threshold = new Vector<float>(worst == ulong.MaxValue ? float.NegativeInfinity : LogitOf(worst));
        }

        for (int i = vectors.Length * Vector<float>.Count; i < logits.Length; i++) Gather(i, k, gathered, ref filled, ref worst);
        Partition(gathered[..filled], k);
        gathered[..k].Sort();
        return gathered[..k];
    }

    /// <summary>Keeps the k largest, sorted; all as they are if there are no more than k.</summary>
    public void KeepLargest(int k)
    {
        if (k >= Count) return;
        if (IsSorted) Truncate(k);
        else Keep(Largest(k));
    }

    /// <summary>Takes the largest of a vocabulary's logits, as <see cref="Load"/> and <see cref="KeepLargest"/> would leave them.</summary>
    /// <param name="largest">At least <paramref name="count"/> beside those that are left out.</param>
    /// <param name="excluded">Tokens that are left out.</param>
    /// <param name="count">How many are kept.</param>
    public void LoadLargest(LargestLogits largest, ReadOnlySpan<int> excluded, int count)
    {
        Span<ulong> keys = _keys.AsSpan(0, count);
        int kept = 0;
        for (int i = 0; kept < count; i++)
        {
            int token = largest.TokenAt(i);
            if (!excluded.Contains(token)) keys[kept++] = Key(largest.Logits[i], token);
        }

        Keep(keys);
    }

    /// <summary>Replaces the candidates by those of sorted keys.</summary>
    public void Keep(ReadOnlySpan<ulong> sortedKeys)
    {
        for (int i = 0; i < sortedKeys.Length; i++)
        {
            _logits[i] = LogitOf(sortedKeys[i]);
            _tokens[i] = (int)(uint)sortedKeys[i];
        }

        Truncate(sortedKeys.Length);
        IsSorted = true;
    }

    private ReadOnlySpan<ulong> AllKeys()
    {
        Span<ulong> keys = Keys;
        for (int i = 0; i < keys.Length; i++) keys[i] = Key(_logits[i], TokenAt(i));
        if (!IsSorted) keys.Sort();
        return keys;
    }

    private void Gather(int index, int k, Span<ulong> gathered, ref int filled, ref ulong worst)
    {
        ulong key = Key(_logits[index], TokenAt(index));
        if (key >= worst) return;
        gathered[filled++] = key;
        if (filled < gathered.Length) return;
        Partition(gathered, k);
        filled = k;
        worst = gathered[0];
        foreach (ulong kept in gathered[1..k]) worst = Math.Max(worst, kept);
    }

    /// <summary>
    /// Brings the k smallest keys, in any order, to the front: Hoare's quickselect with the median of three; a sort where that makes no headway.
    /// Source: Hoare, "Algorithm 65: Find", CACM 4 (1961).
    /// </summary>
    internal static void Partition(Span<ulong> keys, int k)
    {
        int low = 0;
        int high = keys.Length - 1;
        for (int rounds = 2 * BitOperations.Log2((uint)keys.Length + 1); low < high; rounds--)
        {
            if (rounds == 0)
            {
                keys[low..(high + 1)].Sort();
                return;
            }

            ulong pivot = MedianOfThree(keys[low], keys[(low + high) >>> 1], keys[high]);
            int i = low;
            int j = high;
            while (i <= j)
            {
                while (keys[i] < pivot) i++;
                while (keys[j] > pivot) j--;
                if (i > j) break;
                (keys[i], keys[j]) = (keys[j], keys[i]);
                i++;
                j--;
            }

            // Now [low, j] ≤ pivot ≤ [i, high], and what lies between is the pivot.
            if (k - 1 <= j) high = j;
            else if (k - 1 >= i) low = i;
            else return;
        }
    }

    private static ulong MedianOfThree(ulong a, ulong b, ulong c) => Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));
}
