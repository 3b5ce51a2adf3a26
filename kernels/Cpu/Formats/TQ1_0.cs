using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Formats.Grids;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 1.69 bits a weight: <c>w = d × t</c>, t in {−1, 0, 1}. A byte q holds digits t + 1 of a fraction to base 3, rounded up to 1/256:
/// digit n is <c>(q × 3ⁿ mod 256) × 3 / 256</c>. Block of 256 in 54 bytes: 32 bytes of five digits, whose digit n is value 32n + byte;
/// 16 bytes of five, value 160 + 16n + byte; 4 bytes of four, value 240 + 4n + byte; d (binary16).
/// Source: ggml type 34, block_tq1_0.
/// </summary>
internal readonly unsafe struct TQ1_0 : IWeightFormat
{
    public static FormatInfo Info { get; } = new("TQ1_0", 34, 256, 54);

    /// <summary>3ⁿ.</summary>
    private static ReadOnlySpan<byte> Powers => [1, 3, 9, 27, 81];

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (byte* end = blocks + (54 * blockCount); blocks < end; blocks += 54, values += 256)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + 52));
            for (int i = 0; i < 52; i++)
            {
                (int first, int stride, int digits) = Place(i);
                for (int n = 0; n < digits; n++)
                    values[first + (n * stride)] = (((byte)(blocks[i] * Powers[n]) * 3 >> 8) - 1) * d;
            }
        }
    }

    public static void Decode(byte* blocks, long blockCount, float* values)
    {
        if (!Isa.HasAvx2)
        {
            DecodeScalar(blocks, blockCount, values);
            return;
        }

        // The last four bytes have four digits each: lane n × 4 + byte takes its own power.
        Vector256<ushort> lastPowers = Vector256.Create((ushort)1, 1, 1, 1, 3, 3, 3, 3, 9, 9, 9, 9, 27, 27, 27, 27);
        for (byte* end = blocks + (54 * blockCount); blocks < end; blocks += 54, values += 256)
        {
            Vector256<float> d = Vector256.Create(Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + 52)));
            Vector256<ushort> low = Avx2.ConvertToVector256Int16(blocks).AsUInt16();
            Vector256<ushort> high = Avx2.ConvertToVector256Int16(blocks + 16).AsUInt16();
            Vector256<ushort> short16 = Avx2.ConvertToVector256Int16(blocks + 32).AsUInt16();
            for (int n = 0; n < 5; n++)
            {
                Vector256<ushort> power = Vector256.Create((ushort)Powers[n]);
                Store16(low * power, d, values + (32 * n));
                Store16(high * power, d, values + (32 * n) + 16);
                Store16(short16 * power, d, values + 160 + (16 * n));
            }

            Vector128<byte> last = Vector128.Create(Unsafe.ReadUnaligned<uint>(blocks + 48)).AsByte();
            Store16(Avx2.ConvertToVector256Int16(last).AsUInt16() * lastPowers, d, values + 240);
        }
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        TernarySearch search = new();
        Span<sbyte> digits = stackalloc sbyte[256];
        for (long i = 0; i < blockCount; i++, blocks += 54)
        {
            ushort d = search.Encode(
                new ReadOnlySpan<float>(values + (256 * i), 256),
                importance == null ? [] : new ReadOnlySpan<float>(importance + (256 * i), 256),
                digits);
            for (int b = 0; b < 52; b++)
            {
                (int first, int stride, int count) = Place(b);
                int number = 0;
                for (int n = 0; n < 5; n++) number = (number * 3) + (n < count ? digits[first + (n * stride)] + 1 : 0);
                blocks[b] = (byte)(((number * 256) + 242) / 243);
            }

            Unsafe.WriteUnaligned(blocks + 52, d);
        }
    }

    /// <summary>The place of a byte's digits among the block's values.</summary>
    private static (int First, int Stride, int Digits) Place(int index) => index switch
    {
        < 32 => (index, 32, 5),
        < 48 => (160 + index - 32, 16, 5),
        _ => (240 + index - 48, 4, 4),
    };

    /// <summary>Writes the digit on top of sixteen fractions, whose low 8 bits count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store16(Vector256<ushort> fractions, Vector256<float> d, float* values)
    {
        Vector256<ushort> digits = Vector256.ShiftRightLogical((fractions & Vector256.Create((ushort)255)) * Vector256.Create((ushort)3), 8);
        Vector256<short> ternary = digits.AsInt16() - Vector256<short>.One;
        (Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(ternary.GetLower())) * d).Store(values);
        (Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(ternary.GetUpper())) * d).Store(values + 8);
    }
}
