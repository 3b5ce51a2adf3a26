using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu.Tests.Ptx;

/// <summary>Binary16 without PTX, beside the processor's conversions.</summary>
public sealed class HalvesTests
{
    [Fact]
    public void NumbersAreRoundedAsTheProcessorRoundsThem()
    {
        // Every binary16, the middle to the next one, and what is a little less and more.
        for (int bits = 0; bits <= 0x7c00; bits++)
        {
            float value = Float16.ToSingle((ushort)bits), middle = bits < 0x7bff ? (value + Float16.ToSingle((ushort)(bits + 1))) / 2 : 65520;
            foreach (float x in new[] { value, middle, MathF.BitDecrement(middle), MathF.BitIncrement(middle) })
            {
                Assert.Equal(Float16.FromSingle(x), Narrow.ToHalf(x));
                Assert.Equal(Float16.FromSingle(-x), Narrow.ToHalf(-x));
            }
        }

        Assert.Equal(0x7c00u, Narrow.ToHalf(1e30f));
        Assert.Equal(0xfc00u, Narrow.ToHalf(float.NegativeInfinity));
        Assert.True(float.IsNaN(Float16.ToSingle((ushort)Narrow.ToHalf(float.NaN))));
        Assert.Equal(0xbc004000u, Narrow.ToHalves(2, -1));
    }

    [Fact]
    public void HalvesAreWidenedAsTheProcessorWidensThem()
    {
        for (uint bits = 0; bits < 0x10000; bits++)
            if ((bits & 0x7c00) != 0x7c00) Assert.Equal(BitConverter.SingleToUInt32Bits(Float16.ToSingle((ushort)bits)), BitConverter.SingleToUInt32Bits(Lane.Widen(bits | 0x12340000)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(128)]
    public void BytesAreScaledAndRoundedOnce(uint centre)
    {
        float scale = 0.4375f, addend = -3.5f;
        uint twice = Narrow.ToHalves(scale, scale), added = Narrow.ToHalves(addend, addend);
        for (uint first = 0; first < 256; first += 4)
        {
            uint bytes = first | ((first + 1) << 8) | ((first + 2) << 16) | ((first + 3) << 24);
            for (uint i = 0; i < 4; i++)
            {
                uint both = Lane.ScaledBytes(bytes, i / 2, centre, twice, added);
                Assert.Equal(Float16.FromSingle((((int)(first + i) - (int)centre) * scale) + addend), (ushort)(i % 2 == 0 ? both : both >> 16));
            }
        }
    }
}
