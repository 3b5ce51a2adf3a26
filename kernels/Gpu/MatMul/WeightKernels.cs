using Quern.Kernels.Gpu.Experts;
using Quern.Kernels.Gpu.Gemm;
using Quern.Kernels.Gpu.Ops;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>The kernels that read one layout of weights.</summary>
internal sealed class WeightKernels
{
    /// <summary>Most tokens of one launch of <see cref="Gemv"/>.</summary>
    public const int MostTokens = 8;

    private readonly GpuKernel<GemvArguments> _one, _two, _four, _eight;
    private readonly GpuKernel<GemmArguments> _gemm32, _gemm64, _gemm128, _warpgroups64, _warpgroups128, _warpgroups256;

    private WeightKernels(
        GpuDevice device, Action<DeviceMemory, EmbedArguments> embed, Action<DeviceMemory, ExpertArguments> experts,
        (Action<DeviceMemory, GemvArguments> One, Action<DeviceMemory, GemvArguments> Two, Action<DeviceMemory, GemvArguments> Four, Action<DeviceMemory, GemvArguments> Eight) gemv,
        (Action<DeviceMemory, GemmArguments> Tokens32, Action<DeviceMemory, GemmArguments> Tokens64, Action<DeviceMemory, GemmArguments> Tokens128) gemm,
        (Action<DeviceMemory, GemmArguments> Tokens64, Action<DeviceMemory, GemmArguments> Tokens128, Action<DeviceMemory, GemmArguments> Tokens256) warpgroups, ActivationForm form)
    {
        Form = form;
        (Embed, Experts) = (new(device, embed), new(device, experts));
        (_one, _two, _four, _eight) = (new(device, gemv.One), new(device, gemv.Two), new(device, gemv.Four), new(device, gemv.Eight));
        (_gemm32, _gemm64, _gemm128) = (new(device, gemm.Tokens32), new(device, gemm.Tokens64), new(device, gemm.Tokens128));
        (_warpgroups64, _warpgroups128, _warpgroups256) = (new(device, warpgroups.Tokens64), new(device, warpgroups.Tokens128), new(device, warpgroups.Tokens256));
    }

    /// <summary>How <see cref="Warpgroups"/> takes activations; <see cref="Gemm"/> takes the same in plain order.</summary>
    public ActivationForm Form { get; }

    /// <summary>Looks rows up.</summary>
    public GpuKernel<EmbedArguments> Embed { get; }

    /// <summary>The product of routed pairs with their experts.</summary>
    public GpuKernel<ExpertArguments> Experts { get; }

    /// <summary>Those of a block format.</summary>
    public static WeightKernels OfBlocks<T>(GpuDevice device)
        where T : unmanaged, IBlockFormat => new(
            device, EmbedBlocks<T>.Kernel, ExpertProducts<BlockRow<T>>.Kernel,
            (TokenGemv<BlockRow<T>>.Kernel, TokensGemv<BlockRow<T>, TwoTokens>.Kernel, TokensGemv<BlockRow<T>, FourTokens>.Kernel, TokensGemv<BlockRow<T>, EightTokens>.Kernel),
            (TensorGemm<BlockPanel<T>, Tokens32>.Kernel, TensorGemm<BlockPanel<T>, Tokens64>.Kernel, TensorGemm<BlockPanel<T>, Tokens128>.Kernel),
            (WarpgroupGemm<BlockPanel<T>, Tokens64>.Kernel, WarpgroupGemm<BlockPanel<T>, Tokens128>.Kernel, WarpgroupGemm<BlockPanel<T>, Tokens256>.Kernel), ActivationForm.Of<BlockPanel<T>>())
        { Ring = new(device, RingGemv<T>.Kernel) };

    /// <summary>Those of a floating-point format.</summary>
    public static WeightKernels OfFloats<T>(GpuDevice device)
        where T : unmanaged, IFloatFormat => new(
            device, EmbedFloats<T>.Kernel, ExpertProducts<FloatRow<T>>.Kernel,
            (TokenGemv<FloatRow<T>>.FloatKernel, TokensGemv<FloatRow<T>, TwoTokens>.Kernel, TokensGemv<FloatRow<T>, FourTokens>.Kernel, TokensGemv<FloatRow<T>, EightTokens>.Kernel),
            (TensorGemm<FloatPanel<T>, Tokens32>.Kernel, TensorGemm<FloatPanel<T>, Tokens64>.Kernel, TensorGemm<FloatPanel<T>, Tokens128>.Kernel),
            (WarpgroupGemm<FloatPanel<T>, Tokens64>.Kernel, WarpgroupGemm<FloatPanel<T>, Tokens128>.Kernel, WarpgroupGemm<FloatPanel<T>, Tokens256>.Kernel), ActivationForm.Of<FloatPanel<T>>());

    /// <summary>The product of many tokens on tensor cores, in groups of 32 times as many tokens as said: 4, 2 or 1.</summary>
    public GpuKernel<GemmArguments> Gemm(int tiles) => tiles switch { 1 => _gemm32, 2 => _gemm64, _ => _gemm128 };

    /// <summary>The same on Hopper: 8, 4 or 2.</summary>
    public GpuKernel<GemmArguments> Warpgroups(int tiles) => tiles switch { 2 => _warpgroups64, 4 => _warpgroups128, _ => _warpgroups256 };

    /// <summary>The product of one token with a block format on Hopper.</summary>
    public GpuKernel<GemvArguments>? Ring { get; private init; }

    /// <summary>The product with up to <see cref="MostTokens"/> tokens.</summary>
    public GpuKernel<GemvArguments> Gemv(int tokens) => tokens switch { 1 => _one, 2 => _two, <= 4 => _four, _ => _eight };
}
