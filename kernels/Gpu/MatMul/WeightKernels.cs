using ILGPU.Runtime;
using Quern.Kernels.Gpu.Weights;
using GemvLaunch = System.Action<ILGPU.Runtime.AcceleratorStream, ILGPU.KernelConfig, Quern.Kernels.Gpu.DeviceMemory, Quern.Kernels.Gpu.MatMul.GemvArguments>;

namespace Quern.Kernels.Gpu.MatMul;


/// <summary>The kernels that read one layout of weights, each compiled when it is first needed.</summary>
internal abstract class WeightKernels(GpuDevice device)
{
    /// <summary>Most tokens of one launch of <see cref="Gemv"/>.</summary>
    public const int MostTokens = 8;

    private GemvLaunch? _one;
    private GemvLaunch? _two;
    private GemvLaunch? _four;
    private GemvLaunch? _eight;

    protected GpuDevice Device { get; } = device;

    /// <summary>The product with up to <see cref="MostTokens"/> tokens.</summary>
    public GemvLaunch Gemv(int tokens) => tokens switch
    {
        1 => _one ??= LoadGemv<OneToken>(),
        2 => _two ??= LoadGemv<TwoTokens>(),
        <= 4 => _four ??= LoadGemv<FourTokens>(),
        _ => _eight ??= LoadGemv<EightTokens>(),
    };

    protected abstract GemvLaunch LoadGemv<TTokens>()
        where TTokens : unmanaged, ITokenCount;
}

/// <summary>Those of a block format.</summary>
internal sealed class BlockKernels<T>(GpuDevice device) : WeightKernels(device)
    where T : unmanaged, IBlockFormat
{
    protected override GemvLaunch LoadGemv<TTokens>() =>
        Device.Accelerator.LoadKernel<DeviceMemory, GemvArguments>(BlockGemv<T, TTokens>.Kernel);
}

/// <summary>Those of a floating-point format.</summary>
internal sealed class FloatKernels<T>(GpuDevice device) : WeightKernels(device)
    where T : unmanaged, IFloatFormat
{
    protected override GemvLaunch LoadGemv<TTokens>() =>
        Device.Accelerator.LoadKernel<DeviceMemory, GemvArguments>(FloatGemv<T, TTokens>.Kernel);
}
