using Quern.Kernels.Cpu.Attention;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.Tests.Tiles;

/// <summary>That prompts do take the tile unit where there is one: other kernels give results too, and nothing else would notice.</summary>
public sealed unsafe class TilePathTests : IDisposable
{
    private const int Rows = 32, Cols = 256;

    private readonly ThreadTeam _team = new(2);

    public void Dispose() => _team.Dispose();

    /// <summary>
    /// A token of one 1 and many 2⁻⁹: eight bits with one scale lose the small ones, bfloat16 numbers keep them. So a product tells how its activations were placed.
    /// </summary>
    [TierTheory(IsaTier.Amx)]
    [InlineData(31, false)]
    [InlineData(32, true)]
    [InlineData(70, true)]
    public void ProductsOfPromptsKeepSmallActivations(int tokens, bool kept)
    {
        const float Small = 1f / 512;
        WeightFormat format = FormatTable.Find("Q8_0")!;
        float[] ones = [.. Enumerable.Repeat(1f, Rows * Cols)];
        byte[] blocks = new byte[format.Info.RowBytes(Cols) * Rows];
        format.Quantize(ones, [], blocks);
        fixed (byte* target = blocks)
        {
            using CpuBackend backend = new(_team);
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

    [Theory]
    [InlineData(64, 4, 8, true)]
    [InlineData(64, 4, 7, false)]
    [InlineData(64, 1, 32, true)]
    [InlineData(48, 4, 100, false)]
    public void AttentionOfPromptsIsServed(int keyLength, int group, int tokens, bool served) =>
        Assert.Equal(served, TileAttention.Serves(new KvLayer(2, keyLength, 64), 2 * group, [new SequenceRun(0, 1, 0, 0, 1), new SequenceRun(1, tokens, 0, 1, 9)]));
}
