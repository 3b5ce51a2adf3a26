using ILGPU;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>What products of one token share: a warp's two rows.</summary>
internal static class TokenGemv
{
    /// <summary>Adds a piece of both rows, if they have it. It is multiplied all the same: with branches between them products would not be mixed.</summary>
    public static void Add<TRow>(ref float s0, ref float s1, TRow row, RawBlock w0, RawBlock w1, GemvActivations x, bool isPiece)
        where TRow : unmanaged, IGemvRow
    {
        float first = row.Dot(w0, x), second = row.Dot(w1, x), factor = row.Factor(x);
        s0 = isPiece ? s0 + (factor * first) : s0;
        s1 = isPiece ? s1 + (factor * second) : s1;
    }

    /// <summary>Adds the lanes up and writes both rows. Half of the lanes go on with one row each: lane 0 writes the first and lane 16 the second.</summary>
    public static void Store(DeviceMemory memory, GemvPlace place, int lane, float s0, float s1)
    {
        bool isUpper = (lane & 16) != 0;
        float sum = (isUpper ? s1 : s0) + Lane.Xor(isUpper ? s0 : s1, 16);
        sum += Lane.Xor(sum, 8);
        sum += Lane.Xor(sum, 4);
        sum += Lane.Xor(sum, 2);
        sum += Lane.Xor(sum, 1);
        int mine = place.Row + (lane >> 4);
        if ((lane & 15) != 0 || mine >= place.Part.Weights.Rows) return;
        if (place.Part.Bias >= 0) sum += memory.Floats[(place.Part.Bias >> 2) + mine];
        memory.Floats[place.Part.Y.Row(0) + mine] = sum;
    }
}

/// <summary>
/// <c>y = x Wᵀ + bias</c> for one token: as fast as memory gives the weights. A warp computes two rows; its lanes take two pieces of each at once, so that each load of the warp is 512 bytes
/// on end, and read the next ones before they multiply those in hand. Grid: (pairs of rows over warps of a group, heads).
/// </summary>
internal static class TokenGemv<TRow>
    where TRow : unmanaged, IGemvRow
{
    private const int Rows = TokensGemv.Rows;

    /// <param name="memory">The arena.</param>
    /// <param name="a">Activations and products.</param>
    [JoinsPieces]
    [MostRegisters(128)]
    public static void Kernel(DeviceMemory memory, GemvArguments a) => Run(memory, a);

    /// <summary>The same of floating-point weights, which need less and gain from more warps.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="a">Activations and products.</param>
    [JoinsPieces]
    [MostRegisters(80)]
    public static void FloatKernel(DeviceMemory memory, GemvArguments a) => Run(memory, a);

    private static void Run(DeviceMemory memory, GemvArguments a)
    {
        TRow row = default;
        int lane = Group.IdxX & 31;
        GemvPlace place = a.Find((Grid.IdxX * (Group.DimX >> 5)) + (Group.IdxX >> 5), Rows);
        GemvPart part = place.Part.At(0, Grid.IdxY, a.Heads.ApartInY);
        a = a.At(0, Grid.IdxY);
        DeviceWeights w = part.Weights;
        if (place.Row >= w.Rows) return;
        int pieces = row.Pieces(w), left = pieces - lane, piece = lane;
        long first = part.FirstRow + place.Row, second = place.Row + 1 < w.Rows ? first + 1 : first;
        RowAddress r0 = row.At(memory, w, first), r1 = row.At(memory, w, second);
        ActivationAddress x = row.Activations(memory, a, 0, pieces);
        float s0 = 0, s1 = 0;

        // Weights are on their way to the second-level cache while the activations are being made.
        ulong own = (uint)lane * 16UL;
        Lane.Prefetch(r0.Quants + own);
        Lane.Prefetch(r1.Quants + own);
        Lane.Prefetch(r0.Quants + own + 512);
        Lane.Prefetch(r1.Quants + own + 512);
        Lane.WaitForKernelsBefore();
        RawBlock a0 = row.Read(memory, r0, piece, 0), a1 = row.Read(memory, r1, piece, 0), a2 = row.Read(memory, r0, piece, 1), a3 = row.Read(memory, r1, piece, 1);
        while (true)
        {
            // What is read behind the end of a row is not used.
            GemvActivations x0 = row.Read(memory, x, piece, 0), x1 = row.Read(memory, x, piece, 1);
            RawBlock b0 = default, b1 = default, b2 = default, b3 = default;
            int next = piece + 64;
            if (pieces > 64) (b0, b1, b2, b3) = (row.Read(memory, r0, next, 0), row.Read(memory, r1, next, 0), row.Read(memory, r0, next, 1), row.Read(memory, r1, next, 1));

            // Reads stay above it, so that they are under way while the pieces in hand are multiplied.
            Lane.Barrier();
            TokenGemv.Add(ref s0, ref s1, row, a0, a1, x0, left > 0);
            TokenGemv.Add(ref s0, ref s1, row, a2, a3, x1, left > 32);
            pieces -= 64;
            left -= 64;
            if (pieces <= 0) break;
            GemvActivations x2 = row.Read(memory, x, next, 0), x3 = row.Read(memory, x, next, 1);
            piece = next + 64;
            if (pieces > 64) (a0, a1, a2, a3) = (row.Read(memory, r0, piece, 0), row.Read(memory, r1, piece, 0), row.Read(memory, r0, piece, 1), row.Read(memory, r1, piece, 1));
            Lane.Barrier();
            TokenGemv.Add(ref s0, ref s1, row, b0, b1, x2, left > 0);
            TokenGemv.Add(ref s0, ref s1, row, b2, b3, x3, left > 32);
            pieces -= 64;
            left -= 64;
            if (pieces <= 0) break;
        }

        TokenGemv.Store(memory, new GemvPlace(part, place.Row), lane, s0, s1);
    }
}
