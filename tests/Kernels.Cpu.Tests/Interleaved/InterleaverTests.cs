using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.Tests.Formats;

namespace Quern.Kernels.Cpu.Tests.Interleaved;

/// <summary>Interleaved rows hold the weights of the stored ones, bit for bit, and little more memory.</summary>
public unsafe class InterleaverTests
{
    public static TheoryData<string> Formats => InterleavedProbe.Formats;

    [TierTheory(IsaTier.Avx2)] // rows are laid with AVX2, on machines that have far more
    [MemberData(nameof(Formats))]
    public void AGroupHoldsTheWeightsOfItsRows(string name)
    {
        Random random = new(5);
        foreach (int rows in new[] { 16, 1, 7 })
            foreach (int blocks in new[] { 1, 3 })
            {
                WeightFormat format = FormatProbe.Find(name);
                int cols = blocks * InterleavedProbe.BlockColumns(format);
                using InterleavedProbe probe = new(format, random, rows, cols);
                for (int row = 0; row < 16; row++)
                    for (int k = 0; k < cols; k++)
                    {
                        float expected = row < rows ? probe.Weights[(row * cols) + k] : InterleavedScalar.Weight(probe.Layout, probe.Groups.Start, 15, 0) * 0;
                        float found = InterleavedScalar.Weight(probe.Layout, probe.Groups.Start, row, k);
                        Assert.True(expected == found, $"{name}, row {row} of {rows}, column {k}: {found:R}, stored is {expected:R}");
                    }
            }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void InterleavingTakesLittleMoreMemory(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        double ratio = format.Interleaved!.GroupBytes(2048) / (16.0 * format.Info.RowBytes(2048));
        Assert.InRange(ratio, 1, name == "Q2_K" ? 1.2 : 1.04); // Q2_K's scales of four bits take a byte here
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(8)]
    public void PiecesOfCodesFillTheirBytesOnce(int bits)
    {
        InterleavedLayout layout = new("any", bits, ScaleKind.Half, 0);
        int[] stored = new int[bits];
        for (int vector = 0; vector < 8; vector++)
        {
            int code = 0;
            foreach (CodePiece piece in layout.Pieces(vector))
            {
                int there = piece.Mask >> piece.To << piece.From;
                Assert.Equal((0, 0), (stored[piece.Source] & there, code & piece.Mask));
                Assert.Equal(code + 1, 1 << piece.To); // each piece goes above those before it, which readers rely on
                (stored[piece.Source], code) = (stored[piece.Source] | there, code | piece.Mask);
            }

            Assert.Equal((1 << bits) - 1, code);
        }

        Assert.All(stored, bytes => Assert.Equal(255, bytes));
    }
}
