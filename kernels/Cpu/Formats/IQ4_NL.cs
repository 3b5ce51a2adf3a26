using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 32 values in 18 bytes, <c>w = d × codebook[q]</c>, with 16 unevenly spaced codes that fit normally distributed weights.
/// Bytes: 0 d, binary16; 2…17 q, of value i in the low nibble of byte 2 + i, of value 16 + i in its high nibble.
/// Source: ggml, block_iq4_nl and kvalues_iq4nl in ggml-common.h; ggml type 20.
/// </summary>
internal readonly unsafe struct IQ4_NL : IByteCodes
{
    private const int Bytes = 18, Packed = 2;

    public static FormatInfo Info { get; } = new("IQ4_NL", 20, 32, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of32;

    public static int BlocksPerWideStep => 2;

    /// <summary>The code of each nibble, ascending.</summary>
    public static ReadOnlySpan<sbyte> Codebook => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            float d = Scale(blocks);
            for (int i = 0; i < 16; i++)
            {
                values[i] = d * Codebook[blocks[Packed + i] & 15];
                values[16 + i] = d * Codebook[blocks[Packed + i] >> 4];
            }
        }
    }

    public static void Decode(byte* blocks, long blockCount, float* values) => ByteCodes.Decode<IQ4_NL>(blocks, blockCount, values);

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* a = x.Q + (32 * index);
        int sum = 0;
        for (int i = 0; i < 16; i++) sum += (Codebook[block[Packed + i] & 15] * a[i]) + (Codebook[block[Packed + i] >> 4] * a[16 + i]);
        return Scale(block) * x.D[index] * sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum) => ByteDot.Accumulate(
        ByteDot.Signed(Codes(block), Vector256.Load(x.Q + (32 * index))), Scale(block), x.D[index], sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Step(byte* block, in Q8Vector x, int index, Vector512<float> sum)
    {
        Vector512<byte> q = ByteCodes.Nibbles(block + Packed, block + Bytes + Packed);
        Vector512<sbyte> codes = Avx512BW.Shuffle(ByteCodes.Repeat512(Codebook), q.AsSByte());
        Vector512<int> products = ByteDot.Signed(codes, Vector512.Load(x.Q + (32 * index)));
        return ByteDot.AccumulatePair(products, Scale(block), Scale(block + Bytes), x.D + index, sum);
    }

    // The plain mapping of the peak to the end of the range is poor for uneven codes, so a scale is searched for even without importance.
    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        sbyte* codes = stackalloc sbyte[32];
        float* ones = stackalloc float[32];
        new Span<float>(ones, 32).Fill(1);
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            new Span<sbyte>(codes, 32).Fill(1);
            Unsafe.WriteUnaligned(blocks, ScaleSearch.Search<UnevenCodes>(values, importance == null ? ones : importance, 0, codes));
            for (int i = 0; i < 16; i++) blocks[Packed + i] = (byte)(Codebook.IndexOf(codes[i]) | (Codebook.IndexOf(codes[16 + i]) << 4));
            if (importance != null) importance += 32;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(byte* block) => Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Codes(byte* block) =>
        Avx2.Shuffle(ByteCodes.Repeat256(Codebook), ByteCodes.Nibbles(block + Packed).AsSByte());

    private readonly struct UnevenCodes : ICodeRange
    {
        public static float Lowest => -127;

        public static float Highest => 113;

        // Begins at the lowest code and climbs a step wherever the value lies above the middle between two codes.
        public static Vector256<float> Nearest(Vector256<float> values)
        {
            Vector256<float> code = Vector256.Create(Lowest);
            for (int i = 1; i < 16; i++)
            {
                Vector256<float> middle = Vector256.Create((Codebook[i - 1] + Codebook[i]) * 0.5f);
                Vector256<float> step = Vector256.Create((float)(Codebook[i] - Codebook[i - 1]));
                code += Vector256.GreaterThan(values, middle) & step;
            }

            return code;
        }
    }
}
