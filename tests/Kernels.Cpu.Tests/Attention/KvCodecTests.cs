using Quern.Kernels.Cpu.Attention;
using Quern.TestKit;
using Quern.TestKit.Oracle;

namespace Quern.Kernels.Cpu.Tests.Attention;

/// <summary>Keys and values on their way to a page and back, against what the oracle says is left of them, on memory that ends at a guard page.</summary>
public sealed unsafe class KvCodecTests
{
    public static TheoryData<KvType> Types => [.. Enum.GetValues<KvType>()];

    [Theory]
    [MemberData(nameof(Types))]
    public void AllTokensOfAPageComeBackAsStored(KvType type)
    {
        Random random = new(3);
        foreach (int length in new[] { 32, 64, 96 })
        {
            float[][] tokens = [.. Enumerable.Range(0, KvLayout.PageTokens).Select(token => Values(random, token, length))];
            using GuardedMemory source = new(length * sizeof(float)), keys = new((int)KvCodec.Bytes(type, length)), values = new(keys.Length);
            using GuardedMemory scratch = new(length * KvLayout.PageTokens * sizeof(float));
            keys.Span.Fill(0xff);
            values.Span.Fill(0xff);
            foreach (int token in Enumerable.Range(0, KvLayout.PageTokens).OrderBy(_ => random.Next()))
            {
                tokens[token].CopyTo(new Span<float>(source.Start, length));
                KvCodec.StoreKey(type, (float*)source.Start, length, keys.Start, token);
                KvCodec.StoreValue(type, (float*)source.Start, length, length, values.Start, token);
            }

            float* wide = KvCodec.WidenKeys(type, keys.Start, length, (float*)scratch.Start);
            for (int token = 0; token < KvLayout.PageTokens; token++)
                Assert.Equal(OracleKvCache.Stored(type, tokens[token]), Enumerable.Range(0, length).Select(i => wide[(i * KvLayout.PageTokens) + token]));
            wide = KvCodec.WidenValues(type, values.Start, length, (float*)scratch.Start);
            for (int token = 0; token < KvLayout.PageTokens; token++)
                Assert.Equal(OracleKvCache.Stored(type, tokens[token]), new ReadOnlySpan<float>(wide + (token * length), length).ToArray());
        }
    }

    [Theory]
    [InlineData(KvType.F32, 128)]
    [InlineData(KvType.F16, 64)]
    [InlineData(KvType.BF16, 64)]
    [InlineData(KvType.Q8_0, 34)]
    [InlineData(KvType.Q4_0, 18)]
    public void ABlockTakesTheBytesOfItsFormat(KvType type, int bytes) => Assert.Equal(bytes * KvLayout.PageTokens, KvCodec.Bytes(type, KvCodec.Block));

    // Zeros, numbers that no binary16 scale reaches down to, large ones, and one far number among small ones.
    private static float[] Values(Random random, int token, int length)
    {
        float size = (token % 6) switch { 0 => 0, 1 => 1e-9f, 2 => 3e4f, _ => 2 };
        float[] values = [.. Enumerable.Range(0, length).Select(_ => size * (float)((2 * random.NextDouble()) - 1))];
        if (token % 6 == 5) values[random.Next(length)] = token % 12 == 5 ? 700 : -700;
        return values;
    }
}
