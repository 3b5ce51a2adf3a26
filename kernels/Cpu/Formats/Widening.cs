using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Sixteen small integers to scaled binary32 values, the last step of every block decoder. Product and difference are rounded one after the
/// other, as the scalar decoders do it: a fused multiply-add would give other bits. AVX2; 512-bit where <see cref="Isa"/> grants it.
/// </summary>
internal static unsafe class Widening
{
    /// <summary><c>values[i] = scale × quants[i]</c> for 16 signed bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<sbyte> quants, float scale, float* values)
    {
        if (Isa.HasAvx512)
        {
            Vector512<float> wide = Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(quants));
            (wide * Vector512.Create(scale)).Store(values);
            return;
        }

        Vector256<float> factor = Vector256.Create(scale);
        Vector128<sbyte> upper = Sse2.ShiftRightLogical128BitLane(quants.AsByte(), 8).AsSByte();
        (Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(quants)) * factor).Store(values);
        (Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(upper)) * factor).Store(values + 8);
    }

    /// <summary><c>values[i] = scale × quants[i] − offset</c> for 16 bytes of 0…127.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<byte> quants, float scale, float offset, float* values)
    {
        if (Isa.HasAvx512)
        {
            Vector512<float> wide = Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(quants));
            ((wide * Vector512.Create(scale)) - Vector512.Create(offset)).Store(values);
            return;
        }

        Vector256<float> factor = Vector256.Create(scale), shift = Vector256.Create(offset);
        Vector128<byte> upper = Sse2.ShiftRightLogical128BitLane(quants, 8);
        ((Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(quants)) * factor) - shift).Store(values);
        ((Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(upper)) * factor) - shift).Store(values + 8);
    }
}
