using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quern.Gguf;

/// <summary>
/// Metadata values in a file. <see cref="Skip"/> walks a value when the file is opened and checks every length in it, without memory;
/// <see cref="Decode"/> makes the .NET value when it is asked for, and checks again.
/// </summary>
internal static class GgufValues
{
    /// <summary>Checks a value and moves behind it.</summary>
    public static void Skip(ref GgufCursor cursor, GgufValueType type, int depth)
    {
        switch (type)
        {
            case GgufValueType.String:
                cursor.ReadStringBytes(GgufValueTypes.LongestString, "the string");
                break;
            case GgufValueType.Array:
                SkipArray(ref cursor, depth);
                break;
            case GgufValueType.Bool:
                CheckBools(ref cursor, 1);
                break;
            default:
                cursor.Skip(GgufValueTypes.FixedBytes(type), "the value");
                break;
        }
    }

    /// <summary>Reads the element type and the count of an array.</summary>
    public static (GgufValueType Element, int Count) ReadArrayHead(ref GgufCursor cursor)
    {
        GgufValueType element = cursor.ReadValueType("the array's element type");
        long offset = cursor.Position;
        int size = GgufValueTypes.FewestBytes(element);
        long count = cursor.ReadCount(size, "the array's count");
        return count <= Array.MaxLength / size
            ? (element, (int)count)
            : throw cursor.Fail(offset, $"the array's count is {count}; expected at most {Array.MaxLength / size}");
    }

    /// <summary>The value as a .NET object: a boxed primitive, a string, a typed array, or an <c>object[]</c> of arrays.</summary>
    public static object Decode(ref GgufCursor cursor, GgufValueType type)
    {
        switch (type)
        {
            case GgufValueType.String: return cursor.ReadString(GgufValueTypes.LongestString, "the string");
            case GgufValueType.Array: return DecodeArray(ref cursor);
            default:
                ReadOnlySpan<byte> bytes = cursor.Take(GgufValueTypes.FixedBytes(type), "the value");
                return type switch
                {
                    GgufValueType.UInt8 => bytes[0],
                    GgufValueType.Int8 => (sbyte)bytes[0],
                    GgufValueType.UInt16 => MemoryMarshal.Read<ushort>(bytes),
                    GgufValueType.Int16 => MemoryMarshal.Read<short>(bytes),
                    GgufValueType.UInt32 => MemoryMarshal.Read<uint>(bytes),
                    GgufValueType.Int32 => MemoryMarshal.Read<int>(bytes),
                    GgufValueType.Float32 => MemoryMarshal.Read<float>(bytes),
                    GgufValueType.Bool => bytes[0] != 0,
                    GgufValueType.UInt64 => MemoryMarshal.Read<ulong>(bytes),
                    GgufValueType.Int64 => MemoryMarshal.Read<long>(bytes),
                    _ => MemoryMarshal.Read<double>(bytes),
                };
        }
    }

    private static void SkipArray(ref GgufCursor cursor, int depth)
    {
        if (depth == GgufValueTypes.DeepestNesting)
            throw cursor.Fail(cursor.Position, $"arrays are nested more than {GgufValueTypes.DeepestNesting} deep");
        (GgufValueType element, int count) = ReadArrayHead(ref cursor);
        if (element == GgufValueType.Bool) CheckBools(ref cursor, count);
        else if (GgufValueTypes.FixedBytes(element) is int size and not 0) cursor.Skip((long)count * size, "the array");
        else if (element == GgufValueType.String) SkipStrings(ref cursor, count);
        else for (int i = 0; i < count; i++) SkipArray(ref cursor, depth + 1);
    }

    // The two loops over a vocabulary run while a program starts, before tiered compilation would replace unoptimised code.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SkipStrings(ref GgufCursor cursor, int count)
    {
        for (int i = 0; i < count; i++) cursor.ReadStringBytes(GgufValueTypes.LongestString, "a string of the array");
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static string[] DecodeStrings(ref GgufCursor cursor, int count)
    {
        string[] strings = new string[count];
        for (int i = 0; i < count; i++) strings[i] = cursor.ReadString(GgufValueTypes.LongestString, "a string of the array");
        return strings;
    }

    private static void CheckBools(ref GgufCursor cursor, int count)
    {
        long offset = cursor.Position;
        ReadOnlySpan<byte> bytes = cursor.Take(count, "the value");
        int wrong = bytes.IndexOfAnyExceptInRange((byte)0, (byte)1);
        if (wrong >= 0) throw cursor.Fail(offset + wrong, $"a bool is {bytes[wrong]}; expected 0 or 1");
    }

    private static Array DecodeArray(ref GgufCursor cursor)
    {
        (GgufValueType element, int count) = ReadArrayHead(ref cursor);
        switch (element)
        {
            case GgufValueType.UInt8: return Copy<byte>(ref cursor, count);
            case GgufValueType.Int8: return Copy<sbyte>(ref cursor, count);
            case GgufValueType.UInt16: return Copy<ushort>(ref cursor, count);
            case GgufValueType.Int16: return Copy<short>(ref cursor, count);
            case GgufValueType.UInt32: return Copy<uint>(ref cursor, count);
            case GgufValueType.Int32: return Copy<int>(ref cursor, count);
            case GgufValueType.Float32: return Copy<float>(ref cursor, count);
            case GgufValueType.UInt64: return Copy<ulong>(ref cursor, count);
            case GgufValueType.Int64: return Copy<long>(ref cursor, count);
            case GgufValueType.Float64: return Copy<double>(ref cursor, count);
            case GgufValueType.Bool:
                ReadOnlySpan<byte> bytes = cursor.Take(count, "the array");
                bool[] bools = new bool[count];
                for (int i = 0; i < count; i++) bools[i] = bytes[i] != 0;
                return bools;
            case GgufValueType.String: return DecodeStrings(ref cursor, count);
            default:
                object[] arrays = new object[count];
                for (int i = 0; i < count; i++) arrays[i] = DecodeArray(ref cursor);
                return arrays;
        }
    }

    private static T[] Copy<T>(ref GgufCursor cursor, int count)
        where T : unmanaged
    {
        T[] values = GC.AllocateUninitializedArray<T>(count);
        Span<byte> destination = MemoryMarshal.AsBytes(values.AsSpan());
        cursor.Take(destination.Length, "the array").CopyTo(destination);
        return values;
    }
}
