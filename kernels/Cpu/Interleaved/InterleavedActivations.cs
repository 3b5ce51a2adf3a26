using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.Interleaved;

/// <summary>
/// Activations for kernels over interleaved rows: <c>x ≈ d × q</c> with one d for 32 values and q in −127…127. Tokens lie in groups of at most 16; a group is
/// [steps of 32 columns, tokens] of blocks, so that all tokens of a step lie together. A block is 52 bytes:
/// 0 q, 32 signed bytes; 32 d, binary32; 36 and 40 −offset × Σq, 32-bit, of the first and the last 16 values, or of all 32 and nothing; 44 and 48 d × Σq, binary32, likewise.
/// </summary>
internal static unsafe class InterleavedActivations
{
    public const int BlockBytes = 52, Scale = 32, Corrections = 36, Sums = 44;

    /// <summary>
    /// Places one token's values as they are, for floating-point weights: a group is [columns, tokens].
    /// </summary>
    /// <param name="x">[cols].</param>
    /// <param name="cols">Number of values.</param>
    /// <param name="tokens">Tokens of the group.</param>
    /// <param name="target">The token's place in the group's first column.</param>
    public static void Place(float* x, int cols, int tokens, float* target)
    {
        for (int k = 0; k < cols; k++, target += tokens) *target = x[k];
    }

    /// <summary>Quantises one token's values.</summary>
    /// <param name="x">[cols].</param>
    /// <param name="cols">A multiple of 32.</param>
    /// <param name="offset">The offset of the weights that they will be multiplied with.</param>
    /// <param name="perSixteen">Whether those have a scale for 16 columns.</param>
    /// <param name="tokens">Tokens of the group: the distance of a token's blocks.</param>
    /// <param name="block">The token's first block.</param>
    public static void Quantize(float* x, int cols, int offset, bool perSixteen, int tokens, byte* block)
    {
        if (Isa.HasAvx512) QuantizeAvx512(x, cols, offset, perSixteen, tokens, block);
        else QuantizeAvx2(x, cols, offset, perSixteen, tokens, block);
    }

    /// <summary>The same, 512 bits wide.</summary>
    public static void QuantizeAvx512(float* x, int cols, int offset, bool perSixteen, int tokens, byte* block)
    {
        for (int k = 0; k < cols; k += 32, block += tokens * BlockBytes)
        {
            Vector512<float> low = Vector512.Load(x + k), high = Vector512.Load(x + k + 16);
            float inverse = Q8Quantizer.Inverse(low, high, out float scale);
            Vector512<int> first = Q8Quantizer.Quants(low, inverse), last = Q8Quantizer.Quants(high, inverse);
            Avx512F.ConvertToVector128SByte(first).Store((sbyte*)block);
            Avx512F.ConvertToVector128SByte(last).Store((sbyte*)block + 16);
            if (perSixteen) Finish(block, scale, -offset, Vector512.Sum(first), Vector512.Sum(last));
            else Finish(block, scale, -offset, Vector512.Sum(first + last), 0);
        }
    }

    /// <summary>The same, 256 bits wide.</summary>
    public static void QuantizeAvx2(float* x, int cols, int offset, bool perSixteen, int tokens, byte* block)
    {
        for (int k = 0; k < cols; k += 32, block += tokens * BlockBytes)
        {
            (int first, int last) = Q8Quantizer.Quantize32Avx2(x + k, out float scale, (sbyte*)block);
            if (perSixteen) Finish(block, scale, -offset, first, last);
            else Finish(block, scale, -offset, first + last, 0);
        }
    }

    /// <summary>The same, in the obvious way.</summary>
    public static void QuantizeScalar(float* x, int cols, int offset, bool perSixteen, int tokens, byte* block)
    {
        sbyte* quants = stackalloc sbyte[32];
        float scale;
        short sum;
        for (int k = 0; k < cols; k += 32, block += tokens * BlockBytes)
        {
            Q8Quantizer.Scalar(x + k, 32, ActivationKind.Q8Of32, new Q8Vector((nint)quants, (nint)(&scale), (nint)(&sum)));
            int first = 0, last = 0;
            for (int i = 0; i < 16; i++)
            {
                first += quants[i];
                last += quants[16 + i];
            }

            new Span<sbyte>(quants, 32).CopyTo(new Span<sbyte>(block, 32));
            if (perSixteen) Finish(block, scale, -offset, first, last);
            else Finish(block, scale, -offset, first + last, 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(byte* block, float scale, int offset, int first, int last)
    {
        *(float*)(block + Scale) = scale;
        *(int*)(block + Corrections) = offset * first;
        *(int*)(block + Corrections + 4) = offset * last;
        *(float*)(block + Sums) = scale * first;
        *(float*)(block + Sums + 4) = scale * last;
    }
}
