using Quern.Kernels.Gpu.Experts;
using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Ops;
using Quern.Kernels.Gpu.Recurrent;
using Quern.Kernels.Gpu.Selection;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Tests.Ptx;

/// <summary>The small operations.</summary>
internal static partial class KernelTable
{
    private static void Small(Dictionary<string, KernelRule> all)
    {
        all.Add("LayerNorm", new(LayerNorm.Kernel, 40));
        all.Add("RopeAngles", new(Rope.Angles, 40));
        all.Add("Rope", new(Rope.Turn, 40));
        all.Add("Elementwise", new(Elementwise.Kernel, 40));
        all.Add("Gather", new(RowCopies.Gather, 32));
        all.Add("CopyHeads", new(RowCopies.Heads, 32));
        all.Add("Pad", new(RowCopies.Pad, 32));
        all.Add("Embed Q4_K", new(EmbedBlocks<Q4_KPlanes>.Kernel, 64) { Needs = [(WideLoad, 1)] });
        all.Add("Embed F16", new(EmbedFloats<PlainF16>.Kernel, 40) { Needs = [(WideLoad, 1)] });
        all.Add("Route", new(RouteTokens.Kernel, 48));
        all.Add("SortPairs", new(SortPairs.Kernel, 40));
        all.Add("Experts Q4_K", new(ExpertProducts<BlockRow<Q4_KPlanes>>.Kernel, 96) { Needs = [(WideLoad, 2), (ByteProduct, 16)] });
        all.Add("Experts MXFP4", new(ExpertProducts<BlockRow<MXFP4Planes>>.Kernel, 96) { Needs = [(WideLoad, 2), (ByteProduct, 16)] });
        all.Add("Experts F16", new(ExpertProducts<FloatRow<PlainF16>>.Kernel, 80) { Needs = [(WideLoad, 2)] });
        all.Add("Largest parts", new(SelectLargest.Parts, 64));
        all.Add("Largest", new(SelectLargest.Rows, 64) { Needs = [(@"atom\.(shared\.)?add", 1)] });
        all.Add("CombinePairs", new(CombinePairs.Kernel, 40));
        all.Add("ShiftRows", new(ShiftRows.Kernel, 48));
        all.Add("CausalConvolution", new(CausalConvolution.Kernel, 64));
        all.Add("SelectiveScan", new(SelectiveScan.Kernel, 80));
        all.Add("OuterProductScan", new(OuterProductScan.Kernel, 80));
    }
}
