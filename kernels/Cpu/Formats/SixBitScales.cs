using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// The 12 bytes in which Q4_K and Q5_K keep eight 6-bit scales and eight 6-bit minimums. Byte j (0…3) is scale j, byte 4 + j is minimum j,
/// each in the low 6 bits; byte 8 + j has the low 4 bits of scale 4 + j and, above, those of minimum 4 + j; their upper 2 bits are
/// the upper 2 bits of byte j and of byte 4 + j. Source: llama.cpp, ggml-quants.c, block_q4_K.
/// </summary>
internal static unsafe class SixBitScales
{
    /// <summary>Where <see cref="Load(byte*)"/> has scale <paramref name="subBlock"/>; its minimum is four bytes behind.</summary>
    public static int Place(int subBlock) => subBlock < 4 ? subBlock : subBlock + 4;

    /// <summary>Scales and minimums as bytes: s0…s3 m0…m3 s4…s7 m4…m7. Works on both halves at once, in two 64-bit words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Load(byte* packed)
    {
        ulong first = Unsafe.ReadUnaligned<ulong>(packed);
        ulong nibbles = Unsafe.ReadUnaligned<uint>(packed + 8);
        nibbles = (nibbles | (nibbles << 28)) & 0x0f0f0f0f0f0f0f0f;
        return Vector128.Create(first & 0x3f3f3f3f3f3f3f3f, nibbles | ((first >> 2) & 0x3030303030303030)).AsByte();
    }

    /// <summary>Scale and minimum of one sub-block, read as the format describes them.</summary>
    public static (int Scale, int Minimum) Load(byte* packed, int subBlock)
    {
        if (subBlock < 4) return (packed[subBlock] & 63, packed[subBlock + 4] & 63);
        int j = subBlock - 4;
        return ((packed[8 + j] & 15) | (packed[j] >> 6 << 4), (packed[8 + j] >> 4) | (packed[4 + j] >> 6 << 4));
    }

    /// <summary>Σ minimum × sum of 16 activations, in eight lanes.</summary>
    /// <param name="scales">What <see cref="Load(byte*)"/> gives, in both 128-bit lanes.</param>
    /// <param name="sums">[16] sums of the block's activations.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Minimums(Vector256<byte> scales, short* sums)
    {
        // Shuffle indices: bytes 4…7 and 12…15, each twice, with a byte of zero above.
        Vector256<uint> pick = Vector256.Create(
            0x80048004, 0x80058005, 0x80068006, 0x80078007, 0x800c800c, 0x800d800d, 0x800e800e, 0x800f800f);
        return Avx2.MultiplyAddAdjacent(Avx2.Shuffle(scales, pick.AsByte()).AsInt16(), Vector256.Load(sums));
    }

    /// <summary>Packs eight scales and eight minimums of 0…63.</summary>
    public static void Store(ReadOnlySpan<byte> scales, ReadOnlySpan<byte> minimums, byte* packed)
    {
        for (int j = 0; j < 4; j++)
        {
            packed[j] = (byte)(scales[j] | (scales[4 + j] >> 4 << 6));
            packed[4 + j] = (byte)(minimums[j] | (minimums[4 + j] >> 4 << 6));
            packed[8 + j] = (byte)((scales[4 + j] & 15) | (minimums[4 + j] << 4));
        }
    }
}
