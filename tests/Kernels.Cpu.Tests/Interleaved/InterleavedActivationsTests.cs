using Quern.Kernels.Cpu.Interleaved;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Interleaved;

/// <summary>Quantised activations are the same bytes, scalar and 512 bits wide, for ordinary and for hostile numbers.</summary>
public unsafe class InterleavedActivationsTests
{
    private static readonly float[] Hostile = [0, -0f, 1e-45f, -1e-40f, 1e38f, -3e38f, float.PositiveInfinity, float.NaN, 0.5f, -127, 126.5f];

    [TierTheory(IsaTier.Avx512)]
    [InlineData(0, false)]
    [InlineData(8, false)]
    [InlineData(128, false)]
    [InlineData(32, true)]
    public void EveryWidthWritesTheSameBytes(int offset, bool perSixteen)
    {
        Random random = new(8);
        for (int round = 0; round < 60; round++)
        {
            int cols = 32 * random.Next(1, 5), tokens = random.Next(1, 4);
            using GuardedMemory x = new(cols * sizeof(float)), wide = new(cols / 32 * tokens * InterleavedActivations.BlockBytes), scalar = new(wide.Length);
            float* values = (float*)x.Start;
            for (int i = 0; i < cols; i++)
                values[i] = round % 3 == 0 && random.Next(4) == 0 ? Hostile[random.Next(Hostile.Length)] : (float)(random.NextDouble() - 0.5) * MathF.Pow(2, random.Next(-20, 20));
            wide.Span.Fill(0x77);
            scalar.Span.Fill(0x77);
            int token = random.Next(tokens) * InterleavedActivations.BlockBytes;
            InterleavedActivations.Quantize(values, cols, offset, perSixteen, tokens, wide.Start + token);
            InterleavedActivations.QuantizeScalar(values, cols, offset, perSixteen, tokens, scalar.Start + token);
            Assert.Equal(scalar.Span.ToArray(), wide.Span.ToArray());
        }
    }
}
