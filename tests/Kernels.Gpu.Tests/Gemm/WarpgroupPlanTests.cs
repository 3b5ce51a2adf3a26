using Quern.Kernels.Gpu.Gemm;

namespace Quern.Kernels.Gpu.Tests.Gemm;

/// <summary>How products are divided on a card of 132 multiprocessors.</summary>
public sealed class WarpgroupPlanTests
{
    [Theory]
    [InlineData(512, 28672, 8, 25344, 4)] // 198 · 2 groups in three turns, then 26 · 4 in one
    [InlineData(512, 4096, 4, 4096, 4)] // 128 groups
    [InlineData(512, 1024, 2, 1024, 2)] // 64 groups
    [InlineData(64, 28672, 2, 28672, 2)]
    [InlineData(33, 3, 2, 3, 2)]
    [InlineData(2048, 14336, 8, 14336, 8)] // seven turns either way
    public void RowsAndTiles(int tokens, int rows, int tiles, int first, int restTiles)
    {
        WarpgroupPlan plan = new(tokens, rows, 132);
        Assert.Equal((tiles, first, restTiles), (plan.Tiles, plan.Rows, plan.RestTiles));
    }
}
