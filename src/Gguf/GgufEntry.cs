namespace Quern.Gguf;

/// <summary>A metadata entry of a file: its key, its type and where its value lies.</summary>
public sealed class GgufEntry
{
    private readonly FileMap _map;

    internal GgufEntry(FileMap map, string key, GgufValueType type, GgufValueType? elementType, int count, long offset)
    {
        _map = map;
        Key = key;
        Type = type;
        ElementType = elementType;
        Count = count;
        Offset = offset;
    }

    /// <summary>The key.</summary>
    public string Key { get; }

    /// <summary>The type of the value.</summary>
    public GgufValueType Type { get; }

    /// <summary>The type of an array's elements; null where the value is no array.</summary>
    public GgufValueType? ElementType { get; }

    /// <summary>The number of an array's elements; 1 where the value is no array.</summary>
    public int Count { get; }

    /// <summary>Where the value begins, in bytes from the start of the file.</summary>
    public long Offset { get; }

    /// <summary>The type in the words of GGUF tools: <c>u32</c>, <c>str</c>, <c>arr[str,32000]</c>.</summary>
    public string TypeName => ElementType is GgufValueType element
        ? $"arr[{GgufValueTypes.ShortName(element)},{Count}]"
        : GgufValueTypes.ShortName(Type);

    /// <summary>
    /// Reads the value from the file: a boxed primitive, a string, a typed array (<c>int[]</c>, <c>string[]</c>, …) or an <c>object[]</c> of
    /// arrays. Made anew at every call: keep the result of a large array.
    /// </summary>
    /// <exception cref="GgufFormatException">A string is not valid UTF-8.</exception>
    /// <exception cref="ObjectDisposedException">The file was closed.</exception>
    public object Read()
    {
        GgufCursor cursor = new(_map) { Position = Offset, Subject = "metadata key", Name = Key };
        return GgufValues.Decode(ref cursor, Type);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Key}: {TypeName}";
}
