using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Spreads the scales of sub-blocks over the 16-bit lanes of the products that they multiply. Every place is a constant where these are
/// called (a byte's index is 0x8000 | place, whose upper half gives zero; a word's the two bytes), so each call is one shuffle with a constant from memory or a register. 512-bit constants are written out in 64-bit lanes,
/// because the JIT does not fold one that is made of two 256-bit ones.
/// </summary>
internal static unsafe class ScaleLanes
{
    private const ulong EveryWord = 0x0001000100010001;

    /// <summary>The same 16 bytes in every 128-bit lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Repeat512(Vector128<byte> lane)
    {
        Vector512<int> once = lane.AsInt32().ToVector256Unsafe().ToVector512Unsafe();
        return Avx512F.Shuffle4x128(once, once, 0).AsByte();
    }

    /// <summary>Byte p0 of the lower lane, zero-extended, in eight 16-bit lanes; byte p1 of the upper lane in the other eight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<short> OfBytes(Vector256<byte> scales, int p0, int p1)
    {
        ulong a = (ulong)(0x8000 | p0) * EveryWord, b = (ulong)(0x8000 | p1) * EveryWord;
        return Avx2.Shuffle(scales, Vector256.Create(a, a, b, b).AsByte()).AsInt16();
    }

    /// <summary>Bytes p0, p1, p2 and p3 of the four 128-bit lanes, zero-extended, each in eight 16-bit lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<short> OfBytes(Vector512<byte> scales, int p0, int p1, int p2, int p3)
    {
        ulong a = (ulong)(0x8000 | p0) * EveryWord, b = (ulong)(0x8000 | p1) * EveryWord;
        ulong c = (ulong)(0x8000 | p2) * EveryWord, d = (ulong)(0x8000 | p3) * EveryWord;
        return Avx512BW.Shuffle(scales, Vector512.Create(a, a, b, b, c, c, d, d).AsByte()).AsInt16();
    }

    /// <summary>Word p0 (0…7) of the lower lane in eight 16-bit lanes, word p1 of the upper lane in the other eight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<short> OfWords(Vector256<short> scales, uint p0, uint p1)
    {
        ulong a = (0x0100 + (0x0202 * p0)) * EveryWord, b = (0x0100 + (0x0202 * p1)) * EveryWord;
        return Avx2.Shuffle(scales.AsByte(), Vector256.Create(a, a, b, b).AsByte()).AsInt16();
    }

    /// <summary>Words p0, p1, p2 and p3 (0…31) of the whole vector, each in eight 16-bit lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<short> OfWords(Vector512<short> scales, uint p0, uint p1, uint p2, uint p3)
    {
        ulong a = p0 * EveryWord, b = p1 * EveryWord, c = p2 * EveryWord, d = p3 * EveryWord;
        return Avx512BW.PermuteVar32x16(scales, Vector512.Create(a, a, b, b, c, c, d, d).AsInt16());
    }

    /// <summary>The lower lane twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<short> LowerTwice(Vector256<short> scales) => Avx2.Permute4x64(scales.AsUInt64(), 0b01_00_01_00).AsInt16();

    /// <summary>The upper lane twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<short> UpperTwice(Vector256<short> scales) => Avx2.Permute4x64(scales.AsUInt64(), 0b11_10_11_10).AsInt16();

    /// <summary>The lower halves of two vectors, side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Lower(Vector512<byte> a, Vector512<byte> b) =>
        Avx512F.Shuffle4x128(a.AsInt32(), b.AsInt32(), 0b01_00_01_00).AsByte();

    /// <summary>The upper halves of two vectors, side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Upper(Vector512<byte> a, Vector512<byte> b) =>
        Avx512F.Shuffle4x128(a.AsInt32(), b.AsInt32(), 0b11_10_11_10).AsByte();
}
