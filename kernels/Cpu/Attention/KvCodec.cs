using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Cpu.Numerics;

namespace Quern.Kernels.Cpu.Attention;

/// <summary>
/// How the keys and the values of one head lie in a page, by type, and the way there and back. Numbers: keys as <c>[length][32 tokens]</c>, values as <c>[32 tokens][length]</c>. Types of blocks
/// (<see cref="KvType.Q8_0"/>, <see cref="KvType.Q4_0"/>) have the codes in the same order and the binary16 scales behind them: of keys, each 32 of the length are <c>[32][32 tokens]</c> codes and
/// <c>[32 tokens]</c> scales; of values, <c>[32 tokens][length]</c> codes and <c>[32 tokens][length / 32]</c> scales. Codes of 4 bits lie in pairs, value i of a block beside value 16 + i.
/// Scales are rounded before codes are chosen for them.
/// Source: ggml, block_q8_0 and block_q4_0 in ggml-common.h, whose blocks these are in another order.
/// </summary>
internal static unsafe class KvCodec
{
    /// <summary>Values of a block.</summary>
    public const int Block = 32;

    private const int PageTokens = KvLayout.PageTokens;

    /// <summary>Values that are rounded before they are written where they belong, far apart.</summary>
    private const int Together = 64;

    /// <summary>Whether a type stores blocks of 32 values, so that lengths must be multiples of 32.</summary>
    public static bool HasBlocks(KvType type) => type is KvType.Q8_0 or KvType.Q4_0;

    /// <summary>Bytes of a head's keys, or of its values, in a page.</summary>
    /// <param name="type">Their type.</param>
    /// <param name="length">Values of each token.</param>
    public static long Bytes(KvType type, int length) => type switch
    {
        KvType.F32 => (long)length * PageTokens * sizeof(float),
        KvType.F16 or KvType.BF16 => (long)length * PageTokens * sizeof(ushort),
        _ => (long)length / Block * PageTokens * (CodeBytes(type) + sizeof(ushort)),
    };

    /// <summary>Writes a token's key.</summary>
    /// <param name="type">Type of the page.</param>
    /// <param name="key">[length].</param>
    /// <param name="length">Values of the key.</param>
    /// <param name="page">The head's keys in the page.</param>
    /// <param name="slot">The token in the page.</param>
    public static void StoreKey(KvType type, float* key, int length, byte* page, int slot)
    {
        switch (type)
        {
            case KvType.F32:
                for (int i = 0; i < length; i++) ((float*)page)[(i * PageTokens) + slot] = key[i];
                break;
            case KvType.F16 or KvType.BF16:
                ushort* narrowed = stackalloc ushort[Together];
                for (int i = 0; i < length; i += Together)
                {
                    int here = Math.Min(Together, length - i);
                    Narrow(type, key + i, here, narrowed);
                    for (int j = 0; j < here; j++) ((ushort*)page)[((i + j) * PageTokens) + slot] = narrowed[j];
                }

                break;
            default:
                byte* codes = stackalloc byte[Block];
                int rows = CodeBytes(type);
                for (int i = 0; i < length; i += Block, page += Bytes(type, Block))
                {
                    ushort scale = Quantize(type, key + i, codes);
                    for (int j = 0; j < rows; j++) page[(j * PageTokens) + slot] = codes[j];
                    ((ushort*)(page + (rows * PageTokens)))[slot] = scale;
                }

                break;
        }
    }

    /// <summary>Writes a token's value; see <see cref="StoreKey"/>.</summary>
    /// <param name="type">Type of the page.</param>
    /// <param name="value">[length].</param>
    /// <param name="length">Values to write.</param>
    /// <param name="stride">Values that a token has in the page.</param>
    /// <param name="page">The head's values in the page.</param>
    /// <param name="slot">The token in the page.</param>
    public static void StoreValue(KvType type, float* value, int length, int stride, byte* page, int slot)
    {
        switch (type)
        {
            case KvType.F32:
                new ReadOnlySpan<float>(value, length).CopyTo(new Span<float>((float*)page + ((nint)slot * stride), length));
                break;
            case KvType.F16 or KvType.BF16:
                Narrow(type, value, length, (ushort*)page + ((nint)slot * stride));
                break;
            default:
                int blocks = length / Block;
                byte* codes = page + (slot * blocks * CodeBytes(type));
                ushort* scales = (ushort*)(page + (PageTokens * blocks * CodeBytes(type))) + (slot * blocks);
                for (int i = 0; i < blocks; i++) scales[i] = Quantize(type, value + (i * Block), codes + (i * CodeBytes(type)));
                break;
        }
    }

    /// <summary>Copies a token's key as it is stored.</summary>
    /// <param name="type">Type of both pages.</param>
    /// <param name="page">The head's keys in the page.</param>
    /// <param name="slot">The token in the page.</param>
    /// <param name="length">Values of the key.</param>
    /// <param name="target">The head's keys in the page to write, which may be the same.</param>
    /// <param name="targetSlot">The token to write.</param>
    public static void CopyKey(KvType type, byte* page, int slot, int length, byte* target, int targetSlot)
    {
        switch (type)
        {
            case KvType.F32:
                Copy<float>(page, slot, length, target, targetSlot);
                break;
            case KvType.F16 or KvType.BF16:
                Copy<ushort>(page, slot, length, target, targetSlot);
                break;
            default:
                int codes = CodeBytes(type);
                for (int i = 0; i < length; i += Block, page += Bytes(type, Block), target += Bytes(type, Block))
                {
                    Copy<byte>(page, slot, codes, target, targetSlot);
                    Copy<ushort>(page + (codes * PageTokens), slot, 1, target + (codes * PageTokens), targetSlot);
                }

                break;
        }
    }

    /// <summary>Copies a token's value as it is stored; see <see cref="CopyKey"/>.</summary>
    /// <param name="type">Type of both pages.</param>
    /// <param name="page">The head's values in the page.</param>
    /// <param name="slot">The token in the page.</param>
    /// <param name="stride">Values that a token has in the page.</param>
    /// <param name="target">The head's values in the page to write, which may be the same.</param>
    /// <param name="targetSlot">The token to write.</param>
    public static void CopyValue(KvType type, byte* page, int slot, int stride, byte* target, int targetSlot)
    {
        // Codes, or numbers; then scales.
        long bytes = Bytes(type, stride) / PageTokens, scales = HasBlocks(type) ? stride / Block * sizeof(ushort) : 0, codes = bytes - scales;
        Buffer.MemoryCopy(page + (slot * codes), target + (targetSlot * codes), codes, codes);
        Buffer.MemoryCopy(page + (PageTokens * codes) + (slot * scales), target + (PageTokens * codes) + (targetSlot * scales), scales, scales);
    }

    /// <summary>A head's keys of a page as binary32 numbers <c>[length][32 tokens]</c>: where they lie, or in <paramref name="scratch"/>.</summary>
    public static float* WidenKeys(KvType type, byte* page, int length, float* scratch)
    {
        if (!HasBlocks(type)) return WidenNumbers(type, page, length * PageTokens, scratch);
        float* scales = stackalloc float[PageTokens];
        int rows = CodeBytes(type);
        float* target = scratch;
        for (int i = 0; i < length; i += Block, page += Bytes(type, Block), target += Block * PageTokens)
        {
            Float16.Widen((ushort*)(page + (rows * PageTokens)), PageTokens, scales);
            Vector512<float> low = Vector512.Load(scales), high = Vector512.Load(scales + 16);
            for (int j = 0; j < rows; j++)
            {
                Vector256<byte> codes = Vector256.Load(page + (j * PageTokens));
                if (type == KvType.Q8_0)
                {
                    Spread(codes.AsSByte(), low, high, target + (j * PageTokens));
                    continue;
                }

                Spread((codes & Vector256.Create((byte)15)).AsSByte() - Vector256.Create((sbyte)8), low, high, target + (j * PageTokens));
                Spread((codes >>> 4).AsSByte() - Vector256.Create((sbyte)8), low, high, target + ((16 + j) * PageTokens));
            }
        }

        return scratch;
    }

    /// <summary>A head's values of a page as binary32 numbers <c>[32 tokens][length]</c>: where they lie, or in <paramref name="scratch"/>.</summary>
    public static float* WidenValues(KvType type, byte* page, int length, float* scratch)
    {
        if (!HasBlocks(type)) return WidenNumbers(type, page, length * PageTokens, scratch);
        int blocks = PageTokens * length / Block;
        ushort* scales = (ushort*)(page + (blocks * CodeBytes(type)));
        for (int i = 0; i < blocks; i++)
        {
            Vector512<float> scale = Vector512.Create(Float16.ToSingle(scales[i]));
            Vector256<sbyte> codes = type == KvType.Q8_0 ? Vector256.Load((sbyte*)page + (i * Block)) : Nibbles(page + (i * Block / 2)) - Vector256.Create((sbyte)8);
            Spread(codes, scale, scale, scratch + (i * Block));
        }

        return scratch;
    }

    // A column of [rows][32 tokens].
    private static void Copy<T>(byte* page, int slot, int rows, byte* target, int targetSlot)
        where T : unmanaged
    {
        for (int i = 0; i < rows; i++) ((T*)target)[(i * PageTokens) + targetSlot] = ((T*)page)[(i * PageTokens) + slot];
    }

    /// <summary>Codes of a block for its scale, which is returned as binary16.</summary>
    private static ushort Quantize(KvType type, float* values, byte* codes)
    {
        Vector512<float> low = Vector512.Load(values), high = Vector512.Load(values + 16);
        float highest = VectorMath.Largest(Vector512.Max(low, high)), lowest = -VectorMath.Largest(-Vector512.Min(low, high));

        // Four bits reach from -8 to 7: the number that is farthest from zero becomes -8.
        ushort scale = Float16.FromSingle(type == KvType.Q8_0 ? Math.Max(highest, -lowest) / 127 : (highest >= -lowest ? highest : lowest) / -8);
        float rounded = Float16.ToSingle(scale);
        Vector512<float> inverse = Vector512.Create(rounded == 0 ? 0 : 1 / rounded);
        int most = type == KvType.Q8_0 ? 127 : 7;
        Vector512<short> pairs = Vector512.Narrow(Code(low * inverse, most), Code(high * inverse, most));
        Vector256<sbyte> all = Vector256.Narrow(pairs.GetLower(), pairs.GetUpper());
        if (type == KvType.Q8_0)
        {
            all.Store((sbyte*)codes);
        }
        else
        {
            Vector256<byte> raised = (all + Vector256.Create((sbyte)8)).AsByte();
            (raised.GetLower() | (raised.GetUpper() << 4)).Store(codes);
        }

        return scale;
    }

    private static Vector512<int> Code(Vector512<float> values, int most) =>
        Vector512.Min(Vector512.Max(Vector512.ConvertToInt32(Vector512.Round(values)), Vector512.Create(-most - 1)), Vector512.Create(most));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Spread(Vector256<sbyte> codes, Vector512<float> low, Vector512<float> high, float* target)
    {
        (Vector256<short> first, Vector256<short> last) = Vector256.Widen(codes);
        (Vector256<int> a, Vector256<int> b) = Vector256.Widen(first);
        (Vector256<int> c, Vector256<int> d) = Vector256.Widen(last);
        (Vector512.ConvertToSingle(Vector512.Create(a, b)) * low).Store(target);
        (Vector512.ConvertToSingle(Vector512.Create(c, d)) * high).Store(target + 16);
    }

    private static Vector256<sbyte> Nibbles(byte* codes)
    {
        Vector128<byte> packed = Vector128.Load(codes);
        return Vector256.Create(packed & Vector128.Create((byte)15), packed >>> 4).AsSByte();
    }

    private static void Narrow(KvType type, float* source, int count, ushort* target)
    {
        if (type == KvType.F16) Float16.Narrow(source, count, target);
        else BF16.Quantize(source, null, count, (byte*)target);
    }

    private static float* WidenNumbers(KvType type, byte* page, int count, float* scratch)
    {
        if (type == KvType.F32) return (float*)page;
        if (type == KvType.F16) Float16.Widen((ushort*)page, count, scratch);
        else BF16.Decode(page, count, scratch);
        return scratch;
    }

    // Of a block.
    private static int CodeBytes(KvType type) => type == KvType.Q8_0 ? Block : Block / 2;
}
