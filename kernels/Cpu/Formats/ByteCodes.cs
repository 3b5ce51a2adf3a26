using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>A format of 32 values <c>w = scale × code</c> with signed bytes as codes, however the file packs them.</summary>
internal unsafe interface IByteCodes : IDotFormat
{
    /// <summary>The block's scale.</summary>
    static abstract float Scale(byte* block);

    /// <summary>The 32 codes. AVX2.</summary>
    static abstract Vector256<sbyte> Codes(byte* block);
}

/// <summary>What formats of signed byte codes share: decoding, and unpacking of nibbles.</summary>
internal static unsafe class ByteCodes
{
    private const int Length = 32;

    /// <summary>Decodes blocks of a format at the widest tier; the product of scale and code is rounded once, as in the scalar loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<T>(byte* blocks, long blockCount, float* values)
        where T : struct, IByteCodes
    {
        int stride = T.Info.BlockBytes;
        if (Isa.HasAvx512)
        {
            for (long i = 0; i < blockCount; i++, blocks += stride, values += Length)
            {
                Vector256<sbyte> codes = T.Codes(blocks);
                Vector512<float> scale = Vector512.Create(T.Scale(blocks));
                (scale * ToSingle16(codes.GetLower())).Store(values);
                (scale * ToSingle16(codes.GetUpper())).Store(values + 16);
            }
        }
        else if (Isa.HasAvx2)
        {
            for (long i = 0; i < blockCount; i++, blocks += stride, values += Length)
            {
                Vector256<sbyte> codes = T.Codes(blocks);
                Vector128<sbyte> low = codes.GetLower(), high = codes.GetUpper();
                Vector256<float> scale = Vector256.Create(T.Scale(blocks));
                (scale * ToSingle8(low)).Store(values);
                (scale * ToSingle8(Sse2.ShiftRightLogical128BitLane(low, 8))).Store(values + 8);
                (scale * ToSingle8(high)).Store(values + 16);
                (scale * ToSingle8(Sse2.ShiftRightLogical128BitLane(high, 8))).Store(values + 24);
            }
        }
        else
        {
            T.DecodeScalar(blocks, blockCount, values);
        }
    }

    /// <summary>The lower eight codes as binary32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToSingle8(Vector128<sbyte> codes) => Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(codes));

    /// <summary>Sixteen codes as binary32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ToSingle16(Vector128<sbyte> codes) => Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(codes));

    /// <summary>A table of 16 bytes in each 128-bit lane, for shuffles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Repeat256(ReadOnlySpan<sbyte> table) =>
        Avx2.BroadcastVector128ToVector256((sbyte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(table)));

    /// <summary>16 bytes as 32 nibbles: the low ones are values 0…15, the high ones values 16…31.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Nibbles(byte* source)
    {
        // One load to both halves and one shift of the upper half; shifting by 64-bit lanes is fine because the mask follows.
        Vector256<ulong> doubled = Avx2.BroadcastVector128ToVector256(source).AsUInt64();
        return Avx2.ShiftRightLogicalVariable(doubled, Vector256.Create(0UL, 0, 4, 4)).AsByte() & Vector256.Create((byte)15);
    }

    /// <summary>
    /// Nibbles with bit i of a 32-bit word as the fifth bit of value i. Where VBMI exists, <c>vpmultishiftqb</c> brings bit i of the repeated
    /// word to bit 4 of byte i: its eight bits begin at bit i − 4.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> FiveBits(byte* nibbles, byte* word)
    {
        Vector256<int> words = Avx2.BroadcastScalarToVector256((int*)word);
        Vector256<byte> sixteen = Vector256.Create((byte)16);
        if (Isa.HasAvx512 && Avx512Vbmi.VL.IsSupported)
        {
            Vector256<byte> begin = Vector256.Create(0x03020100_1f1e1d1cUL, 0x0b0a0908_07060504, 0x13121110_0f0e0d0c, 0x1b1a1918_17161514).AsByte();
            return Vector256.ConditionalSelect(sixteen, Avx512Vbmi.VL.MultiShift(begin, words.AsUInt64()), Nibbles(nibbles));
        }

        Vector256<byte> spread = Avx2.Shuffle(words.AsByte(), Vector256.Create(
            0x0000000000000000UL, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303).AsByte());
        Vector256<byte> bit = Vector256.Create(0x8040201008040201UL).AsByte();
        return Nibbles(nibbles) | (Vector256.Equals(spread & bit, bit) & sixteen);
    }
}
