namespace Quern.Gguf;

/// <summary>A way in which ggml stores the values of a tensor.</summary>
/// <param name="Id">The number in a GGUF tensor entry.</param>
/// <param name="Name">The name as GGUF spells it, for example <c>Q4_K</c>.</param>
/// <param name="BlockLength">Values in one block; the first dimension of a tensor is a multiple of it.</param>
/// <param name="BlockBytes">Bytes of one block.</param>
public sealed record GgmlType(int Id, string Name, int BlockLength, int BlockBytes)
{
    /// <summary>Bytes of <paramref name="elementCount"/> values, a multiple of <see cref="BlockLength"/>.</summary>
    public long Bytes(long elementCount) => checked(elementCount / BlockLength * BlockBytes);
}

/// <summary>
/// Every ggml tensor type that a GGUF file may name: what a reader has to know to find the end of a tensor. Whether Quern can compute with a type
/// is said by the formats of the kernels. Source: the enumeration <c>ggml_type</c> of ggml/include/ggml.h and the block sizes in
/// gguf-py/gguf/constants.py.
/// </summary>
public static class GgmlTypes
{
    private static readonly (int Id, string Name, string Advice)[] Removed =
    [
        (4, "Q4_2", "quantize the model again from its original weights"),
        (5, "Q4_3", "quantize the model again from its original weights"),
        (31, "Q4_0_4_4", "use a Q4_0 file: rows are interleaved when a model is loaded"),
        (32, "Q4_0_4_8", "use a Q4_0 file: rows are interleaved when a model is loaded"),
        (33, "Q4_0_8_8", "use a Q4_0 file: rows are interleaved when a model is loaded"),
        (36, "IQ4_NL_4_4", "use an IQ4_NL file: rows are interleaved when a model is loaded"),
        (37, "IQ4_NL_4_8", "use an IQ4_NL file: rows are interleaved when a model is loaded"),
        (38, "IQ4_NL_8_8", "use an IQ4_NL file: rows are interleaved when a model is loaded"),
    ];

    /// <summary>The types, in the order of their number.</summary>
    public static IReadOnlyList<GgmlType> All { get; } =
    [
        new(0, "F32", 1, 4),
        new(1, "F16", 1, 2),
        new(2, "Q4_0", 32, 18),
        new(3, "Q4_1", 32, 20),
        new(6, "Q5_0", 32, 22),
        new(7, "Q5_1", 32, 24),
        new(8, "Q8_0", 32, 34),
        new(9, "Q8_1", 32, 36),
        new(10, "Q2_K", 256, 84),
        new(11, "Q3_K", 256, 110),
        new(12, "Q4_K", 256, 144),
        new(13, "Q5_K", 256, 176),
        new(14, "Q6_K", 256, 210),
        new(15, "Q8_K", 256, 292),
        new(16, "IQ2_XXS", 256, 66),
        new(17, "IQ2_XS", 256, 74),
        new(18, "IQ3_XXS", 256, 98),
        new(19, "IQ1_S", 256, 50),
        new(20, "IQ4_NL", 32, 18),
        new(21, "IQ3_S", 256, 110),
        new(22, "IQ2_S", 256, 82),
        new(23, "IQ4_XS", 256, 136),
        new(24, "I8", 1, 1),
        new(25, "I16", 1, 2),
        new(26, "I32", 1, 4),
        new(27, "I64", 1, 8),
        new(28, "F64", 1, 8),
        new(29, "IQ1_M", 256, 56),
        new(30, "BF16", 1, 2),
        new(34, "TQ1_0", 256, 54),
        new(35, "TQ2_0", 256, 66),
        new(39, "MXFP4", 32, 17),
        new(40, "NVFP4", 64, 36),
        new(41, "Q1_0", 128, 18),
        new(42, "Q2_0", 64, 18),
    ];

    private static readonly GgmlType?[] ById = Index();

    /// <summary>The type with a number, or null.</summary>
    public static GgmlType? Find(int id) => (uint)id < (uint)ById.Length ? ById[id] : null;

    /// <summary>The type with a name (any case), or null.</summary>
    public static GgmlType? Find(string name)
    {
        foreach (GgmlType type in All)
            if (string.Equals(type.Name, name, StringComparison.OrdinalIgnoreCase)) return type;
        return null;
    }

    /// <summary>Why a number is not in the table: one line for an error.</summary>
    internal static string WhyUnknown(uint id)
    {
        foreach ((int Id, string Name, string Advice) removed in Removed)
            if (removed.Id == id) return $"type {id} ({removed.Name}) was removed from GGUF; {removed.Advice}";
        return $"type {id} is not known; expected a ggml type from 0 (F32) to {All[^1].Id} ({All[^1].Name})";
    }

    private static GgmlType?[] Index()
    {
        GgmlType?[] byId = new GgmlType?[All[^1].Id + 1];
        foreach (GgmlType type in All) byId[type.Id] = type;
        return byId;
    }
}
