using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Q8_K: 256 values in 292 bytes, <c>w = d × q</c>, q a signed byte. ggml uses it for activations, but files may hold it.
/// Layout: d binary32, 256 quants, sixteen 16-bit sums of 16 quants each, which decoding does not need.
/// Source: llama.cpp, ggml-common.h and ggml-quants.c, block_q8_K.
/// </summary>
internal readonly unsafe struct Q8_K : IWeightFormat
{
    private const int Bytes = 292, Quants = 4, Sums = 260;

    public static FormatInfo Info { get; } = new("Q8_K", 15, 256, Bytes);

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 256)
        {
            float d = Unsafe.ReadUnaligned<float>(blocks);
            for (int i = 0; i < 256; i++) values[i] = d * (sbyte)blocks[Quants + i];
        }
    }

    public static void Decode(byte* blocks, long blockCount, float* values)
    {
        if (!Isa.HasAvx2)
        {
            DecodeScalar(blocks, blockCount, values);
            return;
        }

        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 256)
        {
            float d = Unsafe.ReadUnaligned<float>(blocks);
            for (int i = 0; i < 256; i += 16) Widening.Store(Vector128.Load((sbyte*)blocks + Quants + i), d, values + i);
        }
    }

    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        float* ones = stackalloc float[256];
        new Span<float>(ones, 256).Fill(1);
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 256)
        {
            bool isWeighed = importance != null && new Span<float>(importance, 256).ContainsAnyExcept(0f);
            float d = SubBlockSearch.Symmetric<Signed8>(values, isWeighed ? importance : ones, 256);
            sbyte* quants = (sbyte*)blocks + Quants;
            Unsafe.WriteUnaligned(blocks, d);
            SubBlockSearch.Codes<Signed8>(values, 256, d, 0, quants);
            for (int j = 0; j < 16; j++)
            {
                int sum = 0;
                for (int i = 0; i < 16; i++) sum += quants[(16 * j) + i];
                Unsafe.WriteUnaligned(blocks + Sums + (2 * j), (short)sum);
            }

            if (importance != null) importance += 256;
        }
    }
}
