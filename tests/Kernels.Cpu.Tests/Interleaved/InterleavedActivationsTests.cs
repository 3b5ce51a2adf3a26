using Quern.Kernels.Cpu.Interleaved;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Interleaved;

/// <summary>Quantised activations are the same bytes, scalar, 256 and 512 bits wide, for ordinary and for hostile numbers.</summary>
public unsafe class InterleavedActivationsTests
{
    private static readonly float[] Hostile = [0, -0f, 1e-45f, -1e-40f, 1e38f, -3e38f, float.PositiveInfinity, float.NaN, 0.5f, -127, 126.5f];

    [TierTheory(IsaTier.Avx2)]
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
            using GuardedMemory x = new(cols * sizeof(float)), scalar = new(cols / 32 * tokens * InterleavedActivations.BlockBytes), narrow = new(scalar.Length), wide = new(scalar.Length);
            float* values = (float*)x.Start;
            for (int i = 0; i < cols; i++)
                values[i] = round % 3 == 0 && random.Next(4) == 0 ? Hostile[random.Next(Hostile.Length)] : (float)(random.NextDouble() - 0.5) * MathF.Pow(2, random.Next(-20, 20));
            foreach (GuardedMemory memory in new[] { scalar, narrow, wide }) memory.Span.Fill(0x77);
            int token = random.Next(tokens) * InterleavedActivations.BlockBytes;
            InterleavedActivations.QuantizeScalar(values, cols, offset, perSixteen, tokens, scalar.Start + token);
            InterleavedActivations.QuantizeAvx2(values, cols, offset, perSixteen, tokens, narrow.Start + token);
            Assert.Equal(scalar.Span.ToArray(), narrow.Span.ToArray());
            if (!Isa.HasAvx512) continue;
            InterleavedActivations.QuantizeAvx512(values, cols, offset, perSixteen, tokens, wide.Start + token);
            Assert.Equal(scalar.Span.ToArray(), wide.Span.ToArray());
        }
    }
}
