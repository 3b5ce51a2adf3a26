using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>A format of 32 values <c>w = scale × code + minimum</c> with unsigned codes of at most seven bits.</summary>
internal unsafe interface IAffineCodes : IDotFormat
{
    /// <summary>The block's scale.</summary>
    static abstract float Scale(byte* block);

    /// <summary>The value of code 0.</summary>
    static abstract float Minimum(byte* block);

    /// <summary>The 32 codes. AVX2.</summary>
    static abstract Vector256<byte> Codes(byte* block);
}

/// <summary>What formats of affine codes share: <c>Σwa = scale × Σ(code × a) + minimum × Σa</c>.</summary>
internal static unsafe class AffineCodes
{
    private const int Length = 32;

    /// <summary>Decodes blocks at the widest tier; product and sum are rounded one after the other, as in the scalar loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<T>(byte* blocks, long blockCount, float* values)
        where T : struct, IAffineCodes
    {
        int stride = T.Info.BlockBytes;
        if (Isa.HasAvx512)
        {
            for (long i = 0; i < blockCount; i++, blocks += stride, values += Length)
            {
                Vector256<sbyte> codes = T.Codes(blocks).AsSByte();
                Vector512<float> scale = Vector512.Create(T.Scale(blocks)), minimum = Vector512.Create(T.Minimum(blocks));
                ((scale * ByteCodes.ToSingle16(codes.GetLower())) + minimum).Store(values);
                ((scale * ByteCodes.ToSingle16(codes.GetUpper())) + minimum).Store(values + 16);
            }
        }
        else if (Isa.HasAvx2)
        {
            for (long i = 0; i < blockCount; i++, blocks += stride, values += Length)
            {
                Vector256<sbyte> codes = T.Codes(blocks).AsSByte();
                Vector128<sbyte> low = codes.GetLower(), high = codes.GetUpper();
                Vector256<float> scale = Vector256.Create(T.Scale(blocks)), minimum = Vector256.Create(T.Minimum(blocks));
                ((scale * ByteCodes.ToSingle8(low)) + minimum).Store(values);
                ((scale * ByteCodes.ToSingle8(Sse2.ShiftRightLogical128BitLane(low, 8))) + minimum).Store(values + 8);
                ((scale * ByteCodes.ToSingle8(high)) + minimum).Store(values + 16);
                ((scale * ByteCodes.ToSingle8(Sse2.ShiftRightLogical128BitLane(high, 8))) + minimum).Store(values + 24);
            }
        }
        else
        {
            T.DecodeScalar(blocks, blockCount, values);
        }
    }

    // Each of the eight lanes adds its share of minimum × scale × Σa; the share of the activations is the same for every row. Scale and minimum
    // lie in the block's first four bytes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step<T>(byte* block, in Q8Vector x, int index, Vector256<float> sum)
        where T : struct, IAffineCodes
    {
        Vector256<int> products = ByteDot.Unsigned(T.Codes(block), Vector256.Load(x.Q + (Length * index)));
        sum = Fma.MultiplyAdd(Float16.Broadcast256(block + 2), Share(x, index), sum);
        return ByteDot.Accumulate(products, Float16.Broadcast256(block), x.D + index, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Share(in Q8Vector x, int index) => Vector256.Create(x.S[index] * 0.125f * x.D[index]);
}
