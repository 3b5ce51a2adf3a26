using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// 32 values in 18 bytes, <c>w = d × codebook[q]</c>, with 16 unevenly spaced codes that fit normally distributed weights.
/// Bytes: 0 d, binary16; 2…17 q, of value i in the low nibble of byte 2 + i, of value 16 + i in its high nibble.
/// Source: ggml, block_iq4_nl and kvalues_iq4nl in ggml-common.h; ggml type 20.
/// </summary>
internal readonly unsafe struct IQ4_NL : IByteCodes
{
    private const int Bytes = 18, Packed = 2;

    public static FormatInfo Info { get; } = new("IQ4_NL", 20, 32, Bytes);

    public static ActivationKind Activation => ActivationKind.Q8Of32;

    /// <summary>The code of each nibble, ascending.</summary>
    public static ReadOnlySpan<sbyte> Codebook => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    public static void DecodeScalar(byte* blocks, long blockCount, float* values)
    {
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            float d = Scale(blocks);
            for (int i = 0; i < 16; i++)
            {
                values[i] = d * Codebook[blocks[Packed + i] & 15];
                values[16 + i] = d * Codebook[blocks[Packed + i] >> 4];
            }
        }
    }

    public static void Decode(byte* blocks, long blockCount, float* values) => ByteCodes.Decode<IQ4_NL>(blocks, blockCount, values);

    public static float DotScalar(byte* block, in Q8Vector x, int index)
    {
        sbyte* a = x.Q + (32 * index);
        int sum = 0;
        for (int i = 0; i < 16; i++) sum += (Codebook[block[Packed + i] & 15] * a[i]) + (Codebook[block[Packed + i] >> 4] * a[16 + i]);
        return Scale(block) * x.D[index] * sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Step(byte* block, in Q8Vector x, int index, Vector256<float> sum) => ByteDot.Accumulate(
        ByteDot.Signed(Codes(block), Vector256.Load(x.Q + (32 * index))), ScaleLanes(block), x.D + index, sum);
    /// <summary>The codes + 128, as unsigned bytes.</summary>
    public static byte[] RaisedCodebook { get; } = [.. Codebook.ToArray().Select(code => (byte)(code + 128))];

    public static InterleavedLayout Layout { get; } = new("IQ4_NL", 4, ScaleKind.Half, 128) { Codebook = RaisedCodebook };

    public static Vector256<byte> StepCodes(byte* block, int step) => ByteCodes.Nibbles(block + Packed);

    public static (ushort Scale, ushort Minimum) BlockScales(byte* block) => (Unsafe.ReadUnaligned<ushort>(block), 0);

    // The plain mapping of the peak to the end of the range is poor for uneven codes, so a scale is searched for even without importance.
    public static void Quantize(float* values, float* importance, long blockCount, byte* blocks)
    {
        sbyte* codes = stackalloc sbyte[32];
        float* ones = stackalloc float[32];
        new Span<float>(ones, 32).Fill(1);
        for (; blockCount > 0; blockCount--, blocks += Bytes, values += 32)
        {
            new Span<sbyte>(codes, 32).Fill(1);
            Unsafe.WriteUnaligned(blocks, ScaleSearch.Search<UnevenCodes>(values, importance == null ? ones : importance, 0, codes));
            for (int i = 0; i < 16; i++) blocks[Packed + i] = (byte)(Codebook.IndexOf(codes[i]) | (Codebook.IndexOf(codes[16 + i]) << 4));
            if (importance != null) importance += 32;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(byte* block) => Float16.ToSingle(Unsafe.ReadUnaligned<ushort>(block));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> ScaleLanes(byte* block) => Float16.Broadcast256(block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Codes(byte* block) =>
        Avx2.Shuffle(ByteCodes.Repeat256(Codebook), ByteCodes.Nibbles(block + Packed).AsSByte());

    internal readonly struct UnevenCodes : ICodeRange
    {
        public static float Lowest => -127;

        public static float Highest => 113;

        // A scale that maps the peak up to a tenth beyond the end of the range is worth a try.
        public static float StepSize => 1.4f;

        // Four steps of a binary search among the middles between codes, then the code itself. The number found so far picks the next middle.
        public static Vector256<float> Nearest(Vector256<float> values)
        {
            Vector256<int> n = -Vector256.GreaterThan(values, Vector256.Create(-4.5f)).AsInt32();
            n = Descend(values, n, Vector256.Create(-57, 45.5f, 0, 0, 0, 0, 0, 0));
            n = Descend(values, n, Vector256.Create(-93.5f, -28.5f, 19, 79, 0, 0, 0, 0));
            n = Descend(values, n, Vector256.Create(-115.5f, -74, -42, -16, 7, 31.5f, 61, 101));
            Vector256<int> inHalf = n & Vector256.Create(7);
            return Vector256.ConditionalSelect(
                Vector256.GreaterThan(n, Vector256.Create(7)).AsSingle(),
                Vector256.Shuffle(Vector256.Create(1f, 13, 25, 38, 53, 69, 89, 113), inHalf),
                Vector256.Shuffle(Vector256.Create(-127f, -104, -83, -65, -49, -35, -22, -10), inHalf));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector256<int> Descend(Vector256<float> values, Vector256<int> n, Vector256<float> middles) =>
            n + n - Vector256.GreaterThan(values, Vector256.Shuffle(middles, n)).AsInt32();
    }
}
