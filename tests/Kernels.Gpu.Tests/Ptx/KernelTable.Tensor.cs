using Quern.Kernels.Gpu.Attention;
using Quern.Kernels.Gpu.Gemm;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Tests.Ptx;

/// <summary>Products on tensor cores, and attention.</summary>
internal static partial class KernelTable
{
    private const string Mma = @"mma\.sync\.aligned\.m16n8k16", LoadMatrix = @"ldmatrix\.sync\.aligned\.m8n8\.x4", CopyLater = @"cp\.async\.cg";
    private const string Warpgroup = @"wgmma\.mma_async\.sync\.aligned\.m64n";

    private static void Tensor(Dictionary<string, KernelRule> all)
    {
        all.Add("NarrowActivations", new(NarrowActivations.BrainKernel, 32));
        all.Add("NarrowActivations F16", new(NarrowActivations.HalfKernel, 40));
        all.Add("TensorPeak", new(TensorPeak.Kernel, 128) { Needs = [(Mma, 16)] });
        all.Add("WarpgroupPeak", new(WarpgroupPeak.Kernel, 192) { Needs = [(Warpgroup + "256k16", 8)] });
        Gemm<FloatPanel<PlainF32>>(all, "F32");
        Gemm<FloatPanel<PlainF16>>(all, "F16");
        Gemm<FloatPanel<PlainBF16>>(all, "BF16");
        Gemm<BlockPanel<Q4_0Planes>>(all, "Q4_0");
        Gemm<BlockPanel<BytePlanes>>(all, "Q8_0");
        Gemm<BlockPanel<Q4_KPlanes>>(all, "Q4_K");
        Gemm<BlockPanel<Q5_KPlanes>>(all, "Q5_K");
        Gemm<BlockPanel<Q6_KPlanes>>(all, "Q6_K");
        Gemm<BlockPanel<IQ4_NLPlanes>>(all, "IQ4_NL");
        Gemm<BlockPanel<IQ4_XSPlanes>>(all, "IQ4_XS");
        Gemm<BlockPanel<MXFP4Planes>>(all, "MXFP4");
        Rows<KvF32>(all, "F32");
        Rows<KvF16>(all, "F16");
        Rows<KvBF16>(all, "BF16");
        Rows<KvQ8_0>(all, "Q8_0");
        Rows<KvQ4_0>(all, "Q4_0");
    }

    // 128 registers leave a multiprocessor two groups of 256 threads.
    private static void Gemm<T>(Dictionary<string, KernelRule> all, string name)
        where T : unmanaged, IWeightPanel
    {
        Warpgroups<T>(all, name);
        all.Add($"Gemm {name} 128", new(TensorGemm<T, Tokens128>.Kernel, 128) { Needs = [(Mma, 64), (LoadMatrix, 24), (CopyLater, 8)] });
        all.Add($"Gemm {name} 64", new(TensorGemm<T, Tokens64>.Kernel, 128) { Needs = [(Mma, 32), (LoadMatrix, 16), (CopyLater, 4)] });
        all.Add($"Gemm {name} 32", new(TensorGemm<T, Tokens32>.Kernel, 128) { Needs = [(Mma, 16), (LoadMatrix, 12), (CopyLater, 2)] });
    }

    private static void Warpgroups<T>(Dictionary<string, KernelRule> all, string name)
        where T : unmanaged, IWeightPanel
    {
        all.Add($"Warpgroups {name} 256", new(WarpgroupGemm<T, Tokens256>.Kernel, 255) { Needs = [(Warpgroup + "256k16", 8), (CopyLater, 32)] });
        all.Add($"Warpgroups {name} 128", new(WarpgroupGemm<T, Tokens128>.Kernel, 192) { Needs = [(Warpgroup + "128k16", 8), (CopyLater, 16)] });
        all.Add($"Warpgroups {name} 64", new(WarpgroupGemm<T, Tokens64>.Kernel, 168) { Needs = [(Warpgroup + "64k16", 8), (CopyLater, 8)] });
    }

    private static void Rows<T>(Dictionary<string, KernelRule> all, string name)
        where T : unmanaged, IKvFormat
    {
        all.Add($"StoreKv {name}", new(StoreKv<T, T>.Kernel, 48));
        all.Add($"Prompt {name} 128", new(FlashPrompt<T, T, Head128>.Kernel, 168) { Needs = [(Mma, 64), (LoadMatrix, 40)] });
        all.Add($"Prompt {name} 64", new(FlashPrompt<T, T, Head64>.Kernel, 168) { Needs = [(Mma, 32), (LoadMatrix, 20)] });
        all.Add($"Attention {name} 1", name == "F32" ? new(PagedAttention<T, T, OneHead>.WideKernel, 192) : new(PagedAttention<T, T, OneHead>.OneKernel, 96));
        all.Add($"Attention {name} 2", name == "F32" ? new(PagedAttention<T, T, TwoHeads>.WideKernel, 192) : new(PagedAttention<T, T, TwoHeads>.Kernel, 128));
        all.Add($"Attention {name} 4", name == "F32" ? new(PagedAttention<T, T, FourHeads>.WideKernel, 192) : new(PagedAttention<T, T, FourHeads>.Kernel, 128));
        all.Add($"Attention {name} long", new(PagedAttention<T, T, LongHeads>.WideKernel, 240));
    }
}
