using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Formats.Grids;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 2.06 bits a weight: <c>w[128h + 32n + m] = d × (bits 2n, 2n + 1 of byte [32h + m] − 1)</c>. A writer uses −1, 0, 1; the code 3 means 2.
/// Block of 256 in 66 bytes: 64 bytes of four codes; d (binary16). Source: ggml type 35, block_tq2_0.
/// </summary>
internal readonly unsafe struct TQ2_0 : IWeightFormat
{
    public static FormatInfo Info { get; } = new("TQ2_0", 35, 256, 66);

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (byte* end = blocks + (66 * blockCount); blocks < end; blocks += 66)
        {
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + 64));
            for (int i = 0; i < 256; i++)
                *values++ = ((blocks[(i / 128 * 32) + (i % 32)] >> (i / 32 % 4 * 2) & 3) - 1) * d;
        }
    }

    public static void Decode(byte* blocks, long blockCount, float* values)
    {
        if (!Isa.HasAvx2)
        {
            DecodeScalar(blocks, blockCount, values);
            return;
        }

        for (byte* end = blocks + (66 * blockCount); blocks < end; blocks += 66, values += 256)
        {
            // A block has four different values: a lane permutation looks them up by the two low bits of each byte.
            float d = Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(blocks + 64));
            Vector128<float> four = Vector128.Create(-1f, 0, 1, 2) * d;
            Vector256<float> table = Vector256.Create(four, four);
            for (int m = 0; m < 64; m += 8)
            {
                Vector256<int> codes = Avx2.ConvertToVector256Int32(blocks + m);
                float* column = values + (m & 31) + (m / 32 * 128);
                Avx.PermuteVar(table, codes).Store(column);
                Avx.PermuteVar(table, codes >> 2).Store(column + 32);
                Avx.PermuteVar(table, codes >> 4).Store(column + 64);
                Avx.PermuteVar(table, codes >> 6).Store(column + 96);
            }
        }
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        TernarySearch search = new();
        Span<sbyte> digits = stackalloc sbyte[256];
        for (long i = 0; i < blockCount; i++, blocks += 66)
        {
            ushort d = search.Encode(
                new ReadOnlySpan<float>(values + (256 * i), 256),
                importance == null ? [] : new ReadOnlySpan<float>(importance + (256 * i), 256),
                digits);
            for (int b = 0; b < 64; b++)
            {
                int code = 0;
                for (int n = 0; n < 4; n++) code |= (digits[(b / 32 * 128) + (32 * n) + (b % 32)] + 1) << (2 * n);
                blocks[b] = (byte)code;
            }

            Unsafe.WriteUnaligned(blocks + 64, d);
        }
    }
}
