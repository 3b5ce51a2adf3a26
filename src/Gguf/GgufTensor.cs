using System.Collections.Immutable;

namespace Quern.Gguf;

/// <summary>A tensor of a file: its name, type and shape, and where its bytes are mapped.</summary>
public sealed class GgufTensor
{
    private readonly FileMap _map;

    internal GgufTensor(FileMap map, int part, string name, GgmlType type, ImmutableArray<long> dimensions, long elementCount, long offset)
    {
        _map = map;
        Part = part;
        Name = name;
        Type = type;
        Dimensions = dimensions;
        ElementCount = elementCount;
        Offset = offset;
    }

    /// <summary>The name, for example <c>blk.0.attn_q.weight</c>.</summary>
    public string Name { get; }

    /// <summary>The type: number, name, block geometry.</summary>
    public GgmlType Type { get; }

    /// <summary>The number of the ggml type.</summary>
    public int TypeId => Type.Id;

    /// <summary>The name of the ggml type, for example <c>Q4_K</c>.</summary>
    public string TypeName => Type.Name;

    /// <summary>
    /// One to four lengths, the one that varies fastest first: a weight of <c>[rows, cols]</c> in row-major order has the dimensions
    /// cols, rows.
    /// </summary>
    public ImmutableArray<long> Dimensions { get; }

    /// <summary>The product of the dimensions.</summary>
    public long ElementCount { get; }

    /// <summary>Bytes of the tensor.</summary>
    public long ByteLength => Type.Bytes(ElementCount);

    /// <summary>Which file of a split set holds the tensor, from 0.</summary>
    public int Part { get; }

    /// <summary>Where the tensor begins in its file, in bytes.</summary>
    public long Offset { get; }

    /// <summary>The address of the first byte, valid until the file is disposed; aligned to the file's alignment.</summary>
    /// <exception cref="ObjectDisposedException">The file was closed.</exception>
    public nint Address => _map.Address + (nint)Offset;

    /// <summary>The bytes of a tensor of less than 2 GiB, valid until the file is disposed.</summary>
    /// <exception cref="InvalidOperationException">The tensor is larger: use <see cref="Address"/>.</exception>
    /// <exception cref="ObjectDisposedException">The file was closed.</exception>
    public ReadOnlySpan<byte> Bytes => ByteLength <= int.MaxValue
        ? _map.Slice(Offset, (int)ByteLength)
        : throw new InvalidOperationException($"tensor '{Name}' has {ByteLength} bytes, more than a span holds; use Address");

    /// <summary>A part of the bytes, valid until the file is disposed.</summary>
    /// <param name="offset">Bytes from the tensor's first.</param>
    /// <param name="length">Number of bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The tensor ends before.</exception>
    /// <exception cref="ObjectDisposedException">The file was closed.</exception>
    public ReadOnlySpan<byte> Slice(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, ByteLength - length);
        return _map.Slice(Offset + offset, length);
    }

    /// <summary>Says that all bytes will be read now: they are brought into this process's memory at once.</summary>
    /// <exception cref="ObjectDisposedException">The file was closed.</exception>
    public void Populate() => _map.Populate(Offset, ByteLength);

    /// <summary>
    /// Says that the bytes are not needed for now, because they were copied: they leave this process's memory, and are read from the file again if somebody looks.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The file was closed.</exception>
    public void Release() => _map.Release(Offset, ByteLength);

    /// <summary>The name, the type and the dimensions.</summary>
    public override string ToString() => $"{Name} {TypeName} [{string.Join(", ", Dimensions)}]";
}
