using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.Tests.Formats;

public unsafe class ScaleSearchTests
{
    [Fact]
    public void TheNearestUnevenCodeIsTheNearest()
    {
        for (float value = -140; value <= 125; value += 0.0625f)
        {
            float code = IQ4_NL.UnevenCodes.Nearest(Vector256.Create(value)).GetElement(3);
            Assert.True(IQ4_NL.Codebook.Contains((sbyte)code), $"{code} is no code");
            foreach (sbyte other in IQ4_NL.Codebook)
                Assert.True(Math.Abs(value - code) <= Math.Abs(value - other), $"{value}: {code}, but {other} is nearer");
        }
    }

    [Fact]
    public void ValuesThatTheFormatHoldsAreFoundExactly()
    {
        Random random = new(8);
        float* values = stackalloc float[32], importance = stackalloc float[32];
        sbyte* codes = stackalloc sbyte[32];
        for (int round = 0; round < 50; round++)
        {
            float scale = Float16.ToSingle((ushort)random.Next(0x1000, 0x5000));
            for (int i = 0; i < 32; i++)
            {
                values[i] = scale * (i == 5 ? -8 : random.Next(-8, 8));
                importance[i] = (float)random.NextDouble() + 0.1f;
            }

            Assert.Equal(scale, Float16.ToSingle(ScaleSearch.Quantize<Signed4>(values, importance, codes)));
            for (int i = 0; i < 32; i++) Assert.Equal(values[i], scale * codes[i]);
        }
    }

    [Fact]
    public void ImportanceDecidesWhichValueIsMet()
    {
        // Nine tenths of the peak lie between two codes of the plain scale; all the weight on them moves the scale so that they are met.
        float* values = stackalloc float[32], importance = stackalloc float[32];
        sbyte* codes = stackalloc sbyte[32];
        for (int i = 0; i < 32; i++)
        {
            values[i] = i == 0 ? -8 : 6.52f;
            importance[i] = i == 0 ? 1e-6f : 1;
        }

        ushort plain = ScaleSearch.Quantize<Signed4>(values, null, codes);
        double plainError = Math.Abs((Float16.ToSingle(plain) * codes[1]) - 6.52);
        ushort searched = ScaleSearch.Quantize<Signed4>(values, importance, codes);
        double searchedError = Math.Abs((Float16.ToSingle(searched) * codes[1]) - 6.52);
        Assert.True(plainError > 0.4 && searchedError < 0.01, $"{plainError} and {searchedError}");
    }
}
