namespace Quern.Kernels.Cpu.Formats;

/// <summary>Every weight format that Quern reads. A new format is a file in this folder and a line here; tests and drivers enumerate the table.</summary>
public static class FormatTable
{
    /// <summary>The formats, in the order of their ggml type number.</summary>
    public static IReadOnlyList<WeightFormat> All { get; } =
    [
        new FloatFormat<F32>(),
        new FloatFormat<F16>(),
        new DotFormat<Q4_0>(),
        new DotFormat<Q4_1>(),
        new DotFormat<Q5_0>(),
        new DotFormat<Q5_1>(),
        new DotFormat<Q8_0>(),
        new DotFormat<Q2_K>(),
        new DotFormat<Q3_K>(),
        new DotFormat<Q4_K>(),
        new DotFormat<Q5_K>(),
        new DotFormat<Q6_K>(),
        new DecodedFormat<Q8_K>(),
        new DecodedFormat<IQ2_XXS>(),
        new DecodedFormat<IQ2_XS>(),
        new DecodedFormat<IQ3_XXS>(),
        new DecodedFormat<IQ1_S>(),
        new DotFormat<IQ4_NL>(),
        new DecodedFormat<IQ3_S>(),
        new DecodedFormat<IQ2_S>(),
        new DotFormat<IQ4_XS>(),
        new DecodedFormat<IQ1_M>(),
        new FloatFormat<BF16>(),
        new DecodedFormat<TQ1_0>(),
        new DecodedFormat<TQ2_0>(),
        new DotFormat<MXFP4>(),
    ];

    /// <summary>The format with a ggml type number, or null.</summary>
    public static WeightFormat? Find(int typeId)
    {
        foreach (WeightFormat format in All)
            if (format.Info.TypeId == typeId) return format;
        return null;
    }

    /// <summary>The format with a name as GGUF spells it (any case), or null.</summary>
    public static WeightFormat? Find(string name)
    {
        foreach (WeightFormat format in All)
            if (string.Equals(format.Info.Name, name, StringComparison.OrdinalIgnoreCase)) return format;
        return null;
    }
}
