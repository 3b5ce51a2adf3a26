using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Gpu.Tests.Device;

/// <summary>How many layers a card takes, and what is said when they do not fit.</summary>
public sealed class OffloadPlanTests
{
    private const long MiB = 1 << 20;

    [Theory]
    [InlineData(1000, GpuComputeDevice.Auto, 4)]
    [InlineData(20, GpuComputeDevice.Auto, 2)]
    [InlineData(1000, GpuComputeDevice.All, 4)]
    [InlineData(1000, 3, 3)]
    [InlineData(1000, 0, 0)]
    public void LayersFitIntoWhatIsFree(long freeMiB, int layers, int expected)
    {
        OffloadPlan plan = OffloadPlan.Of(Model(), layers, freeMiB * MiB);
        Assert.Equal((expected, 4 - expected), (plan.CardLayers, plan.FirstCardLayer));
    }

    [Theory]
    [InlineData(GpuComputeDevice.All, "4 of 4 layers need")]
    [InlineData(3, "3 of 4 layers need")]
    public void WhatDoesNotFitIsRefusedWithNumbers(int layers, string expected)
    {
        GpuException error = Assert.Throws<GpuException>(() => OffloadPlan.Of(Model(), layers, 20 * MiB));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("20 MiB are free, enough for 2", error.Message, StringComparison.Ordinal);
        Assert.Contains("--gpu-layers 2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NothingIsTakenOnlyWhereThatIsAskedFor() => Assert.Throws<GpuException>(() => OffloadPlan.Of(Model(), GpuComputeDevice.Auto, 4 * MiB));

    [Fact]
    public void ADecodersLayersComeBehindItsEncoders()
    {
        List<StoredMatrix> tensors = [.. Model().Tensors.Select(tensor => tensor with { Name = tensor.Name.Replace("blk.0", "enc.blk.0").Replace("blk.1", "enc.blk.1").Replace("blk.2", "dec.blk.0").Replace("blk.3", "dec.blk.1") })];
        BackendRequest both = Model() with { Tensors = [.. tensors, new StoredMatrix("enc.blk.1.more.weight", FormatTable.Find("F16")!, 4096, 1024)] };
        Assert.Equal(2, LayerNames.Of(both.Tensors).EncoderLayers);
        Assert.Equal((3, 1), OffloadPlan.Of(both, 3, 1000 * MiB) is var plan ? (plan.CardLayers, plan.FirstCardLayer) : default);

        // The second of four has 12 MiB, and there is no room for it.
        Assert.Equal(2, OffloadPlan.Of(both, GpuComputeDevice.Auto, 24 * MiB).CardLayers);
        Assert.Equal(3, OffloadPlan.Of(both, GpuComputeDevice.Auto, 30 * MiB).CardLayers);
    }

    [Theory]
    [InlineData("blk.12.attn_q.weight", 0, 12)]
    [InlineData("blk.x.attn_q.weight", 0, LayerNames.Before)]
    [InlineData("token_embd_norm.weight", 0, LayerNames.Before)]
    [InlineData("output.weight", 0, LayerNames.Behind)]
    [InlineData("output_norm.bias", 0, LayerNames.Behind)]
    [InlineData("cls.output.weight", 0, LayerNames.Behind)]
    [InlineData("enc.blk.1.attn_q.weight", 3, 1)]
    [InlineData("enc.output_norm.weight", 3, 2)]
    [InlineData("dec.blk.1.cross_attn_q.weight", 3, 4)]
    [InlineData("dec.output_norm.weight", 3, LayerNames.Behind)]
    public void LayersAreNamed(string tensor, int encoderLayers, int layer) => Assert.Equal(layer, new LayerNames(encoderLayers).LayerOf(tensor));

    // Four layers of 4 MiB with 1 MiB of cache, an output matrix of 2 MiB, a table of 2 MiB.
    private static BackendRequest Model()
    {
        WeightFormat f16 = FormatTable.Find("F16")!;
        List<StoredMatrix> tensors = [new("token_embd.weight", f16, 1024, 1024), new("output.weight", f16, 1024, 1024), new("output_norm.weight", FormatTable.Find("F32")!, 1, 1024)];
        for (int layer = 0; layer < 4; layer++) tensors.Add(new StoredMatrix($"blk.{layer}.w.weight", f16, 2048, 1024));
        return new BackendRequest(ComputeMode.Fast, 4, tensors, MiB, 64);
    }
}
