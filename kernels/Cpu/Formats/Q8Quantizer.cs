using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Quantises activations for the integer dot products: for each group of 32 or 256 values
/// <c>scale = max|x| / 127</c>, <c>q = round(x × 127 / max|x|)</c>, ties to even, so that q lies in −127…127.
/// A group whose largest magnitude is below 2^-100 becomes all zero (its inverse would overflow). A group that holds an infinity or a NaN gets
/// the scale NaN and quants 0, so that every product with it is NaN: what went wrong stays visible. All widths give the same bits:
/// magnitudes are compared as integers, which orders NaN above every number.
/// Source: ggml's activation types q8_0 and q8_K for the idea; the scale stays binary32 and the range symmetric here.
/// </summary>
internal static unsafe class Q8Quantizer
{
    /// <summary>Bits from which on a magnitude is infinity or NaN.</summary>
    internal const int NotFinite = 0x7f800000;

    /// <summary>Below it, 2^-100, a group is zero.</summary>
    internal const float Smallest = 7.888609e-31f;

    /// <summary>Quantises <paramref name="k"/> values (a multiple of 32) with a scale and a sum for each 32.</summary>
    public static void Quantize32(float* x, int k, Q8Vector destination)
    {
        Debug.Assert(k % 32 == 0);
        if (Isa.HasAvx512) Quantize32Avx512(x, k, destination);
        else if (Isa.HasAvx2) Quantize32Avx2(x, k, destination);
        else Scalar(x, k, ActivationKind.Q8Of32, destination);
    }

    /// <summary>Quantises <paramref name="k"/> values (a multiple of 256) with a scale for each 256 and a sum for each 16.</summary>
    public static void Quantize256(float* x, int k, Q8Vector destination)
    {
        Debug.Assert(k % 256 == 0);
        if (Isa.HasAvx512) Quantize256Avx512(x, k, destination);
        else if (Isa.HasAvx2) Quantize256Avx2(x, k, destination);
        else Scalar(x, k, ActivationKind.Q8Of256, destination);
    }

    /// <summary>The obvious loop, for both kinds.</summary>
    internal static void Scalar(float* x, int k, ActivationKind kind, Q8Vector destination)
    {
        int group = Q8Vector.GroupLength(kind), perSum = Q8Vector.SumLength(kind);
        for (int start = 0; start < k; start += group)
        {
            int largest = 0;
            for (int i = start; i < start + group; i++) largest = Math.Max(largest, BitConverter.SingleToInt32Bits(x[i]) & 0x7fffffff);
            float inverse = Inverse(largest, out destination.D[start / group]);
            for (int i = start; i < start + group; i += perSum)
            {
                int sum = 0;
                for (int j = i; j < i + perSum; j++)
                {
                    int quant = inverse == 0 ? 0 : (int)MathF.Round(x[j] * inverse);
                    destination.Q[j] = (sbyte)quant;
                    sum += quant;
                }

                destination.S[i / perSum] = (short)sum;
            }
        }
    }

    internal static void Quantize32Avx2(float* x, int k, Q8Vector destination)
    {
        for (int i = 0; i < k; i += 32)
        {
            (int first, int last) = Quantize32Avx2(x + i, out destination.D[i / 32], destination.Q + i);
            destination.S[i / 32] = (short)(first + last);
        }
    }

    internal static void Quantize256Avx2(float* x, int k, Q8Vector destination)
    {
        for (int start = 0; start < k; start += 256)
        {
            Vector256<int> largest = Vector256<int>.Zero;
            for (int i = start; i < start + 256; i += 8) largest = Vector256.Max(largest, Magnitude(Vector256.Load(x + i)));
            float inverse = Inverse(Largest(largest), out destination.D[start / 256]);
            for (int i = start; i < start + 256; i += 16) destination.S[i / 16] = (short)Store16(x + i, inverse, destination.Q + i);
        }
    }

    internal static void Quantize32Avx512(float* x, int k, Q8Vector destination)
    {
        for (int i = 0; i < k; i += 32)
        {
            Vector512<float> low = Vector512.Load(x + i), high = Vector512.Load(x + i + 16);
            float inverse = Inverse(low, high, out destination.D[i / 32]);
            Vector512<int> lowQuants = Quants(low, inverse), highQuants = Quants(high, inverse);
            Avx512F.ConvertToVector128SByte(lowQuants).Store(destination.Q + i);
            Avx512F.ConvertToVector128SByte(highQuants).Store(destination.Q + i + 16);
            destination.S[i / 32] = (short)Vector512.Sum(lowQuants + highQuants);
        }
    }

    internal static void Quantize256Avx512(float* x, int k, Q8Vector destination)
    {
        for (int start = 0; start < k; start += 256)
        {
            float inverse = Inverse(x + start, 256, out destination.D[start / 256]);
            for (int i = start; i < start + 256; i += 16)
            {
                Vector512<int> quants = Quants(Vector512.Load(x + i), inverse);
                Avx512F.ConvertToVector128SByte(quants).Store(destination.Q + i);
                destination.S[i / 16] = (short)Vector512.Sum(quants);
            }
        }
    }

    /// <summary>From the bits of the largest magnitude: the factor that maps it to 127, or 0 where all quants are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Inverse(int largestBits, out float scale)
    {
        float largest = BitConverter.Int32BitsToSingle(largestBits);
        if (largestBits >= NotFinite)
        {
            scale = float.NaN;
            return 0;
        }

        bool isZero = largest < Smallest;
        scale = isZero ? 0 : largest / 127f;
        return isZero ? 0 : 127f / largest;
    }

    /// <summary>The scale of 32 values, and the factor that maps the largest of them to 127.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float Inverse(Vector512<float> low, Vector512<float> high, out float scale)
    {
        Vector512<int> largest = Vector512.Max(Magnitude(low), Magnitude(high));
        return Inverse(Largest(Vector256.Max(largest.GetLower(), largest.GetUpper())), out scale);
    }

    /// <summary>The same of <paramref name="count"/> values, a multiple of 16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float Inverse(float* x, int count, out float scale)
    {
        Vector512<int> largest = Vector512<int>.Zero;
        for (int i = 0; i < count; i += 16) largest = Vector512.Max(largest, Magnitude(Vector512.Load(x + i)));
        return Inverse(Largest(Vector256.Max(largest.GetLower(), largest.GetUpper())), out scale);
    }

    /// <summary>Quantises 32 values, and tells the sum of the first and of the last sixteen; AVX2.</summary>
    internal static (int First, int Last) Quantize32Avx2(float* x, out float scale, sbyte* quants)
    {
        Vector256<int> largest = Vector256.Max(
            Vector256.Max(Magnitude(Vector256.Load(x)), Magnitude(Vector256.Load(x + 8))),
            Vector256.Max(Magnitude(Vector256.Load(x + 16)), Magnitude(Vector256.Load(x + 24))));
        float inverse = Inverse(Largest(largest), out scale);
        return (Store16(x, inverse, quants), Store16(x + 16, inverse, quants + 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Magnitude(Vector256<float> x) => x.AsInt32() & Vector256.Create(0x7fffffff);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Magnitude(Vector512<float> x) => x.AsInt32() & Vector512.Create(0x7fffffff);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Largest(Vector256<int> lanes)
    {
        Vector128<int> m = Vector128.Max(lanes.GetLower(), lanes.GetUpper());
        m = Vector128.Max(m, Vector128.Shuffle(m, Vector128.Create(2, 3, 0, 1)));
        return Vector128.Max(m, Vector128.Shuffle(m, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    // Where the group is not finite the inverse is 0 and x × 0 may be NaN, which the conversion turns into int.MinValue: masked to 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Quants(Vector256<float> x, float inverse) =>
        Avx.ConvertToVector256Int32(x * Vector256.Create(inverse)) & Vector256.Create(inverse == 0 ? 0 : -1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<int> Quants(Vector512<float> x, float inverse) =>
        Avx512F.ConvertToVector512Int32(x * Vector512.Create(inverse)) & Vector512.Create(inverse == 0 ? 0 : -1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Store16(float* x, float inverse, sbyte* quants)
    {
        Vector256<int> low = Quants(Vector256.Load(x), inverse), high = Quants(Vector256.Load(x + 8), inverse);
        Vector256<short> words = Avx2.Permute4x64(Avx2.PackSignedSaturate(low, high).AsInt64(), 0b11_01_10_00).AsInt16();
        Sse2.PackSignedSaturate(words.GetLower(), words.GetUpper()).Store(quants);
        return Vector256.Sum(low + high);
    }
}
