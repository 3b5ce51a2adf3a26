using Quern.Kernels.Cpu.Formats;
using Quern.TestKit;

namespace Quern.Kernels.Cpu.Tests.Formats;

public unsafe class FormatDecodeTests
{
    public static TheoryData<string> All => FormatProbe.Names(_ => true);

    public static TheoryData<string> FloatFormats => FormatProbe.Names(f => f is IFloatRows);

    [Fact]
    public void NamesAndNumbersAreUniqueAndFindTheirFormat()
    {
        foreach (WeightFormat format in FormatTable.All)
        {
            Assert.Same(format, FormatTable.Find(format.Info.TypeId));
            Assert.Same(format, FormatTable.Find(format.Info.Name.ToLowerInvariant()));
        }

        Assert.Null(FormatTable.Find("Q9_Z"));
        Assert.Null(FormatTable.Find(-1));
    }

    [SharedTheory]
    [MemberData(nameof(All))]
    public void DecodesGoldenBlocksBitForBit(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        if (!Directory.Exists(SharedData.Path("golden", "quants", name)))
        {
            Assert.Contains(name, FormatProbe.WithoutGoldenBlocks);
            return;
        }

        byte[] blocks = File.ReadAllBytes(SharedData.Path("golden", "quants", name, "blocks.bin"));
        float[] expected = SharedData.ReadFloats("golden", "quants", name, "values.f32");
        Assert.Equal(expected.Length, blocks.Length / format.Info.BlockBytes * format.Info.BlockLength);
        float[] scalar = new float[expected.Length], vector = new float[expected.Length];
        fixed (byte* source = blocks)
        fixed (float* first = scalar, second = vector)
        {
            format.DecodeScalar(source, blocks.Length / format.Info.BlockBytes, first);
            format.Decode(source, blocks.Length / format.Info.BlockBytes, second);
        }

        AssertSameBits(expected, scalar);
        AssertSameBits(expected, vector);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void DecodeGivesTheBitsOfScalarAndStaysInside(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        FormatInfo info = format.Info;
        Random random = new(11);
        foreach (int blockCount in info.BlockLength == 1 ? Enumerable.Range(1, 35) : [1, 2, 3, 4, 5, 9])
            foreach (int shift in new[] { -1, 0, 1, 3 })
            {
                int bytes = blockCount * info.BlockBytes, count = blockCount * info.BlockLength;
                using GuardedMemory blocks = new(bytes + Math.Max(shift, 0), atEnd: shift < 0);
                using GuardedMemory values = new(count * sizeof(float), atEnd: shift < 0);
                byte* source = blocks.Start + Math.Max(shift, 0);
                FormatProbe.Fill(format, random, source, blockCount);
                float[] expected = new float[count];
                fixed (float* destination = expected) format.DecodeScalar(source, blockCount, destination);
                format.Decode(source, blockCount, (float*)values.Start);
                AssertSameBits(expected, new ReadOnlySpan<float>(values.Start, count));
            }
    }

    [Theory]
    [MemberData(nameof(FloatFormats))]
    public void EveryPatternOfAFloatFormatLoadsAlikeAtEveryWidth(string name)
    {
        WeightFormat format = FormatProbe.Find(name);
        Random random = new(5);
        int count = 65536 + 13;
        byte[] row = new byte[count * format.Info.BlockBytes];
        random.NextBytes(row);
        if (format.Info.BlockBytes == 2)
            for (int i = 0; i < 65536; i++) BitConverter.TryWriteBytes(row.AsSpan(2 * i), (ushort)i);
        float[] expected = new float[count], actual = new float[count];
        fixed (byte* source = row)
        fixed (float* first = expected, second = actual)
        {
            format.DecodeScalar(source, count, first);
            foreach (IsaTier tier in Enum.GetValues<IsaTier>())
            {
                if (tier > Isa.Detected) continue;
                Array.Clear(actual);
                ((IFloatRows)format).LoadRow(tier, source, count, second);
                // A NaN stays a NaN, but a multiplication may set its quiet bit.
                for (int i = 0; i < count; i++)
                    Assert.True(SameBits(expected[i], actual[i]) || (float.IsNaN(expected[i]) && float.IsNaN(actual[i])), $"{tier}, pattern {i}");
            }
        }
    }

    private static bool SameBits(float a, float b) => BitConverter.SingleToInt32Bits(a) == BitConverter.SingleToInt32Bits(b);

    private static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        for (int i = 0; i < expected.Length; i++)
            Assert.True(SameBits(expected[i], actual[i]), $"value {i}: expected {expected[i]:R}, got {actual[i]:R}");
    }
}
