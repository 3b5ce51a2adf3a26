using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Tests.Backends;
using Quern.Kernels.Gpu.Tests.Graphs;

namespace Quern.Kernels.Gpu.Tests.Backends;

/// <summary>Experts of so many tokens that their pairs are sorted: routed, multiplied twice and combined, in steps that are recorded and replayed with other tokens.</summary>
public sealed class ManyPairsTests : DeviceTests
{
    private const int Tokens = 4, Experts = 3, TopK = 2, Width = 32, Inner = 64;

    [Theory]
    [InlineData("MXFP4", true)]
    [InlineData("F16", false)]
    public void RecordedStepsRouteAnew(string format, bool biased)
    {
        GpuDevice device = Devices.Open();
        StandIn driver = new();
        if (device.Kind != GpuKind.Cuda) device.UseGraphs(driver);
        using BackendPair pair = new(new GpuBackend(device, ComputeMode.Fast, 64 << 20), 7);
        var up = pair.Matrix(FormatTable.Find(format)!, Experts, Inner, Width);
        var down = pair.Matrix(FormatTable.Find(format)!, Experts, Width, Inner);
        var upBias = pair.Vector(Experts * Inner);
        var downBias = pair.Vector(Experts * Width);
        ExpertRoutes tested = new(Tokens, TopK, Experts), oracle = new(Tokens, TopK, Experts);
        for (int step = 0; step < 4; step++)
        {
            pair.Tested.BeginPass();
            pair.Oracle.BeginPass();
            var logits = pair.Values(Tokens, Experts);
            var x = pair.Values(Tokens, Width);
            var inner = pair.Empty(Tokens * TopK, Inner);
            var outer = pair.Empty(Tokens * TopK, Width);
            var y = pair.Empty(Tokens, Width);
            foreach ((Backend backend, ExpertRoutes routes, Func<(Tensor Tested, Tensor Oracle), Tensor> side, Func<(WeightMatrix Tested, WeightMatrix Oracle), WeightMatrix> matrix, Func<(WeightVector Tested, WeightVector Oracle), WeightVector> vector) in new[]
            {
                (pair.Tested, tested, t => t.Tested, m => m.Tested, v => v.Tested),
                ((Backend)pair.Oracle, oracle, (Func<(Tensor Tested, Tensor Oracle), Tensor>)(t => t.Oracle), (Func<(WeightMatrix Tested, WeightMatrix Oracle), WeightMatrix>)(m => m.Oracle), (Func<(WeightVector Tested, WeightVector Oracle), WeightVector>)(v => v.Oracle)),
            })
            {
                backend.Route(side(logits), new RouteOptions(TopK, true, 1), routes);
                backend.MatMulExperts(side(x), true, matrix(up), biased ? vector(upBias) : null, routes, side(inner));
                backend.MatMulExperts(side(inner), false, matrix(down), biased ? vector(downBias) : null, routes, side(outer));
                backend.CombineExperts(side(outer), routes, side(y));
            }

            // Route, sort, twice activations and product, combine.
            Assert.Equal(7, device.Steps!.Launches.Count);
            pair.AssertClose(y.Tested, y.Oracle, 2e-2);
        }

        if (device.Kind != GpuKind.Cuda) Assert.Equal(3, driver.Launched);
    }
}
