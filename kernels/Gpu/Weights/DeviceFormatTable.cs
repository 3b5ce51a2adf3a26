using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Gpu.Weights;

/// <summary>
/// In which layout each stored format lies on a card. A format that has none of its own lies in another's where that holds the same values, and otherwise as binary16, which rounds
/// its values to 11 bits: Q4_1, Q5_1, Q2_K, Q3_K, Q8_K, IQ1, IQ2 and IQ3. A new layout is a file in this folder and a line here.
/// </summary>
internal static class DeviceFormatTable
{
    private static readonly DeviceFormat Single = new FloatDeviceFormat<PlainF32>("F32");
    private static readonly DeviceFormat Half = new FloatDeviceFormat<PlainF16>("F16");
    private static readonly DeviceFormat Bytes = new BlockDeviceFormat<BytePlanes>("Q8_0");

    private static readonly Dictionary<string, DeviceFormat> Layouts = new(StringComparer.Ordinal)
    {
        ["F32"] = Single,
        ["F16"] = Half,
        ["BF16"] = new FloatDeviceFormat<PlainBF16>("BF16"),
        ["Q4_0"] = new BlockDeviceFormat<Q4_0Planes>("Q4_0"),
        ["Q5_0"] = Bytes,
        ["Q8_0"] = Bytes,
        ["TQ1_0"] = Bytes,
        ["TQ2_0"] = Bytes,
        ["Q4_K"] = new BlockDeviceFormat<Q4_KPlanes>("Q4_K"),
        ["Q5_K"] = new BlockDeviceFormat<Q5_KPlanes>("Q5_K"),
        ["Q6_K"] = new BlockDeviceFormat<Q6_KPlanes>("Q6_K"),
        ["IQ4_NL"] = new BlockDeviceFormat<IQ4_NLPlanes>("IQ4_NL"),
        ["IQ4_XS"] = new BlockDeviceFormat<IQ4_XSPlanes>("IQ4_XS"),
        ["MXFP4"] = new BlockDeviceFormat<MXFP4Planes>("MXFP4"),
    };

    /// <summary>The layouts, each once.</summary>
    public static IReadOnlyList<DeviceFormat> All { get; } = [.. Layouts.Values.Distinct()];

    /// <summary>The layout of a stored format.</summary>
    /// <param name="format">The format.</param>
    /// <param name="exact">Whether every value stays binary32.</param>
    public static DeviceFormat Of(WeightFormat format, bool exact)
    {
        if (Layouts.TryGetValue(format.Info.Name, out DeviceFormat? layout) && !(exact && layout.TakesBytes)) return layout;
        return exact ? Single : Half;
    }
}
