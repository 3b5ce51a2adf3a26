using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Products of bytes, added up in groups of four to 32-bit lanes: what the integer dot products of the block formats are made of.
/// <c>vpmaddubsw</c> multiplies unsigned by signed bytes and saturates the sum of two products at 16 bits, so codes c need
/// <c>2 × c × 127 ≤ 32767</c>: c ≤ 129.
/// All of it is 256 bits wide: 512-bit steps over two blocks were measured 5 to 40 % slower (Zen 4), because two scales and two blocks have to
/// be brought together first, and .NET 10 has the 256-bit VPDPBUSD only.
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, PMADDUBSW, PSIGNB, VPDPBUSD.
/// </summary>
internal static class ByteDot
{
    /// <summary>addend + Σ₄ u × s, with u ≤ 129 and |s| ≤ 127.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddUnsigned(Vector256<int> addend, Vector256<byte> u, Vector256<sbyte> s) => Isa.HasAvxVnni
        ? AvxVnni.MultiplyWideningAndAdd(addend, u, s)
        : addend + Unsigned(u, s);

    /// <summary>Σ₄ u × s, with u ≤ 129 and |s| ≤ 127.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Unsigned(Vector256<byte> u, Vector256<sbyte> s) => Isa.HasAvxVnni
        ? AvxVnni.MultiplyWideningAndAdd(Vector256<int>.Zero, u, s)
        : Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(u, s), Vector256.Create((short)1));

    /// <summary>
    /// Σ₄ w × a for every signed byte w and |a| ≤ 127. The sign goes to the activation, because <c>vpsignb</c> cannot negate −128, while
    /// <c>vpabsb</c> of −128 is 128 as an unsigned byte, which is right: 2 × 128 × 127 = 32512.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Signed(Vector256<sbyte> w, Vector256<sbyte> a) => Unsigned(Avx2.Abs(w), Avx2.Sign(a, w));

    /// <summary>
    /// −offset × (the activations' sum), spread over the 32-bit lanes, for codes stored as c + offset. The same for every row, so that a driver
    /// of several rows computes it once. Even and odd lanes take −<paramref name="even"/> and −<paramref name="odd"/> times the sum each, and
    /// offset = 4 × (even + odd).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector256<int> Offset(short* sum, [ConstantExpected] int even, [ConstantExpected] int odd)
    {
        // In each 32-bit lane the factor of the first 16 bits, and 0 for the other 16.
        Vector256<short> factors = Vector256.Create((ushort)-even | ((ulong)(ushort)-odd << 32)).AsInt16();
        return Avx2.MultiplyAddAdjacent(Avx2.BroadcastScalarToVector256(sum), factors);
    }

    /// <summary>
    /// sum + weight scale × activation scale × products. The scales come as broadcasting loads, which cost no vector instruction.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector256<float> Accumulate(
        Vector256<int> products, Vector256<float> weightScale, float* activationScale, Vector256<float> sum) => Fma.MultiplyAdd(
            Avx.ConvertToVector256Single(products), weightScale * Avx.BroadcastScalarToVector256(activationScale), sum);
}
