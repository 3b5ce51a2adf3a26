using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Numerics;

namespace Quern.Kernels.Cpu.Tests.Numerics;

public sealed class NumericsTests
{
    [Fact]
    public void EveryBinary16IsTheHalfOfTheFramework()
    {
        for (int i = 0; i < 65536; i++)
        {
            float expected = (float)(double)BitConverter.UInt16BitsToHalf((ushort)i);
            float actual = Float16.ToSingle((ushort)i);
            if (float.IsNaN(expected)) Assert.True(float.IsNaN(actual));
            else Assert.Equal(BitConverter.SingleToInt32Bits(expected), BitConverter.SingleToInt32Bits(actual));
            if (!float.IsFinite(expected)) continue;
            Assert.Equal(expected, Float16.ToSingle(Vector256.Create(i)).GetElement(3));
            Assert.Equal(expected, Float16.ToSingle(Vector512.Create(i)).GetElement(12));
            Assert.Equal((ushort)i, Float16.FromSingle(expected));
        }
    }

    [Fact]
    public unsafe void WideningKeepsEveryFiniteBinary16()
    {
        ushort[] bits = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i).Where(i => (i & 0x7c00) != 0x7c00)];
        float[] values = new float[bits.Length];
        fixed (ushort* source = bits)
        fixed (float* target = values)
            Float16.Widen(source, bits.Length, target);
        for (int i = 0; i < bits.Length; i++)
            Assert.Equal(BitConverter.SingleToInt32Bits(Float16.ToSingle(bits[i])), BitConverter.SingleToInt32Bits(values[i]));
    }

    [Fact]
    public void RoundingToBinary16IsTheFrameworks()
    {
        Random random = new(1);
        for (int i = 0; i < 300_000; i++)
        {
            float value = i % 3 == 0 ? BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)) : (float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-30, 20)));
            if (float.IsNaN(value)) Assert.Equal(0x7c00, Float16.FromSingle(value) & 0x7c00);
            else Assert.Equal(BitConverter.HalfToUInt16Bits((Half)(double)value), Float16.FromSingle(value));
        }
    }

    [Fact]
    public unsafe void ManyValuesAreRoundedAsOne()
    {
        Random random = new(2);
        float[] hostile = [0, -0f, 1e-45f, 6e-8f, -2.9e-8f, 6.1e-5f, 65504, 65519.996f, 65520, -1e38f, float.PositiveInfinity, float.NegativeInfinity, float.NaN];
        for (int count = 0; count < 70; count++)
        {
            float[] values = [.. Enumerable.Range(0, count).Select(i => i % 3 == 0 ? hostile[random.Next(hostile.Length)] : (float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-30, 20))))];
            ushort[] narrowed = new ushort[count + 1];
            fixed (float* source = values)
            fixed (ushort* target = narrowed)
                Float16.Narrow(source, count, target);
            Assert.Equal([.. values.Select(Float16.FromSingle), (ushort)0], narrowed);
        }
    }

    [Theory]
    [InlineData(1f, 0x3f80)]
    [InlineData(-2.5f, 0xc020)]
    [InlineData(1.00390625f, 0x3f80)]
    [InlineData(1.01171875f, 0x3f82)]
    [InlineData(float.PositiveInfinity, 0x7f80)]
    public void Bfloat16RoundsToEven(float value, int bits) => Assert.Equal(bits, BrainFloat16.FromSingle(value));

    [Fact]
    public void ExpAndTanhAreCloseToTheFrameworks()
    {
        for (float x = -100; x <= 88.5f; x += 0.0137f)
        {
            double expected = Math.Exp(x), actual = VectorMath.Exp(Vector512.Create(x)).ToScalar();
            Assert.True(x < -87.3f ? actual < 1.3e-38 : Math.Abs(actual - expected) <= 3e-7 * expected, $"e^{x} = {expected}, not {actual}");
            Assert.Equal(Math.Tanh(x), VectorMath.Tanh(Vector512.Create(x)).ToScalar(), 3e-7);
        }

        Assert.Equal(float.PositiveInfinity, VectorMath.Exp(Vector512.Create(90f)).ToScalar());
        Assert.Equal(0, VectorMath.Exp(Vector512.Create(float.NegativeInfinity)).ToScalar());
        Assert.True(float.IsNaN(VectorMath.Exp(Vector512.Create(float.NaN)).ToScalar()));
        Assert.Equal(1, VectorMath.Exp(Vector512.Create(0f)).ToScalar());
    }
}
