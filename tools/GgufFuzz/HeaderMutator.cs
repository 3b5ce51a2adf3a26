using System.Buffers.Binary;

namespace Quern.GgufFuzz;

/// <summary>Damages files in the ways that downloads, disks and attackers do. The same seed damages in the same way.</summary>
public sealed class HeaderMutator(int seed, IReadOnlyList<SeedImage> images)
{
    /// <summary>An image grows by at most this much.</summary>
    public const int LargestGrowth = 4 * 256;

    private static readonly ulong[] Interesting =
    [
        0, 1, 2, 3, 7, 8, 9, 12, 13, 31, 32, 33, 64, 255, 256, 65535, 65536, int.MaxValue, 1ul << 31, uint.MaxValue, 1ul << 32, (1ul << 32) + 1,
        1ul << 40, 1ul << 60, (1ul << 61) + 1, 1ul << 62, long.MaxValue - 1, long.MaxValue, 1ul << 63, (1ul << 63) + 1, ulong.MaxValue - 31, ulong.MaxValue - 7, ulong.MaxValue,
    ];

    private readonly Random _random = new(seed);

    /// <summary>The longest file that <see cref="Next"/> makes.</summary>
    public int LargestImage { get; } = images.Max(image => image.Bytes.Length) + LargestGrowth;

    /// <summary>Writes a damaged file to <paramref name="destination"/>.</summary>
    /// <returns>Its length in bytes.</returns>
    public int Next(Span<byte> destination)
    {
        SeedImage image = images[_random.Next(images.Count)];
        int length = image.Bytes.Length;
        image.Bytes.CopyTo(destination);
        for (int step = 1 + _random.Next(4); step > 0 && length > 16; step--) length = Damage(image, destination, length);
        return length;
    }

    private int Damage(SeedImage image, Span<byte> bytes, int length)
    {
        int at = _random.Next(2) == 0 && image.Fields.Length != 0 ? image.Fields[_random.Next(image.Fields.Length)] : _random.Next(length);
        if (at > length - 8) at = length - 8;
        switch (_random.Next(12))
        {
            case 0:
                bytes[at + _random.Next(8)] ^= (byte)(1 << _random.Next(8));
                return length;
            case 1:
                bytes[at + _random.Next(8)] = (byte)_random.Next(256);
                return length;
            case 2 or 3 or 4:
                BinaryPrimitives.WriteUInt64LittleEndian(bytes[at..], Value(length - at));
                return length;
            case 5 or 6:
                BinaryPrimitives.WriteUInt32LittleEndian(bytes[at..], (uint)Value(length - at));
                return length;
            case 7:
                ulong value = BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);
                BinaryPrimitives.WriteUInt64LittleEndian(bytes[at..], value + (ulong)(_random.Next(33) - 16));
                return length;
            case 8:
                return at + _random.Next(8);
            case 9:
                return Remove(bytes, at, Math.Min(1 + _random.Next(64), length - at), length);
            case 10:
                return Repeat(bytes, at, Math.Min(1 + _random.Next(256), length - at), length);
            default:
                return Splice(bytes, at, length);
        }
    }

    private ulong Value(int remaining) => _random.Next(4) switch
    {
        0 => (ulong)(remaining + _random.Next(17) - 16),
        1 => (ulong)_random.NextInt64(long.MinValue, long.MaxValue) >> _random.Next(64),
        _ => Interesting[_random.Next(Interesting.Length)],
    };

    private static int Remove(Span<byte> bytes, int at, int count, int length)
    {
        bytes[(at + count)..length].CopyTo(bytes[at..]);
        return length - count;
    }

    private static int Repeat(Span<byte> bytes, int at, int count, int length)
    {
        if (length + count > bytes.Length) return length;
        bytes[at..length].CopyTo(bytes[(at + count)..]);
        return length + count;
    }

    private int Splice(Span<byte> bytes, int at, int length)
    {
        byte[] other = images[_random.Next(images.Count)].Bytes;
        int from = _random.Next(other.Length);
        int count = Math.Min(Math.Min(1 + _random.Next(128), other.Length - from), length - at);
        other.AsSpan(from, count).CopyTo(bytes[at..]);
        return length;
    }
}
