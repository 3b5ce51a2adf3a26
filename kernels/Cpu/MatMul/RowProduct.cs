using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.MatMul;

/// <summary>
/// A product <c>y[t, r] = Σ_k x[t, k] · w[r, k] + bias[r]</c> with few tokens t, computed row by row straight from the stored blocks. What a row kernel needs,
/// as addresses and numbers.
/// </summary>
internal unsafe struct RowProduct
{
    /// <summary>First weight block; rows follow each other.</summary>
    public byte* Weights;

    /// <summary>Bytes from a row to the next.</summary>
    public long RowBytes;

    /// <summary>Values in a row.</summary>
    public int Cols;

    /// <summary>Number of tokens.</summary>
    public int Tokens;

    /// <summary>Activations: binary32 rows, or the memory of <see cref="Formats.Q8Vector"/>s.</summary>
    public byte* X;

    /// <summary>Bytes from a token's activations to the next.</summary>
    public long XBytes;

    /// <summary>[rows] or null.</summary>
    public float* Bias;

    /// <summary>[tokens, rows], <see cref="YStride"/> values from token to token.</summary>
    public float* Y;

    /// <summary>Values from a token's outputs to the next.</summary>
    public int YStride;

    /// <summary>Stores one output.</summary>
    public readonly void Store(int token, int row, float value) => Y[((long)token * YStride) + row] = Bias == null ? value : value + Bias[row];
}

/// <summary>
/// Rows from…to of a <see cref="RowProduct"/>, as a job: the format's kernel comes as a function pointer, because a job is shared between threads by
/// address and holds no references.
/// </summary>
internal readonly unsafe struct RowJob(RowProduct product, delegate*<in RowProduct, int, int, void> kernel) : ITeamJob
{
    private readonly RowProduct _product = product;
    private readonly delegate*<in RowProduct, int, int, void> _kernel = kernel;

    public void Run(int from, int to, int worker) => _kernel(in _product, from, to);
}

/// <summary>The inside of a row kernel: four rows and a token.</summary>
internal interface IFourRows
{
    /// <summary>Four sums of products: of <paramref name="row"/> and the three rows that follow <paramref name="step"/> rows apart (0: four times the same).</summary>
    static abstract Vector128<float> Multiply(in RowProduct p, int token, int row, int step);
}

/// <summary>
/// Rows of a product, four at a time, a quarter of the range apart: each is a long sequential stream of its own, because what limits a token is how many
/// misses are under way, not instructions. A further token uses the four rows while they are in the first-level cache.
/// </summary>
internal static class FourRows<T>
    where T : struct, IFourRows
{
    /// <summary>Rows <paramref name="from"/> to <paramref name="to"/>, not included.</summary>
    public static void Run(in RowProduct p, int from, int to)
    {
        int quarter = (to - from) / 4;
        for (int i = 0; i < quarter; i++)
        {
            int row = from + i;
            for (int token = 0; token < p.Tokens; token++)
            {
                Vector128<float> sums = T.Multiply(in p, token, row, quarter);
                for (int j = 0; j < 4; j++) p.Store(token, row + (j * quarter), sums.GetElement(j));
            }
        }

        for (int row = from + (4 * quarter); row < to; row++)
            for (int token = 0; token < p.Tokens; token++) p.Store(token, row, T.Multiply(in p, token, row, 0).ToScalar());
    }
}
