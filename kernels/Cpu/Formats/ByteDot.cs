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

    /// <summary>sum + scale × products.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Accumulate(Vector256<int> products, float scale, Vector256<float> sum) =>
        Fma.MultiplyAdd(Avx.ConvertToVector256Single(products), Vector256.Create(scale), sum);

    /// <summary>sum + scale × products, where the lower half belongs to a first block and the upper half to a second.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Accumulate(Vector512<int> products, float lower, float upper, Vector512<float> sum) =>
        Avx512F.FusedMultiplyAdd(Avx512F.ConvertToVector512Single(products), Halves(lower, upper), sum);

    /// <summary>Eight lanes of <paramref name="lower"/>, then eight of <paramref name="upper"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Halves(float lower, float upper) =>
        Vector512.Create(Vector256.Create(lower), Vector256.Create(upper));
}
