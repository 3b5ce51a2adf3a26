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
        new DotFormat<Q8_0>(),
        new FloatFormat<BF16>(),
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
