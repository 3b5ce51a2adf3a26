using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Ops;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Tests.Ptx;

/// <summary>What a kernel must be once it is compiled.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="MostRegisters">Its budget: 64 leave a multiprocessor 32 warps, 128 leave it 16.</param>
internal sealed record KernelRule(Delegate Kernel, int MostRegisters)
{
    /// <summary>Patterns that its PTX has to hold, and how often at least.</summary>
    public (string Pattern, int Least)[] Needs { get; init; } = [];

    /// <summary>Bytes of registers that may be in local memory, where that costs less than fewer warps.</summary>
    public int MostSpilled { get; init; }
}

/// <summary>Every kernel of the room, by name. A new kernel is a line here.</summary>
internal static partial class KernelTable
{
    private const string WideLoad = @"ld\.global\.nc\.L1::no_allocate\.v4\.u32", ByteProduct = @"dp4a\.[su]32\.s32", SharedLoad = @"ld\.shared\.v4\.u32", Wide = @"ld\.global\.v4";

    public static IReadOnlyDictionary<string, KernelRule> All { get; } = Collect();

    private static Dictionary<string, KernelRule> Collect()
    {
        Dictionary<string, KernelRule> all = new()
        {
            ["RmsNorm"] = new(RmsNorm.Kernel, 80),
            ["QuantiseActivations"] = new(QuantiseActivations.Kernel, 40),
        };
        Blocks<Q4_0Planes>(all, "Q4_0", 1);
        Blocks<BytePlanes>(all, "Q8_0", 2);
        Blocks<Q4_KPlanes>(all, "Q4_K", 1);
        Blocks<Q5_KPlanes>(all, "Q5_K", 1);
        Blocks<Q6_KPlanes>(all, "Q6_K", 1);
        Blocks<IQ4_NLPlanes>(all, "IQ4_NL", 1);
        Blocks<IQ4_XSPlanes>(all, "IQ4_XS", 1);
        Blocks<MXFP4Planes>(all, "MXFP4", 1);
        Floats<PlainF32>(all, "F32");
        Floats<PlainF16>(all, "F16");
        Floats<PlainBF16>(all, "BF16");
        Tensor(all);
        Small(all);
        return all;
    }

    // For one token two pieces of two rows are in hand and the next ones are being read: 4 · 8 byte products; for several, two rows, 16 byte products each token.
    private static void Blocks<T>(Dictionary<string, KernelRule> all, string name, int loads)
        where T : unmanaged, IBlockFormat
    {
        all.Add($"Gemv {name} 1", new(TokenGemv<BlockRow<T>>.Kernel, 128) { Needs = [(WideLoad, 12 * loads), (ByteProduct, 64), (Wide, 8)] });
        all.Add($"Ring {name}", new(RingGemv<T>.Kernel, 128) { Needs = [(CopyLater, 5), (SharedLoad, 4 * loads), (ByteProduct, 32), (Wide, 4)] });
        all.Add($"Gemv {name} 2", new(TokensGemv<BlockRow<T>, TwoTokens>.Kernel, 128) { Needs = [(WideLoad, 2 * loads), (ByteProduct, 32), (Wide, 4)] });
        all.Add($"Gemv {name} 4", new(TokensGemv<BlockRow<T>, FourTokens>.Kernel, 128) { Needs = [(WideLoad, 2 * loads), (ByteProduct, 64), (Wide, 8)] });
        all.Add($"Gemv {name} 8", new(TokensGemv<BlockRow<T>, EightTokens>.Kernel, 144) { Needs = [(WideLoad, 2 * loads), (ByteProduct, 128), (Wide, 16)] });
    }

    private static void Floats<T>(Dictionary<string, KernelRule> all, string name)
        where T : unmanaged, IFloatFormat
    {
        all.Add($"Gemv {name} 1", new(TokenGemv<FloatRow<T>>.FloatKernel, 80) { Needs = [(WideLoad, 12), (Wide, 4)] });
        all.Add($"Gemv {name} 8", new(TokensGemv<FloatRow<T>, EightTokens>.Kernel, 128) { Needs = [(WideLoad, 2), (Wide, 8)] });
    }
}
