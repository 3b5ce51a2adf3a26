using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>The kernels of keys and values of two types.</summary>
internal abstract class AttentionKernels
{
    /// <summary>Stores keys and values.</summary>
    public abstract GpuKernel<StoreArguments> Store { get; }

    /// <summary>Attention of single rows, 1, 2 or 4 query heads together.</summary>
    public abstract GpuKernel<AttentionArguments> Rows(int together, KvRows keys);

    /// <summary>Attention of prompts on tensor cores, of heads of 128 values or 64.</summary>
    public abstract GpuKernel<FlashArguments> Prompt(int length);

    /// <summary>Those of two types.</summary>
    public static AttentionKernels Create(GpuDevice device, KvType keys, KvType values) => keys switch
    {
        KvType.F32 => OfValues<KvF32>(device, values),
        KvType.F16 => OfValues<KvF16>(device, values),
        KvType.BF16 => OfValues<KvBF16>(device, values),
        KvType.Q8_0 => OfValues<KvQ8_0>(device, values),
        _ => OfValues<KvQ4_0>(device, values),
    };

    private static AttentionKernels OfValues<TKeys>(GpuDevice device, KvType values)
        where TKeys : unmanaged, IKvFormat => values switch
        {
            KvType.F32 => new AttentionKernels<TKeys, KvF32>(device),
            KvType.F16 => new AttentionKernels<TKeys, KvF16>(device),
            KvType.BF16 => new AttentionKernels<TKeys, KvBF16>(device),
            KvType.Q8_0 => new AttentionKernels<TKeys, KvQ8_0>(device),
            _ => new AttentionKernels<TKeys, KvQ4_0>(device),
        };
}

/// <inheritdoc cref="AttentionKernels"/>
internal sealed class AttentionKernels<TKeys, TValues>(GpuDevice device) : AttentionKernels
    where TKeys : unmanaged, IKvFormat
    where TValues : unmanaged, IKvFormat
{
    private readonly GpuKernel<AttentionArguments> _one = new(device, IsWide ? PagedAttention<TKeys, TValues, OneHead>.WideKernel : PagedAttention<TKeys, TValues, OneHead>.OneKernel);
    private readonly GpuKernel<AttentionArguments> _two = new(device, IsWide ? PagedAttention<TKeys, TValues, TwoHeads>.WideKernel : PagedAttention<TKeys, TValues, TwoHeads>.Kernel);
    private readonly GpuKernel<AttentionArguments> _four = new(device, IsWide ? PagedAttention<TKeys, TValues, FourHeads>.WideKernel : PagedAttention<TKeys, TValues, FourHeads>.Kernel);
    private readonly GpuKernel<AttentionArguments> _long = new(device, PagedAttention<TKeys, TValues, LongHeads>.WideKernel);
    private readonly GpuKernel<FlashArguments> _prompt64 = new(device, FlashPrompt<TKeys, TValues, Head64>.Kernel);
    private readonly GpuKernel<FlashArguments> _prompt128 = new(device, FlashPrompt<TKeys, TValues, Head128>.Kernel);

    private static bool IsWide => typeof(TKeys) == typeof(KvF32) || typeof(TValues) == typeof(KvF32);

    public override GpuKernel<StoreArguments> Store { get; } = new(device, StoreKv<TKeys, TValues>.Kernel);

    public override GpuKernel<AttentionArguments> Rows(int together, KvRows keys) => keys.Pieces > PagedAttention.WarpPieces ? _long : together switch { 1 => _one, 2 => _two, _ => _four };

    public override GpuKernel<FlashArguments> Prompt(int length) => length == 64 ? _prompt64 : _prompt128;
}
