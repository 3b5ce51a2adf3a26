using System.Collections.Immutable;

namespace Quern.Gguf;

/// <summary>
/// Reads the header of one file: magic, version, counts, metadata entries, tensor entries; then places the tensors. Memory is in proportion
/// to the entries that were really there. Source: ggml/docs/gguf.md, versions 2 and 3.
/// </summary>
internal static class GgufParser
{
    public const string AlignmentKey = "general.alignment";
    public const int DefaultAlignment = 32;

    /// <summary>The specification wants multiples of 8, ggml wants a power of two.</summary>
    public const int SmallestAlignment = 8;

    /// <summary>A page of the largest size in use for mapping files is far below.</summary>
    public const int LargestAlignment = 1 << 20;

    private const uint Magic = 0x46554747;
    public const int MostDimensions = 4;
    private const int FewestEntryBytes = 8 + 1 + 4 + 1;
    private const int FewestTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;

    /// <summary>Reads a file's header and checks all of it.</summary>
    /// <exception cref="GgufFormatException">The file is not a GGUF file of version 2 or 3, or is damaged.</exception>
    public static GgufPart Parse(FileMap map, int partIndex)
    {
        if (!BitConverter.IsLittleEndian) throw new PlatformNotSupportedException("GGUF files are read on little-endian machines only");
        GgufCursor cursor = new(map);
        int version = ReadVersion(ref cursor, map);
        long tensorCount = cursor.ReadCount(FewestTensorBytes, "the tensor count");
        long entryCount = cursor.ReadCount(FewestEntryBytes, "the metadata count");

        List<GgufEntry> entries = [];
        Dictionary<string, GgufEntry> byKey = new(StringComparer.Ordinal);
        for (long i = 0; i < entryCount; i++)
        {
            long start = cursor.Position;
            cursor.Begin("metadata entry", i);
            GgufEntry entry = ReadEntry(ref cursor, map);
            if (!byKey.TryAdd(entry.Key, entry)) throw cursor.Fail(start, "the key occurs twice");
            entries.Add(entry);
        }

        int alignment = ReadAlignment(map, byKey);
        List<TensorEntry> tensors = [];
        HashSet<string> names = new(StringComparer.Ordinal);
        for (long i = 0; i < tensorCount; i++)
        {
            long start = cursor.Position;
            cursor.Begin("tensor", i);
            TensorEntry tensor = ReadTensor(ref cursor);
            if (!names.Add(tensor.Name)) throw cursor.Fail(start, "the name occurs twice");
            if (tensor.Offset % (ulong)alignment != 0)
                throw cursor.Fail(start, $"its data offset is {tensor.Offset}; expected a multiple of the alignment, {alignment}");
            tensors.Add(tensor);
        }

        IReadOnlyList<GgufTensor> placed = TensorPlacement.Place(map, partIndex, tensors, cursor.Position, alignment);
        return new GgufPart(map, version, alignment, entries, byKey, placed);
    }

    private static int ReadVersion(ref GgufCursor cursor, FileMap map)
    {
        if (map.Length < 4 || cursor.ReadUInt32("the magic number") != Magic) throw ForeignFile.Describe(map);
        uint version = cursor.ReadUInt32("the version");
        if (version is 2 or 3) return (int)version;
        if (version == 1)
            throw cursor.Fail(4, "GGUF version 1 is not supported; expected 2 or 3: convert the original model with a current converter");
        if ((version & 0xFFFF) == 0 && version != 0)
            throw cursor.Fail(4, "the file is big-endian; expected a little-endian GGUF file: convert it with gguf_convert_endian.py");
        throw cursor.Fail(4, $"GGUF version {version} is not known; expected 2 or 3");
    }

    private static GgufEntry ReadEntry(ref GgufCursor cursor, FileMap map)
    {
        string key = cursor.ReadName();
        (cursor.Subject, cursor.Name) = ("metadata key", key);
        GgufValueType type = cursor.ReadValueType("the value type");
        long offset = cursor.Position;
        GgufValueType? elementType = null;
        int count = 1;
        if (type == GgufValueType.Array)
        {
            (elementType, count) = GgufValues.ReadArrayHead(ref cursor);
            cursor.Position = offset;
        }

        GgufValues.Skip(ref cursor, type, 0);
        return new GgufEntry(map, key, type, elementType, count, offset);
    }

    private static int ReadAlignment(FileMap map, Dictionary<string, GgufEntry> byKey)
    {
        if (!byKey.TryGetValue(AlignmentKey, out GgufEntry? entry)) return DefaultAlignment;
        if (entry.Type != GgufValueType.UInt32)
            throw new GgufFormatException(map.Path, $"metadata key '{AlignmentKey}'", entry.Offset, $"its type is {entry.TypeName}; expected u32");
        uint alignment = (uint)entry.Read();
        return IsAlignment(alignment)
            ? (int)alignment
            : throw new GgufFormatException(
                map.Path, $"metadata key '{AlignmentKey}'", entry.Offset,
                $"the alignment is {alignment}; expected a power of two from {SmallestAlignment} to {LargestAlignment}");
    }

    public static bool IsAlignment(uint alignment) =>
        alignment is >= SmallestAlignment and <= LargestAlignment && (alignment & (alignment - 1)) == 0;

    private static TensorEntry ReadTensor(ref GgufCursor cursor)
    {
        long start = cursor.Position;
        string name = cursor.ReadName();
        cursor.Name = name;
        long offset = cursor.Position;
        uint rank = cursor.ReadUInt32("the number of dimensions");
        if (rank is 0 or > MostDimensions) throw cursor.Fail(offset, $"it has {rank} dimensions; expected 1 to {MostDimensions}");

        ImmutableArray<long>.Builder dimensions = ImmutableArray.CreateBuilder<long>((int)rank);
        long elementCount = 1;
        for (int i = 0; i < (int)rank; i++)
        {
            offset = cursor.Position;
            ulong dimension = cursor.ReadUInt64("a dimension");
            if (dimension is 0 or > long.MaxValue) throw cursor.Fail(offset, $"dimension {i} is {dimension}; expected 1 to {long.MaxValue}");
            if ((UInt128)dimension * (ulong)elementCount > long.MaxValue)
                throw cursor.Fail(offset, $"dimension {i} is {dimension}; the element count overflows");
            elementCount *= (long)dimension;
            dimensions.Add((long)dimension);
        }

        offset = cursor.Position;
        uint typeId = cursor.ReadUInt32("the type");
        GgmlType type = (typeId <= int.MaxValue ? GgmlTypes.Find((int)typeId) : null) ?? throw cursor.Fail(offset, GgmlTypes.WhyUnknown(typeId));
        if (dimensions[0] % type.BlockLength != 0)
            throw cursor.Fail(offset, $"its rows have {dimensions[0]} values; {type.Name} takes multiples of {type.BlockLength}");
        if ((Int128)(elementCount / type.BlockLength) * type.BlockBytes > long.MaxValue)
            throw cursor.Fail(offset, $"{elementCount} values of {type.Name} are more bytes than a file can have");
        return new TensorEntry(name, type, dimensions.MoveToImmutable(), elementCount, cursor.ReadUInt64("the data offset"), start);
    }
}

/// <summary>A tensor entry as the file has it: the data offset counts from the beginning of the tensor data.</summary>
internal readonly record struct TensorEntry(
    string Name, GgmlType Type, ImmutableArray<long> Dimensions, long ElementCount, ulong Offset, long EntryOffset);
