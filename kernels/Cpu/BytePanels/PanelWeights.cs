using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.BytePanels;

/// <summary>
/// Quantises columns of sixteen rows: of each row <c>scale = max|w| / 127</c> and <c>q = round(w × 127 / max|w|)</c>. Rows are lanes, so nothing is compared across lanes. A row whose largest magnitude is
/// below 2^-100 becomes zero; one that holds an infinity or a NaN gets the scale NaN.
/// </summary>
internal static unsafe class PanelWeights
{
    /// <summary>1.5 × 2^23: a binary32 number to which a small one is added has its integer part, rounded to even, in the lowest bits.</summary>
    private const float Integers = 12582912;

    /// <summary>Quantises a block, 512 bits wide.</summary>
    /// <param name="columns">[count, 16].</param>
    /// <param name="count">Columns, a multiple of 4.</param>
    /// <param name="offset">What is added to codes, modulo 256: 0, or <see cref="BytePanelLayout.Offset"/>.</param>
    /// <param name="codes">[count / 4, 16, 4]; aligned to 64.</param>
    /// <param name="scales">[16].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // a prompt may be the only one: there is no time to find out that this is hot
    public static void Quantize(float* columns, int count, int offset, byte* codes, float* scales)
    {
        Vector512<int> largest = Vector512<int>.Zero, second = Vector512<int>.Zero, magnitude = Vector512.Create(0x7fffffff);
        for (int k = 0; k < count; k += 4)
        {
            int* bits = (int*)columns + (16 * k);
            largest = Vector512.Max(largest, Vector512.Max(Vector512.Load(bits) & magnitude, Vector512.Load(bits + 16) & magnitude));
            second = Vector512.Max(second, Vector512.Max(Vector512.Load(bits + 32) & magnitude, Vector512.Load(bits + 48) & magnitude));
        }

        largest = Vector512.Max(largest, second);
        Vector512<float> most = largest.AsSingle(), unusable = Vector512.GreaterThanOrEqual(largest, Vector512.Create(Q8Quantizer.NotFinite)).AsSingle();
        Vector512<float> none = Vector512.LessThan(most, Vector512.Create(Q8Quantizer.Smallest)) | unusable;
        Vector512.ConditionalSelect(unusable, Vector512.Create(float.NaN), Vector512.AndNot(most / Vector512.Create(127f), none)).Store(scales);
        Vector512<float> inverse = Vector512.AndNot(Vector512.Create(127f) / most, none), integers = Vector512.Create(Integers);

        // What is not finite has code 0: its product with 0 may be NaN.
        Vector512<uint> used = ~none.AsUInt32(), flip = Vector512.Create((uint)offset * 0x01010101);
        Vector512<uint> first = used & Vector512.Create(0xffu), odd = used & Vector512.Create(0xff00u);
        for (int k = 0; k < count; k += 4, columns += 64, codes += 64)
        {
            Vector512<uint> a = Code(columns, inverse, integers) & first, b = (Code(columns + 16, inverse, integers) << 8) & odd;
            Vector512<uint> c = Code(columns + 32, inverse, integers) & first, d = (Code(columns + 48, inverse, integers) << 8) & odd;
            ((a | b | ((c | d) << 16)) ^ flip).Store((uint*)codes);
        }
    }

    /// <summary>The same, in the obvious way.</summary>
    public static void QuantizeScalar(float* columns, int count, int offset, byte* codes, float* scales)
    {
        for (int row = 0; row < 16; row++)
        {
            int largest = 0;
            for (int k = 0; k < count; k++) largest = Math.Max(largest, BitConverter.SingleToInt32Bits(columns[(16 * k) + row]) & 0x7fffffff);
            float most = BitConverter.Int32BitsToSingle(largest);
            bool none = largest >= Q8Quantizer.NotFinite || most < Q8Quantizer.Smallest;
            scales[row] = largest >= Q8Quantizer.NotFinite ? float.NaN : none ? 0 : most / 127;
            for (int k = 0; k < count; k++)
            {
                int quant = none ? 0 : (int)(MathF.FusedMultiplyAdd(columns[(16 * k) + row], 127 / most, Integers) - Integers);
                codes[(k / 4 * 64) + (4 * row) + (k % 4)] = (byte)(quant + offset);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Code(float* column, Vector512<float> inverse, Vector512<float> integers) =>
        Avx512F.FusedMultiplyAdd(Vector512.Load(column), inverse, integers).AsUInt32();
}
