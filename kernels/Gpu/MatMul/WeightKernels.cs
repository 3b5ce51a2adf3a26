using Quern.Kernels.Gpu.Experts;
using Quern.Kernels.Gpu.Gemm;
using Quern.Kernels.Gpu.Ops;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>The kernels that read one layout of weights.</summary>
internal abstract class WeightKernels
{
    /// <summary>Most tokens of one launch of <see cref="Gemv"/>.</summary>
    public const int MostTokens = 8;

    /// <summary>The product of many tokens on tensor cores, in groups of 32 times as many tokens as said: 4, 2 or 1.</summary>
    public abstract GpuKernel<GemmArguments> Gemm(int tiles);

    /// <summary>Looks rows up.</summary>
    public abstract GpuKernel<EmbedArguments> Embed { get; }

    /// <summary>The product of routed pairs with their experts.</summary>
    public abstract GpuKernel<ExpertArguments> Experts { get; }

    /// <summary>The product with up to <see cref="MostTokens"/> tokens.</summary>
    public abstract GpuKernel<GemvArguments> Gemv(int tokens);
}

/// <summary>Those of a block format.</summary>
internal sealed class BlockKernels<T>(GpuDevice device) : WeightKernels
    where T : unmanaged, IBlockFormat
{
    private readonly GpuKernel<GemvArguments> _one = new(device, BlockGemv<T, OneToken>.Kernel);
    private readonly GpuKernel<GemvArguments> _two = new(device, BlockGemv<T, TwoTokens>.Kernel);
    private readonly GpuKernel<GemvArguments> _four = new(device, BlockGemv<T, FourTokens>.Kernel);
    private readonly GpuKernel<GemvArguments> _eight = new(device, BlockGemv<T, EightTokens>.Kernel);
    private readonly GpuKernel<GemmArguments> _gemm32 = new(device, TensorGemm<BlockPanel<T>, Tokens32>.Kernel);
    private readonly GpuKernel<GemmArguments> _gemm64 = new(device, TensorGemm<BlockPanel<T>, Tokens64>.Kernel);
    private readonly GpuKernel<GemmArguments> _gemm128 = new(device, TensorGemm<BlockPanel<T>, Tokens128>.Kernel);

    public override GpuKernel<EmbedArguments> Embed { get; } = new(device, EmbedBlocks<T>.Kernel);

    public override GpuKernel<ExpertArguments> Experts { get; } = new(device, BlockExperts<T>.Kernel);

    public override GpuKernel<GemmArguments> Gemm(int tiles) => tiles switch { 1 => _gemm32, 2 => _gemm64, _ => _gemm128 };

    public override GpuKernel<GemvArguments> Gemv(int tokens) => tokens switch { 1 => _one, 2 => _two, <= 4 => _four, _ => _eight };
}

/// <summary>Those of a floating-point format.</summary>
internal sealed class FloatKernels<T>(GpuDevice device) : WeightKernels
    where T : unmanaged, IFloatFormat
{
    private readonly GpuKernel<GemvArguments> _one = new(device, FloatGemv<T, OneToken>.Kernel);
    private readonly GpuKernel<GemvArguments> _two = new(device, FloatGemv<T, TwoTokens>.Kernel);
    private readonly GpuKernel<GemvArguments> _four = new(device, FloatGemv<T, FourTokens>.Kernel);
    private readonly GpuKernel<GemvArguments> _eight = new(device, FloatGemv<T, EightTokens>.Kernel);
    private readonly GpuKernel<GemmArguments> _gemm32 = new(device, TensorGemm<FloatPanel<T>, Tokens32>.Kernel);
    private readonly GpuKernel<GemmArguments> _gemm64 = new(device, TensorGemm<FloatPanel<T>, Tokens64>.Kernel);
    private readonly GpuKernel<GemmArguments> _gemm128 = new(device, TensorGemm<FloatPanel<T>, Tokens128>.Kernel);

    public override GpuKernel<EmbedArguments> Embed { get; } = new(device, EmbedFloats<T>.Kernel);

    public override GpuKernel<ExpertArguments> Experts { get; } = new(device, FloatExperts<T>.Kernel);

    public override GpuKernel<GemmArguments> Gemm(int tiles) => tiles switch { 1 => _gemm32, 2 => _gemm64, _ => _gemm128 };

    public override GpuKernel<GemvArguments> Gemv(int tokens) => tokens switch { 1 => _one, 2 => _two, <= 4 => _four, _ => _eight };
}
