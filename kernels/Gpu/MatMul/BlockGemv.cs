using ILGPU;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>A block of 32 activations: <c>x = D · q</c>.</summary>
internal struct BlockActivations
{
    /// <summary>Bytes 0…15.</summary>
    public Uint4 Low;

    /// <summary>Bytes 16…31.</summary>
    public Uint4 High;

    /// <summary>Scale.</summary>
    public float D;

    /// <summary>Sum of the first sixteen bytes in the lower half, of the last in the upper.</summary>
    public int Sums;
}

/// <summary>
/// <c>y = x Wᵀ + bias</c> for one to eight tokens, activations in bytes, weights read once. A warp computes two rows; its lanes take blocks of 32 in turn, so that each load of the warp is
/// 512 bytes on end, four of them under way for one token. Grid: pairs of rows over warps of a group.
/// </summary>
internal static class BlockGemv<TFormat, TTokens>
    where TFormat : unmanaged, IBlockFormat
    where TTokens : unmanaged, ITokenCount
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Activations and products.</param>
    public static void Kernel(DeviceMemory memory, GemvArguments a)
    {
        int pair = (Grid.IdxX * (Group.DimX >> 5)) + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        GemvPlace place = a.Find(pair);
        GemvPart part = place.Part;
        if (place.Pair >= part.Pairs) return;
        int row = place.Pair * 2;
        long first = part.FirstRow + row, second = row + 1 < part.Weights.Rows ? first + 1 : first;
        int blocks = part.Weights.Blocks, block = lane;
        GemvSums sums = default;
        if (default(TTokens).Count == 1)
        {
            for (; block + 32 < blocks; block += 64)
            {
                BlockCodes w0 = default(TFormat).Load(memory, part.Weights, first, block), w1 = default(TFormat).Load(memory, part.Weights, second, block);
                BlockCodes w2 = default(TFormat).Load(memory, part.Weights, first, block + 32), w3 = default(TFormat).Load(memory, part.Weights, second, block + 32);
                BlockActivations x0 = Activations(memory, a, 0, block, blocks), x1 = Activations(memory, a, 0, block + 32, blocks);
                sums.A0 += Dot(w0, x0) + Dot(w2, x1);
                sums.B0 += Dot(w1, x0) + Dot(w3, x1);
            }
        }

        for (; block < blocks; block += 32)
        {
            BlockCodes w0 = default(TFormat).Load(memory, part.Weights, first, block), w1 = default(TFormat).Load(memory, part.Weights, second, block);
            BlockActivations x = Activations(memory, a, 0, block, blocks);
            sums.A0 += Dot(w0, x);
            sums.B0 += Dot(w1, x);
            if (default(TTokens).Count > 1)
            {
                x = Activations(memory, a, 1, block, blocks);
                sums.A1 += Dot(w0, x);
                sums.B1 += Dot(w1, x);
            }

            if (default(TTokens).Count > 2)
            {
                x = Activations(memory, a, 2, block, blocks);
                sums.A2 += Dot(w0, x);
                sums.B2 += Dot(w1, x);
                x = Activations(memory, a, 3, block, blocks);
                sums.A3 += Dot(w0, x);
                sums.B3 += Dot(w1, x);
            }

            if (default(TTokens).Count > 4)
            {
                x = Activations(memory, a, 4, block, blocks);
                sums.A4 += Dot(w0, x);
                sums.B4 += Dot(w1, x);
                x = Activations(memory, a, 5, block, blocks);
                sums.A5 += Dot(w0, x);
                sums.B5 += Dot(w1, x);
                x = Activations(memory, a, 6, block, blocks);
                sums.A6 += Dot(w0, x);
                sums.B6 += Dot(w1, x);
                x = Activations(memory, a, 7, block, blocks);
                sums.A7 += Dot(w0, x);
                sums.B7 += Dot(w1, x);
            }
        }

        GemvSums.Store<TTokens>(memory, a.Tokens, part, row, sums);
    }

    /// <summary>A block of a token's activations; tokens that are not there repeat the last one.</summary>
    public static BlockActivations Activations(DeviceMemory memory, GemvArguments a, int token, int block, int blocks)
    {
        token = IntrinsicMath.Min(token, a.Tokens - 1);
        long place = ((long)token * blocks) + block;
        ArrayView<Uint4> bytes = memory.Bytes.Cast<Uint4>();
        return new BlockActivations
        {
            Low = bytes[(a.Quants >> 4) + (place * 2)],
            High = bytes[(a.Quants >> 4) + (place * 2) + 1],
            D = memory.Floats[(a.Scales >> 2) + (place * 2)],
            Sums = memory.Ints[(a.Scales >> 2) + (place * 2) + 1],
        };
    }

    /// <summary>The product of a block of weights and one of activations.</summary>
    public static float Dot(BlockCodes w, BlockActivations x)
    {
        int low = Lane.Dp4a(w.C3, x.Low.W, Lane.Dp4a(w.C2, x.Low.Z, Lane.Dp4a(w.C1, x.Low.Y, Lane.Dp4a(w.C0, x.Low.X, 0))));
        float product;
        if (default(TFormat).HasTwoScales)
        {
            int high = Lane.Dp4a(w.C7, x.High.W, Lane.Dp4a(w.C6, x.High.Z, Lane.Dp4a(w.C5, x.High.Y, Lane.Dp4a(w.C4, x.High.X, 0))));
            product = (w.Scale * low) + (w.UpperScale * high);
        }
        else
        {
            int all = Lane.Dp4a(w.C7, x.High.W, Lane.Dp4a(w.C6, x.High.Z, Lane.Dp4a(w.C5, x.High.Y, Lane.Dp4a(w.C4, x.High.X, low))));
            product = w.Scale * all;
        }

        if (default(TFormat).HasMinimum) product -= w.Minimum * (((x.Sums << 16) >> 16) + (x.Sums >> 16));
        return x.D * product;
    }
}
