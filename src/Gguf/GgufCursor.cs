using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace Quern.Gguf;

/// <summary>
/// Reads a file from front to back. Nothing is read, allocated or multiplied before it was compared with the bytes that remain.
/// It knows what it is reading, so that an error can name it.
/// </summary>
internal ref struct GgufCursor(FileMap map)
{
    /// <summary>Bytes from the start of the file.</summary>
    public long Position { get; set; }

    /// <summary>What is being read: <c>header</c>, <c>metadata key</c>, <c>tensor</c>.</summary>
    public string Subject { get; set; } = "header";

    /// <summary>Which one it is, until its name is known; −1 for the header.</summary>
    public long Index { get; set; } = -1;

    /// <summary>The name of the subject, once known.</summary>
    public string? Name { get; set; }

    public readonly long Remaining => map.Length - Position;

    private readonly string Field => Name is not null ? $"{Subject} {GgufFormatException.Quote(Name)}" : Index >= 0 ? $"{Subject} {Index}" : Subject;

    /// <summary>Names what is read next.</summary>
    public void Begin(string subject, long index) => (Subject, Index, Name) = (subject, index, null);

    public readonly GgufFormatException Fail(long offset, string problem) => new(map.Path, Field, offset, problem);

    public byte ReadByte(string what) => Take(1, what)[0];

    public uint ReadUInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong ReadUInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>The next bytes.</summary>
    public ReadOnlySpan<byte> Take(int length, string what)
    {
        Require(length, what);
        ReadOnlySpan<byte> bytes = map.Slice(Position, length);
        Position += length;
        return bytes;
    }

    public void Skip(long length, string what)
    {
        Require(length, what);
        Position += length;
    }

    /// <summary>A count of things that take at least <paramref name="fewestBytes"/> each.</summary>
    public long ReadCount(int fewestBytes, string what)
    {
        long offset = Position;
        ulong count = ReadUInt64(what);
        if (count > (ulong)(Remaining / fewestBytes))
            throw Fail(offset, $"{what} is {count}; the {Remaining} bytes that follow hold at most {Remaining / fewestBytes}");
        return (long)count;
    }

    /// <summary>The bytes of a string.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<byte> ReadStringBytes(int longest, string what)
    {
        if (Remaining < 8) Require(8, what);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(map.Slice(Position, 8));
        if (length > (ulong)longest || length > (ulong)(Remaining - 8)) throw TooLong(length, longest, what);
        ReadOnlySpan<byte> bytes = map.Slice(Position + 8, (int)length);
        Position += 8 + (long)length;
        return bytes;
    }

    /// <summary>A string of valid UTF-8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public string ReadString(int longest, string what)
    {
        long offset = Position;
        ReadOnlySpan<byte> bytes = ReadStringBytes(longest, what);
        if (bytes.IsEmpty) return "";
        try
        {
            return GgufText.Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Fail(offset, $"{what} is not valid UTF-8");
        }
    }

    /// <summary>The name of a key or a tensor: not empty, valid UTF-8.</summary>
    public string ReadName()
    {
        long offset = Position;
        string name = ReadString(GgufValueTypes.LongestName, "its name");
        return name.Length != 0 ? name : throw Fail(offset, "its name is empty");
    }

    public GgufValueType ReadValueType(string what)
    {
        long offset = Position;
        uint type = ReadUInt32(what);
        return type <= (uint)GgufValueType.Float64
            ? (GgufValueType)type
            : throw Fail(offset, $"{what} is {type}; expected 0 (u8) to 12 (f64)");
    }

    private readonly GgufFormatException TooLong(ulong length, int longest, string what)
    {
        long most = Remaining - 8;
        return length > (ulong)longest
            ? Fail(Position, $"{what} has a length of {length} bytes; expected at most {Math.Min(longest, most)}")
            : Fail(Position, $"{what} has a length of {length} bytes; the file has {most} more");
    }

    private readonly void Require(long length, string what)
    {
        if (length > Remaining)
            throw Fail(Position, $"the file ends after {map.Length} bytes, within {what}, which needs {length} bytes; it is truncated or damaged");
    }
}
