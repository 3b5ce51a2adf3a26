using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.Tests.Interleaved;

/// <summary>That products do take the kernels over interleaved rows where they may: others give results too, and nothing else would notice.</summary>
public sealed unsafe class InterleavedPathTests : IDisposable
{
    private const int Rows = 40, Cols = 256;

    private readonly ThreadTeam _team = new(2);

    public static TheoryData<string> BlockFormats => InterleavedKernelTests.BlockFormats;

    public void Dispose() => _team.Dispose();

    /// <summary>
    /// A token of one 1 and many 2⁻⁹: eight bits with one scale lose the small ones, panels of binary32 numbers keep them. So a prompt's product tells how it was computed. (From 32 tokens on
    /// the tile unit would keep them too.)
    /// </summary>
    [TierTheory(IsaTier.Avx2)]
    [InlineData(12, ComputeMode.Fast, true, false)]
    [InlineData(31, ComputeMode.Fast, true, false)]
    [InlineData(31, ComputeMode.Fast, false, true)]
    [InlineData(31, ComputeMode.Exact, true, true)]
    public void ProductsOfPromptsLoseSmallActivations(int tokens, ComputeMode mode, bool repack, bool kept)
    {
        const float Small = 1f / 512;
        WeightFormat format = FormatTable.Find("Q8_0")!;
        float[] ones = [.. Enumerable.Repeat(1f, Rows * Cols)];
        byte[] blocks = new byte[format.Info.RowBytes(Cols) * Rows];
        format.Quantize(ones, [], blocks);
        fixed (byte* target = blocks)
        {
            using CpuBackend backend = new(_team, mode, repack);
            WeightMatrix matrix = backend.BindMatrix("w", format, 1, Rows, Cols, (nint)target);
            backend.BeginPass();
            Tensor x = backend.Take(tokens, Cols), y = backend.Take(tokens, Rows);
            for (int t = 0; t < tokens; t++)
                for (int k = 0; k < Cols; k++) x.Row(t)[k] = k % 32 == 0 ? 1 : Small;
            backend.MatMul(x, matrix, null, y);
            float large = Cols / 32, all = large + ((Cols - large) * Small);
            for (int t = 0; t < tokens; t++)
                foreach (float value in y.Row(t)) Assert.Equal(kept ? all : large, value, 0.05f);
        }
    }

    [TierTheory(IsaTier.Avx2)]
    [MemberData(nameof(BlockFormats))]
    public void WeightsOfEveryTierWithKernelsAreCopied(string name)
    {
        using CpuBackend fast = new(_team), exact = new(_team, ComputeMode.Exact), asStored = new(_team, repack: false);
        WeightFormat format = FormatTable.Find(name)!;
        Assert.True(fast.Copies(format, Cols, MatrixUse.Product));
        Assert.False(exact.Copies(format, Cols, MatrixUse.Product));
        Assert.False(asStored.Copies(format, Cols, MatrixUse.Product));
    }
}
