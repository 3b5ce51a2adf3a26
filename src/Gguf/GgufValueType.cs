// CA1720: the members are named as the specification names the types.
#pragma warning disable CA1720

namespace Quern.Gguf;

/// <summary>
/// The type of a metadata value. Source: the GGUF specification (ggml/docs/gguf.md), <c>gguf_metadata_value_type</c>.
/// </summary>
public enum GgufValueType
{
    /// <summary>A byte.</summary>
    UInt8 = 0,

    /// <summary>A signed byte.</summary>
    Int8 = 1,

    /// <summary>16 bits, unsigned.</summary>
    UInt16 = 2,

    /// <summary>16 bits, signed.</summary>
    Int16 = 3,

    /// <summary>32 bits, unsigned.</summary>
    UInt32 = 4,

    /// <summary>32 bits, signed.</summary>
    Int32 = 5,

    /// <summary>IEEE 754 binary32.</summary>
    Float32 = 6,

    /// <summary>A byte that is 0 or 1.</summary>
    Bool = 7,

    /// <summary>A 64-bit length and that many bytes of UTF-8.</summary>
    String = 8,

    /// <summary>An element type, a 64-bit count and the elements, which may be arrays themselves.</summary>
    Array = 9,

    /// <summary>64 bits, unsigned.</summary>
    UInt64 = 10,

    /// <summary>64 bits, signed.</summary>
    Int64 = 11,

    /// <summary>IEEE 754 binary64.</summary>
    Float64 = 12,
}

/// <summary>What reader and writer both know about value types.</summary>
internal static class GgufValueTypes
{
    /// <summary>A key and a tensor name are at most this many bytes (specification: 2¹⁶ − 1 for keys).</summary>
    public const int LongestName = 65535;

    /// <summary>The longest string that .NET holds; llama.cpp stops at 2³⁰.</summary>
    public const int LongestString = 0x3FFF_FFDF;

    /// <summary>Arrays in arrays in arrays; real files have at most two levels.</summary>
    public const int DeepestNesting = 8;

    /// <summary>Bytes of a value of fixed size, or 0 for strings and arrays.</summary>
    public static int FixedBytes(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Bool => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 => 8,
        _ => 0,
    };

    /// <summary>The fewest bytes that a value takes in a file: an empty string has its length, an empty array its type and count.</summary>
    public static int FewestBytes(GgufValueType type) => type switch
    {
        GgufValueType.String => 8,
        GgufValueType.Array => 12,
        _ => FixedBytes(type),
    };

    /// <summary>The short name that GGUF tools print.</summary>
    public static string ShortName(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 => "u8",
        GgufValueType.Int8 => "i8",
        GgufValueType.UInt16 => "u16",
        GgufValueType.Int16 => "i16",
        GgufValueType.UInt32 => "u32",
        GgufValueType.Int32 => "i32",
        GgufValueType.Float32 => "f32",
        GgufValueType.Bool => "bool",
        GgufValueType.String => "str",
        GgufValueType.Array => "arr",
        GgufValueType.UInt64 => "u64",
        GgufValueType.Int64 => "i64",
        _ => "f64",
    };

    /// <summary>The GGUF type of a .NET type, or null. Every array type of an array type, and <c>object[]</c>, is an array of arrays.</summary>
    public static GgufValueType? Of(Type type) =>
        type.IsArray ? GgufValueType.Array
        : type == typeof(byte) ? GgufValueType.UInt8
        : type == typeof(sbyte) ? GgufValueType.Int8
        : type == typeof(ushort) ? GgufValueType.UInt16
        : type == typeof(short) ? GgufValueType.Int16
        : type == typeof(uint) ? GgufValueType.UInt32
        : type == typeof(int) ? GgufValueType.Int32
        : type == typeof(float) ? GgufValueType.Float32
        : type == typeof(bool) ? GgufValueType.Bool
        : type == typeof(string) ? GgufValueType.String
        : type == typeof(ulong) ? GgufValueType.UInt64
        : type == typeof(long) ? GgufValueType.Int64
        : type == typeof(double) ? GgufValueType.Float64
        : null;
}
