using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Selection;
using Quern.Kernels.Gpu.Tests.Machine;
using Quern.TestKit.Oracle;

namespace Quern.Kernels.Gpu.Tests.Selection;

/// <summary>The largest values as the kernels' PTX selects them, in sizes that the simulation is too slow for: many parts, more values above the bound than have a place.</summary>
public sealed unsafe class LargestOnMachineTests : DeviceTests
{
    [Theory]
    [InlineData("random", 40, 300, 32, 10)]
    [InlineData("random", 1, 130, 32, 3)]
    [InlineData("random", 64, 512, 64, 2)]
    [InlineData("random", 3, 1090, 32, 2)]
    [InlineData("ascending", 4, 1060, 32, 1)]
    [InlineData("ties", 60, 300, 64, 5)]
    [InlineData("ties", 33, 90, 96, 1)]
    [InlineData("ascending", 64, 200, 128, 2)]
    [InlineData("equal", 40, 170, 64, 3)]
    [InlineData("no number", 8, 64, 32, 2)]
    [InlineData("nothing", 5, 70, 32, 3)]
    [InlineData("ascending", 7, 5000, 640, 4)]
    [InlineData("equal", 3, 4500, 2208, 4)]
    public void SelectedAsASortWould(string kind, int k, int cols, int partLength, int warps)
    {
        const int Rows = 2;
        int parts = (cols + partLength - 1) / partLength;
        Random random = new(k);
        // The largest are few, so that zeros of both signs are among those that are selected.
        float[] ties = [1.5f, 1.25f, 1e-42f, 0, -0f, 0, -0f, 0, -0f, 0, -0f, 0, -0f, 0, -0f, -1e-42f, float.NegativeInfinity];
        float[] values = [.. Enumerable.Range(0, Rows * cols).Select(i => kind switch
        {
            "random" => (random.NextSingle() * 40) - 20,
            "ties" => ties[random.Next(ties.Length)],
            "ascending" => i * 0.01f,
            "equal" => -7,
            "nothing" => float.NegativeInfinity,
            _ => i % 7 == 0 ? -float.NaN : i % 5 == 0 ? float.PositiveInfinity : i,
        })];
        using GpuDevice device = Devices.Open(GpuKind.Simulated);
        using DeviceArena arena = new(device, 1 << 20);
        Tensor x = new(arena.Take(values.Length * sizeof(float), "x"), Rows, cols, cols), y = new(arena.Take(Rows * 129 * sizeof(float), "y"), Rows, 129, 129);
        arena.Write<float>(x.Address, values);
        nint keys = arena.Take(Rows * parts * (long)sizeof(ulong), "keys"), sums = arena.Take(Rows * parts * sizeof(float), "sums");
        LargestArguments arguments = new(arena.Tensor(x), arena.Tensor(y), k, partLength, parts, arena.Offset(keys), arena.Offset(sums));
        PtxMachine.Run(SelectLargest.Parts, arena, arguments, (parts + 1) / 2, Rows, 64);
        PtxMachine.Run(SelectLargest.Rows, arena, arguments, 1, Rows, 32 * warps);
        float[] got = new float[Rows * 129], expected = new float[Rows * 129];
        arena.Read<float>(y.Address, got);
        using OracleBackend oracle = new();
        fixed (float* source = values, target = expected) oracle.Largest(x with { Address = (nint)source }, k, y with { Address = (nint)target });
        for (int row = 0; row < Rows; row++)
        {
            int first = row * 129;
            Assert.Equal(expected.AsSpan(first + 1, 2 * k).ToArray(), got.AsSpan(first + 1, 2 * k).ToArray());
            if (float.IsFinite(expected[first + 1])) Assert.InRange(got[first], expected[first] * (1 - 1e-5f), expected[first] * (1 + 1e-5f));
        }
    }
}
