using System.Text;

namespace Quern.Gguf.Tests;

/// <summary>Writes the bytes of a file field by field, without asking whether they make sense.</summary>
internal sealed class RawFile
{
    private readonly List<byte> _bytes = [];

    public static RawFile Start(uint version = 3, ulong tensors = 0, ulong entries = 0) =>
        new RawFile().Bytes("GGUF"u8).U32(version).U64(tensors).U64(entries);

    public RawFile Bytes(ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public RawFile U8(byte value) => Bytes([value]);

    public RawFile U32(uint value) => Bytes(BitConverter.GetBytes(value));

    public RawFile U64(ulong value) => Bytes(BitConverter.GetBytes(value));

    public RawFile Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return U64((ulong)bytes.Length).Bytes(bytes);
    }

    public RawFile Key(string key, GgufValueType type) => Text(key).U32((uint)type);

    /// <summary>A tensor entry.</summary>
    public RawFile Tensor(string name, ulong[] dimensions, uint type = 0, ulong offset = 0)
    {
        Text(name).U32((uint)dimensions.Length);
        foreach (ulong dimension in dimensions) U64(dimension);
        return U32(type).U64(offset);
    }

    /// <summary>Zeros up to the next multiple of 32 and then so many bytes of tensor data.</summary>
    public RawFile Data(int bytes)
    {
        int padding = (32 - (_bytes.Count % 32)) % 32;
        return Bytes(new byte[padding + bytes]);
    }

    public byte[] ToArray() => [.. _bytes];
}
