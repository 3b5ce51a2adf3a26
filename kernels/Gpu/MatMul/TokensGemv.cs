using ILGPU;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>
/// <c>y = x Wᵀ + bias</c> for two to eight tokens, weights read once; for more, once for each eight. A warp computes two rows; its lanes take pieces in turn, so that each load of the warp is 512 bytes on end.
/// Grid: (pairs of rows over warps of a group, tokens in eights × heads).
/// </summary>
internal static class TokensGemv<TRow, TTokens>
    where TRow : unmanaged, IGemvRow
    where TTokens : unmanaged, ITokenCount
{
    private const int Rows = TokensGemv.Rows;

    /// <param name="memory">The arena.</param>
    /// <param name="a">Activations and products.</param>
    [JoinsPieces]
    public static void Kernel(DeviceMemory memory, GemvArguments a)
    {
        TRow row = default;
        int eight = Grid.IdxY / a.Heads.Count, token = eight * default(TTokens).Count, head = Grid.IdxY - (eight * a.Heads.Count);
        GemvPlace place = a.Find((Grid.IdxX * (Group.DimX >> 5)) + (Group.IdxX >> 5), Rows);
        GemvPart part = place.Part.At(token, head, a.Heads.ApartInY);
        a = a.At(token, head);
        if (place.Row >= part.Weights.Rows) return;
        int pieces = row.Pieces(part.Weights);
        long first = part.FirstRow + place.Row, second = place.Row + 1 < part.Weights.Rows ? first + 1 : first;
        RowAddress r0 = row.At(memory, part.Weights, first), r1 = row.At(memory, part.Weights, second);
        GemvSums sums = default;
        for (int piece = Group.IdxX & 31; piece < pieces; piece += 32)
        {
            RawBlock w0 = row.Read(memory, r0, piece, 0), w1 = row.Read(memory, r1, piece, 0);
            GemvActivations x = row.Read(memory, row.Activations(memory, a, 0, pieces), piece, 0);
            sums.A0 += row.Factor(x) * row.Dot(w0, x);
            sums.B0 += row.Factor(x) * row.Dot(w1, x);
            if (default(TTokens).Count > 1)
            {
                x = row.Read(memory, row.Activations(memory, a, Token(a, 1), pieces), piece, 0);
                sums.A1 += row.Factor(x) * row.Dot(w0, x);
                sums.B1 += row.Factor(x) * row.Dot(w1, x);
            }

            if (default(TTokens).Count > 2)
            {
                x = row.Read(memory, row.Activations(memory, a, Token(a, 2), pieces), piece, 0);
                sums.A2 += row.Factor(x) * row.Dot(w0, x);
                sums.B2 += row.Factor(x) * row.Dot(w1, x);
                x = row.Read(memory, row.Activations(memory, a, Token(a, 3), pieces), piece, 0);
                sums.A3 += row.Factor(x) * row.Dot(w0, x);
                sums.B3 += row.Factor(x) * row.Dot(w1, x);
            }

            if (default(TTokens).Count > 4)
            {
                x = row.Read(memory, row.Activations(memory, a, Token(a, 4), pieces), piece, 0);
                sums.A4 += row.Factor(x) * row.Dot(w0, x);
                sums.B4 += row.Factor(x) * row.Dot(w1, x);
                x = row.Read(memory, row.Activations(memory, a, Token(a, 5), pieces), piece, 0);
                sums.A5 += row.Factor(x) * row.Dot(w0, x);
                sums.B5 += row.Factor(x) * row.Dot(w1, x);
                x = row.Read(memory, row.Activations(memory, a, Token(a, 6), pieces), piece, 0);
                sums.A6 += row.Factor(x) * row.Dot(w0, x);
                sums.B6 += row.Factor(x) * row.Dot(w1, x);
                x = row.Read(memory, row.Activations(memory, a, Token(a, 7), pieces), piece, 0);
                sums.A7 += row.Factor(x) * row.Dot(w0, x);
                sums.B7 += row.Factor(x) * row.Dot(w1, x);
            }
        }

        GemvSums.Store<TTokens>(memory, a.Tokens, part, place.Row, sums);
    }

    // Tokens that are not there repeat the last one.
    private static int Token(GemvArguments a, int token) => IntrinsicMath.Min(token, a.Tokens - 1);
}

/// <summary>How that kernel shares rows.</summary>
internal static class TokensGemv
{
    /// <summary>Rows of a warp.</summary>
    public const int Rows = 2;
}
