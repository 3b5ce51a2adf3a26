using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 32 values in 17 bytes, <c>w = 2^(e − 127) × f(q)</c> with f the E2M1 numbers 0, ½, 1, 1½, 2, 3, 4, 6 and their negatives. Here the codes are 2f,
/// whole numbers, and the scale is half as large.
/// Bytes: 0 e (E8M0); 1…16 q, of value i in the low nibble of byte 1 + i, of value 16 + i in its high nibble.
/// Source: Open Compute Project, "OCP Microscaling Formats (MX) Specification" 1.0, 2023; ggml, block_mxfp4 in ggml-common.h; ggml type 39.
/// ggml reads e = 255 (NaN in the specification) as 2^128, halved as 2^127; so does this.
/// </summary>
internal readonly unsafe struct MXFP4 : IByteCodes
{
    private const int Bytes = 17, Packed = 1;
    private static readonly float* HalfScales = MakeHalfScales();

    public static FormatInfo Info { get; } = new("MXFP4", 39, 32, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of32;

    private static ReadOnlySpan<sbyte> Codebook => [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

    // The codes + 12, unsigned for vpmaddubsw.
    private static ReadOnlySpan<sbyte> Raised => [12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0];

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

    public static void Decode(byte* blocks, long blockCount, float* values) => ByteCodes.Decode<MXFP4>(blocks, blockCount, values);

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* a = x.Q + (32 * index);
        int sum = 0;
        for (int i = 0; i < 16; i++) sum += (Codebook[block[Packed + i] & 15] * a[i]) + (Codebook[block[Packed + i] >> 4] * a[16 + i]);
        return Scale(block) * x.D[index] * sum;
    }

    // Σca = Σ(c + 12)a − 12Σa, and 12 = 4 × (1 + 2).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum)
    {
        Vector256<sbyte> raised = Avx2.Shuffle(ByteCodes.Repeat256(Raised), ByteCodes.Nibbles(block + Packed).AsSByte());
        Vector256<int> products = ByteDot.AddUnsigned(
            ByteDot.Offset(x.S + index, 1, 2), raised.AsByte(), Vector256.Load(x.Q + (32 * index)));
        return ByteDot.Accumulate(products, ScaleLanes(block), x.D + index, sum);
    }
    // The scale is half of 2^(e − 127): the exponent below. An e of 0 or 1 becomes 0, where the numbers are below 1e-37.
    public static InterleavedLayout Layout { get; } = new("MXFP4", 4, ScaleKind.Exponent, 12) { Codebook = [.. Raised.ToArray().Select(code => (byte)code)] };

    public static Vector256<byte> StepCodes(byte* block, int step) => ByteCodes.Nibbles(block + Packed);

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => ((ushort)Math.Max(*block - 1, 0), 0);

    /// <summary>
    /// The exponent puts the peak between 4 and 8, as the specification proposes (6 is the largest code); with importance its neighbours are
    /// tried too, and what gives the smallest weighted error is kept.
    /// </summary>
    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            float peak = MathF.Abs(ScaleSearch.Peak(values));
            int middle = peak == 0 ? 0 : Math.Clamp(MathF.ILogB(peak) - 2 + 127, 0, 254), best = middle;
            if (importance != null)
            {
                float bestError = Error(values, importance, middle);
                for (int e = Math.Max(middle - 1, 0); e <= Math.Min(middle + 1, 254); e++)
                {
                    float error = Error(values, importance, e);
                    if (!(error < bestError)) continue;
                    bestError = error;
                    best = e;
                }

                importance += 32;
            }

            blocks[0] = (byte)best;
            for (int i = 0; i < 16; i++)
                blocks[Packed + i] = (byte)(Nearest(values[i], HalfScales[best]) | (Nearest(values[16 + i], HalfScales[best]) << 4));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(byte* block) => HalfScales[*block];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> ScaleLanes(byte* block) => Avx.BroadcastScalarToVector256(HalfScales + *block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Codes(byte* block) =>
        Avx2.Shuffle(ByteCodes.Repeat256(Codebook), ByteCodes.Nibbles(block + Packed).AsSByte());

    private static float Error(float* values, float* importance, int exponent)
    {
        float sum = 0, scale = HalfScales[exponent];
        for (int i = 0; i < 32; i++)
        {
            float difference = values[i] - (scale * Codebook[Nearest(values[i], scale)]);
            sum += importance[i] * difference * difference;
        }

        return sum;
    }

    // The nearest code, of two as near the smaller: the middles between 0, 1, 2, 3, 4, 6, 8, 12 that the magnitude exceeds. Scales are powers
    // of two, so the products are exact. What rounds to zero is +0.
    private static int Nearest(float value, float scale)
    {
        float m = MathF.Abs(value);
        int magnitude = (m > 0.5f * scale ? 1 : 0) + (m > 1.5f * scale ? 1 : 0) + (m > 2.5f * scale ? 1 : 0) + (m > 3.5f * scale ? 1 : 0)
            + (m > 5 * scale ? 1 : 0) + (m > 7 * scale ? 1 : 0) + (m > 10 * scale ? 1 : 0);
        return value < 0 && magnitude > 0 ? magnitude + 8 : magnitude;
    }

    private static float* MakeHalfScales()
    {
        float* table = (float*)NativeMemory.AlignedAlloc(256 * sizeof(float), 64);
        for (int e = 0; e < 256; e++) table[e] = BitConverter.Int32BitsToSingle(e < 2 ? 0x00200000 << e : (e - 1) << 23);
        return table;
    }
}
