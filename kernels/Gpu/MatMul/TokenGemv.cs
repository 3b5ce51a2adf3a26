using ILGPU;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>
/// <c>y = x Wᵀ + bias</c> for one token: as fast as memory gives the weights. A team of one, two or four warps (<see cref="GemvArguments.TeamShift"/>) computes four rows; its lanes take pieces in
/// turn, so that each load of a warp is 512 bytes on end, and read the next piece of all four rows before they multiply the one in hand. Grid: fours of rows over teams of a group.
/// </summary>
internal static class TokenGemv<TRow>
    where TRow : unmanaged, IGemvRow
{
    private const int Rows = TokenGemv.Rows;

    /// <param name="memory">The arena.</param>
    /// <param name="a">Activations and products.</param>
    public static void Kernel(DeviceMemory memory, GemvArguments a)
    {
        ArrayView<float> parts = SharedMemory.Allocate<float>(TokenGemv.MostWarps * Rows);
        TRow row = default;
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5, team = warp >> a.TeamShift, member = warp & ((1 << a.TeamShift) - 1);
        GemvPlace place = a.Find((Grid.IdxX * (Group.DimX >> (5 + a.TeamShift))) + team, Rows);
        GemvPart part = place.Part;
        DeviceWeights w = part.Weights;
        int pieces = row.Pieces(w), left = w.Rows - 1 - place.Row, stride = 32 << a.TeamShift, begin = 32 * member;

        // Rows behind the last one are the last one again, and so are pieces.
        long first = (part.FirstRow + place.Row) * pieces;
        int second = IntrinsicMath.Min(1, left) * pieces, third = IntrinsicMath.Min(2, left) * pieces, fourth = IntrinsicMath.Min(3, left) * pieces;
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        if (left >= 0 && begin < pieces)
        {
            int piece = IntrinsicMath.Min(begin + lane, pieces - 1);
            long at = first + piece;
            RawBlock w0 = row.Read(memory, w, at), w1 = row.Read(memory, w, at + second), w2 = row.Read(memory, w, at + third), w3 = row.Read(memory, w, at + fourth);
            while (true)
            {
                int now = piece;
                bool isLane = begin + lane < pieces;
                RawBlock n0 = w0, n1 = w1, n2 = w2, n3 = w3;
                begin += stride;
                GemvActivations x = row.Activations(memory, a, 0, now, pieces);
                if (begin < pieces)
                {
                    piece = IntrinsicMath.Min(begin + lane, pieces - 1);
                    at = first + piece;
                    (n0, n1, n2, n3) = (row.Read(memory, w, at), row.Read(memory, w, at + second), row.Read(memory, w, at + third), row.Read(memory, w, at + fourth));
                }

                // Reads stay above it, so that they are under way while the pieces in hand are multiplied.
                Warp.Barrier();
                float one = isLane ? 1f : 0f;
                s0 += one * row.Dot(w0, x, now);
                s1 += one * row.Dot(w1, x, now);
                s2 += one * row.Dot(w2, x, now);
                s3 += one * row.Dot(w3, x, now);
                if (begin >= pieces) break;
                (w0, w1, w2, w3) = (n0, n1, n2, n3);
            }
        }

        // Half of the lanes go on with two rows each, a quarter with one: lanes 8 r to 8 r + 7 add up row r.
        bool isUpper = (lane & 16) != 0, isOdd = (lane & 8) != 0;
        float low = (isUpper ? s2 : s0) + Warp.ShuffleXor(isUpper ? s0 : s2, 16), high = (isUpper ? s3 : s1) + Warp.ShuffleXor(isUpper ? s1 : s3, 16);
        float sum = (isOdd ? high : low) + Warp.ShuffleXor(isOdd ? low : high, 8);
        sum += Warp.ShuffleXor(sum, 4);
        sum += Warp.ShuffleXor(sum, 2);
        sum += Warp.ShuffleXor(sum, 1);
        int mine = lane >> 3;
        if (a.TeamShift > 0)
        {
            if ((lane & 7) == 0) parts[(warp * Rows) + mine] = sum;
            Group.Barrier();
            if (member != 0) return;
            sum = parts[(warp * Rows) + mine];
            for (int other = 1; other < 1 << a.TeamShift; other++) sum += parts[((warp + other) * Rows) + mine];
        }

        if ((lane & 7) != 0 || mine > left) return;
        if (part.Bias >= 0) sum += memory.Floats[(part.Bias >> 2) + place.Row + mine];
        memory.Floats[part.Y.Row(0) + place.Row + mine] = sum;
    }
}

/// <summary>How groups of that kernel are made up.</summary>
internal static class TokenGemv
{
    /// <summary>Rows of a team.</summary>
    public const int Rows = 4;

    /// <summary>Most warps of a group.</summary>
    public const int MostWarps = 4;

    /// <summary>Warps that share rows, as many as have two pieces a lane each: 0 for one, 1 for two, 2 for four.</summary>
    public static int TeamShift(int pieces, int warps) => pieces >= 256 && warps >= 4 ? 2 : pieces >= 128 && warps >= 2 ? 1 : 0;
}
