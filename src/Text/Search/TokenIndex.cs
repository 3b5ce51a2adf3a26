using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Quern.Text.Search;

/// <summary>Finds a token by its bytes: open addressing with linear probing, keys side by side in one array. The first of two equal keys wins.</summary>
internal sealed class TokenIndex
{
    private Slot[] _slots;
    private byte[] _keys;
    private int _keyBytes;
    private int _count;

    /// <param name="expectedCount">How many tokens will be added; more are allowed.</param>
    public TokenIndex(int expectedCount)
    {
        _slots = new Slot[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, 2 * expectedCount))];
        _keys = new byte[Math.Max(64, 8 * expectedCount)];
    }

    /// <summary>The length in bytes of the longest key.</summary>
    public int LongestKeyBytes { get; private set; }

    /// <summary>Adds a token; false where the key has one already.</summary>
    public bool Add(ReadOnlySpan<byte> key, int id)
    {
        if (Find(key) >= 0) return false;
        if (2 * (_count + 1) > _slots.Length) Grow();
        if (_keyBytes + key.Length > _keys.Length) Array.Resize(ref _keys, Math.Max(2 * _keys.Length, _keyBytes + key.Length));
        key.CopyTo(_keys.AsSpan(_keyBytes));
        Place(new Slot(Hash(key), id + 1, _keyBytes, key.Length));
        _keyBytes += key.Length;
        _count++;
        LongestKeyBytes = Math.Max(LongestKeyBytes, key.Length);
        return true;
    }

    /// <summary>The token with exactly these bytes, or -1.</summary>
    public int Find(ReadOnlySpan<byte> key)
    {
        uint hash = Hash(key);
        Slot[] slots = _slots;
        for (uint i = hash; ; i++)
        {
            ref Slot slot = ref slots[i & (uint)(slots.Length - 1)];
            if (slot.IdPlusOne == 0) return -1;
            if (slot.Hash == hash && slot.Length == key.Length && key.SequenceEqual(_keys.AsSpan(slot.Offset, slot.Length))) return slot.IdPlusOne - 1;
        }
    }

    private void Place(Slot added)
    {
        uint i = added.Hash;
        while (_slots[i & (uint)(_slots.Length - 1)].IdPlusOne != 0) i++;
        _slots[i & (uint)(_slots.Length - 1)] = added;
    }

    private void Grow()
    {
        Slot[] old = _slots;
        _slots = new Slot[2 * old.Length];
        foreach (Slot slot in old)
        {
            if (slot.IdPlusOne != 0) Place(slot);
        }
    }

    // Multiply and fold, eight bytes at a time (as wyhash does); a tail of less than eight bytes is read as two overlapping halves.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Hash(ReadOnlySpan<byte> key)
    {
        const ulong Multiplier = 0x9E3779B97F4A7C15;
        ulong hash = (ulong)key.Length * 0xD6E8FEB86659FD93;
        while (key.Length >= 8)
        {
            hash = (hash ^ BinaryPrimitives.ReadUInt64LittleEndian(key)) * Multiplier;
            hash ^= hash >> 29;
            key = key[8..];
        }

        ulong tail = 0;
        if (key.Length >= 4)
            tail = BinaryPrimitives.ReadUInt32LittleEndian(key) | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(key[^4..]) << 32);
        else if (key.Length > 0)
            tail = key[0] | ((ulong)key[key.Length >> 1] << 8) | ((ulong)key[^1] << 16);
        hash = (hash ^ tail) * Multiplier;
        return (uint)(hash >> 32) ^ (uint)(hash >> 15);
    }

    private readonly record struct Slot(uint Hash, int IdPlusOne, int Offset, int Length);
}
