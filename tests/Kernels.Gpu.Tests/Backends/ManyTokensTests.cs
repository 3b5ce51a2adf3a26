using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Tests.Backends;
using Quern.Kernels.Gpu.Tests.Graphs;

namespace Quern.Kernels.Gpu.Tests.Backends;

/// <summary>Numbers of tokens that take kernels for 1, 2, 4 and 8 and more than one launch; numbers of rows that leave a warp half of its work.</summary>
public sealed class ManyTokensTests : DeviceTests
{
    [Theory]
    [InlineData("Q4_0", 2, 64)]
    [InlineData("Q8_0", 5, 96)]
    [InlineData("Q4_K", 9, 256)]
    [InlineData("Q6_K", 4, 2560)]
    [InlineData("F16", 11, 40)]
    [InlineData("BF16", 1, 1100)]
    public void ProductsOfSeveralTokens(string format, int tokens, int cols)
    {
        using BackendPair pair = new(new GpuBackend(Devices.Open(), ComputeMode.Fast, 64 << 20), tokens);
        pair.Tested.BeginPass();
        pair.Oracle.BeginPass();
        var w = pair.Matrix(FormatTable.Find(format)!, 1, 3, cols);
        var bias = pair.Vector(3);
        var x = pair.Values(tokens, cols);
        var y = pair.Empty(tokens, 3);
        pair.Tested.MatMul(x.Tested, w.Tested, bias.Tested, y.Tested);
        pair.Oracle.MatMul(x.Oracle, w.Oracle, bias.Oracle, y.Oracle);
        pair.AssertClose(y.Tested, y.Oracle, 5e-2);
    }

    [Fact]
    public void WhatChoosesExpertsIsNotRounded()
    {
        const int Tokens = 17, Cols = 40;
        GpuDevice device = Devices.Open();
        if (device.Kind != GpuKind.Cuda) device.UseGraphs(new StandIn());
        using BackendPair pair = new(new GpuBackend(device, ComputeMode.Fast, 64 << 20), Tokens);
        pair.Tested.BeginPass();
        pair.Oracle.BeginPass();
        var w = pair.Matrix(FormatTable.Find("F32")!, 1, 3, Cols);
        var x = pair.Values(Tokens, Cols);
        var y = pair.Empty(Tokens, 3);
        pair.Tested.MatMul(x.Tested, w.Tested, null, y.Tested);
        Assert.Equal(1, device.Steps!.Launches.Count);
        pair.Oracle.MatMul(x.Oracle, w.Oracle, null, y.Oracle);
        pair.AssertClose(y.Tested, y.Oracle, 1e-5);
    }

    [Theory]
    [InlineData("Q8_0", 1, 32, 37, 2)]
    [InlineData("F16", 2, 24, 28, 1)]
    [InlineData("F16", 9, 20, 21, 2)]
    public void HeadsAndEightsOfTokensShareALaunch(string format, int tokens, int cols, int apart, int launches)
    {
        const int Heads = 3, Rows = 3, ApartInY = 5;
        GpuDevice device = Devices.Open();
        if (device.Kind != GpuKind.Cuda) device.UseGraphs(new StandIn());
        using BackendPair pair = new(new GpuBackend(device, ComputeMode.Fast, 64 << 20), tokens);
        pair.Tested.BeginPass();
        pair.Oracle.BeginPass();
        var w = pair.Matrix(FormatTable.Find(format)!, Heads, Rows, cols);
        var x = pair.Values(tokens, ((Heads - 1) * apart) + cols);
        var y = pair.Values(tokens, ((Heads - 1) * ApartInY) + Rows);
        pair.Tested.MatMulHeads(x.Tested, apart, w.Tested, y.Tested, ApartInY);
        Assert.Equal(launches, device.Steps!.Launches.Count);
        pair.Oracle.MatMulHeads(x.Oracle, apart, w.Oracle, y.Oracle, ApartInY);
        pair.AssertClose(y.Tested, y.Oracle, 5e-2);
    }

    [Fact]
    public void RowsOfEveryLayoutAreLookedUp()
    {
        using BackendPair pair = new(new GpuBackend(Devices.Open(), ComputeMode.Fast, 64 << 20), 1);
        int[] ids = [4, 0, 3];
        foreach (WeightFormat format in FormatTable.All)
        {
            pair.Tested.BeginPass();
            pair.Oracle.BeginPass();
            var table = pair.Matrix(format, 1, 5, 256);
            var y = pair.Empty(3, 256);
            pair.Tested.Embed(table.Tested, ids, y.Tested);
            pair.Oracle.Embed(table.Oracle, ids, y.Oracle);
            pair.AssertClose(y.Tested, y.Oracle, 2e-3);
        }
    }
}
