using System.Numerics;
using System.Runtime.CompilerServices;

namespace Quern.Text.Search;

/// <summary>The merges of a byte-pair vocabulary: (left, right) to (rank, merged symbol), by open addressing with linear probing.</summary>
internal sealed class PairTable
{
    private const ulong Empty = ulong.MaxValue;
    private readonly Slot[] _slots;
    private readonly int _shift;

    /// <param name="expectedCount">An upper bound of the number of pairs.</param>
    public PairTable(int expectedCount)
    {
        int capacity = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, 2 * expectedCount));
        _slots = new Slot[capacity];
        _slots.AsSpan().Fill(new Slot(Empty, 0, 0));
        _shift = 64 - BitOperations.Log2((uint)capacity);
    }

    /// <summary>Adds a merge; the first of two equal pairs wins, as it has the lower rank.</summary>
    public void Add(int left, int right, int rank, int merged)
    {
        ulong key = Key(left, right);
        int i = Start(key);
        while (_slots[i].Pair != Empty)
        {
            if (_slots[i].Pair == key) return;
            i = (i + 1) & (_slots.Length - 1);
        }

        _slots[i] = new Slot(key, rank, merged);
    }

    /// <summary>The rank of merging the two, or <see cref="int.MaxValue"/> where they do not merge, as a character that is no symbol (-1) never does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Rank(int left, int right, out int merged)
    {
        ulong key = Key(left, right);
        Slot[] slots = _slots;
        for (int i = Start(key); ; i = (i + 1) & (slots.Length - 1))
        {
            ref Slot slot = ref slots[i];

            // An empty slot is asked first: two characters that are no symbols have its key.
            if (slot.Pair == Empty)
            {
                merged = -1;
                return int.MaxValue;
            }

            if (slot.Pair == key)
            {
                merged = slot.Merged;
                return slot.Rank;
            }
        }
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Start(ulong key) => (int)((key * 0x9E3779B97F4A7C15) >> _shift);

    private readonly record struct Slot(ulong Pair, int Rank, int Merged);
}
