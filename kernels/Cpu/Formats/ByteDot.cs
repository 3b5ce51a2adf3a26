using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Products of bytes, added up in groups of four to 32-bit lanes: what the integer dot products of the block formats are made of.
/// <c>vpmaddubsw</c> multiplies unsigned by signed bytes and saturates the sum of two products at 16 bits, so each caller states its largest
/// code c and needs <c>2 × c × 127 ≤ 32767</c>: c ≤ 129.
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, PMADDUBSW, PSIGNB, VPDPBUSD.
/// </summary>
internal static class ByteDot
{
    /// <summary>addend + Σ₄ u × s, with u ≤ 129 and |s| ≤ 127.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddUnsigned(Vector256<int> addend, Vector256<byte> u, Vector256<sbyte> s) => AvxVnni.IsSupported
        ? AvxVnni.MultiplyWideningAndAdd(addend, u, s)
        : addend + Unsigned(u, s);

    /// <summary>Σ₄ u × s, with u ≤ 129 and |s| ≤ 127.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Unsigned(Vector256<byte> u, Vector256<sbyte> s) => AvxVnni.IsSupported
        ? AvxVnni.MultiplyWideningAndAdd(Vector256<int>.Zero, u, s)
        : Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(u, s), Vector256.Create((short)1));

    /// <summary>
    /// Σ₄ w × a for every signed byte w and |a| ≤ 127. The sign goes to the activation, because <c>vpsignb</c> cannot negate −128, while
    /// <c>vpabsb</c> of −128 is 128 as an unsigned byte, which is right: 2 × 128 × 127 = 32512.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Signed(Vector256<sbyte> w, Vector256<sbyte> a) => Unsigned(Avx2.Abs(w), Avx2.Sign(a, w));

    /// <summary>Σ₄ u × s, with u ≤ 129 and |s| ≤ 127.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Unsigned(Vector512<byte> u, Vector512<sbyte> s) =>
        Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(u, s), Vector512.Create((short)1));

    /// <summary>Σ₄ w × a for every signed byte w and |a| ≤ 127; there is no 512-bit <c>vpsignb</c>, so a mask negates.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Signed(Vector512<sbyte> w, Vector512<sbyte> a) => Unsigned(
        Avx512BW.Abs(w),
        Vector512.ConditionalSelect(Vector512.LessThan(w, Vector512<sbyte>.Zero), Vector512<sbyte>.Zero - a, a));

    /// <summary>
    /// −offset × (the activations' sum), spread over the 32-bit lanes, for codes stored as c + offset. The same for every row, so that a driver
    /// of several rows computes it once. Even and odd lanes take −<paramref name="even"/> and −<paramref name="odd"/> times the sum each, and
    /// offset = 4 × (even + odd).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector256<int> Offset(short* sum, [ConstantExpected] int even, [ConstantExpected] int odd) => Avx2.MultiplyAddAdjacent(
        Vector256.Create(*sum), Vector256.Create(-even & 0xffff, -odd & 0xffff, -even & 0xffff, -odd & 0xffff, -even & 0xffff, -odd & 0xffff, -even & 0xffff, -odd & 0xffff).AsInt16());

    /// <summary>The same for two blocks: the lower half belongs to the first, whose sum is at <paramref name="sums"/>, the upper half to the second.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector512<int> OffsetPair(short* sums, [ConstantExpected] int even, [ConstantExpected] int odd) => Avx512BW.MultiplyAddAdjacent(
        Vector512.Create(Unsafe.ReadUnaligned<int>(sums)).AsInt16(),
        Vector512.Create(
            -even & 0xffff, -odd & 0xffff, -even & 0xffff, -odd & 0xffff, -even & 0xffff, -odd & 0xffff, -even & 0xffff, -odd & 0xffff,
            -even << 16, -odd << 16, -even << 16, -odd << 16, -even << 16, -odd << 16, -even << 16, -odd << 16).AsInt16());

    /// <summary>sum + weightScale × activationScale × products. The scales are multiplied as vectors: a broadcasting load costs no vector instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Accumulate(Vector256<int> products, float weightScale, float activationScale, Vector256<float> sum) => Fma.MultiplyAdd(
        Avx.ConvertToVector256Single(products), Vector256.Create(weightScale) * Vector256.Create(activationScale), sum);

    /// <summary>The same where the lower half of the products belongs to a first block and the upper half to a second.</summary>
    /// <param name="products">Integer sums of two blocks.</param>
    /// <param name="lower">Weight scale of the first block.</param>
    /// <param name="upper">Weight scale of the second block.</param>
    /// <param name="activationScales">Address of the two activation scales.</param>
    /// <param name="sum">Accumulator.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector512<float> AccumulatePair(
        Vector512<int> products, float lower, float upper, float* activationScales, Vector512<float> sum) => Avx512F.FusedMultiplyAdd(
            Avx512F.ConvertToVector512Single(products), Halves(lower, upper) * Halves(activationScales[0], activationScales[1]), sum);

    /// <summary>Eight lanes of <paramref name="lower"/>, then eight of <paramref name="upper"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Halves(float lower, float upper) => Join(Vector256.Create(lower), Vector256.Create(upper));

    /// <summary>One insertion; <c>Vector512.Create</c> of two halves costs two, the first of which waits for the register's old value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Join<T>(Vector256<T> lower, Vector256<T> upper) => lower.ToVector512Unsafe().WithUpper(upper);
}
