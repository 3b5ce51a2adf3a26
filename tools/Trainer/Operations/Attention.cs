using System.Numerics;
using Quern.Trainer.Products;

namespace Quern.Trainer.Operations;

/// <summary>Sizes of one attention over a batch of sequences of equal length.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Heads with their own keys and values.</param>
/// <param name="HeadLength">Values in a head.</param>
/// <param name="Length">Tokens of a sequence.</param>
internal readonly record struct AttentionShape(int Heads, int KvHeads, int HeadLength, int Length)
{
    /// <summary>Values of a token's queries, keys and values together.</summary>
    public int QkvWidth => (Heads + (2 * KvHeads)) * HeadLength;

    /// <summary>Values of a token's result.</summary>
    public int Width => Heads * HeadLength;
}

/// <summary>
/// Causal attention with grouped heads; a token sees the keys of its own document only. For one head, with s = 1/√d:
/// <code>
/// P = softmax(s Q Kᵀ)      O = P V
/// dV = Pᵀ dO      dP = dO Vᵀ      dS = s P (dP − rowsum(P dP))      dQ = dS K      dK = dSᵀ Q
/// </code>
/// P is not kept: its rows come back from the logarithm of their sums, block by block. Source: Vaswani et al. 2017, arXiv 1706.03762; Ainslie et al. 2023,
/// arXiv 2305.13245; Dao et al. 2022, arXiv 2205.14135. One call does one sequence and one key head with all query heads that share it.
/// </summary>
internal sealed unsafe class Attention<T> : IDisposable
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int QueriesPerBlock = 64;
    private readonly AttentionShape _shape;
    private readonly Values<T> _memory;
    private readonly T* _keysAcross, _valuesAcross, _keys, _values, _block, _scores, _slopes;
    private readonly int _stride;
    private readonly T _scale;

    /// <summary>Takes the memory of one thread.</summary>
    public Attention(AttentionShape shape)
    {
        _shape = shape;
        _scale = T.CreateChecked(1 / Math.Sqrt(shape.HeadLength));

        // Rows whose distance is no power of two fall into different sets of the cache.
        _stride = (Panels.Count<T>(shape.Length) * Tile.Cols<T>()) + 16;
        long across = Panels.Length<T>(shape.HeadLength, shape.Length), down = Panels.Length<T>(shape.Length, shape.HeadLength);
        long block = Panels.Length<T>(QueriesPerBlock, shape.HeadLength), scores = (long)QueriesPerBlock * _stride;
        _memory = new Values<T>((2 * (across + down + scores)) + block);
        _keysAcross = _memory.First;
        _valuesAcross = _keysAcross + across;
        _keys = _valuesAcross + across;
        _values = _keys + down;
        _block = _values + down;
        _scores = _block + block;
        _slopes = _scores + scores;
    }

    /// <param name="qkv">[tokens of the sequence, QkvWidth], queries and keys turned.</param>
    /// <param name="firstKeys">[tokens], the first key that each token sees; never falls.</param>
    /// <param name="kvHead">The key head.</param>
    /// <param name="y">[tokens, Width].</param>
    /// <param name="logSums">[tokens, Heads], the logarithms of the softmax's sums.</param>
    public void Forward(T* qkv, ReadOnlySpan<int> firstKeys, int kvHead, T* y, T* logSums)
    {
        Source source = new(_shape, qkv, kvHead);
        int d = _shape.HeadLength, group = _shape.Heads / _shape.KvHeads;
        Panels.Pack(source.Keys, 1, _shape.QkvWidth, d, _shape.Length, _keysAcross);
        Panels.Pack(source.Values, _shape.QkvWidth, 1, _shape.Length, d, _values);
        for (int head = kvHead * group; head < (kvHead + 1) * group; head++)
            for (int first = 0; first < _shape.Length; first += QueriesPerBlock)
            {
                Block block = new(firstKeys, first, Math.Min(QueriesPerBlock, _shape.Length - first));
                Scores(source.Query(head, first), block);
                for (int row = 0; row < block.Rows; row++)
                {
                    T* scores = _scores + ((nint)row * _stride);
                    (int from, int to) = Seen(block, firstKeys, row, scores);
                    T shift = Rows.Max(scores + from, to - from) * _scale;
                    T sum = Rows.Exp(scores + from, _scale, shift, to - from, scores + from);
                    Rows.Scale(scores + from, T.One / sum, to - from);
                    logSums[((nint)(first + row) * _shape.Heads) + head] = shift + T.Log(sum);
                }

                T* target = y + ((nint)first * _shape.Width) + (head * d);
                Panels.Multiply(new Strided<T>(_scores, _stride, 1), block.Rows, Down(_values, block), _shape.Length, block.Keys, d, target, _shape.Width, false);
            }
    }

    /// <param name="dy">[tokens, Width].</param>
    /// <param name="qkv">As in <see cref="Forward"/>.</param>
    /// <param name="firstKeys">As in <see cref="Forward"/>.</param>
    /// <param name="kvHead">The key head.</param>
    /// <param name="logSums">What <see cref="Forward"/> wrote.</param>
    /// <param name="dqkv">[tokens, QkvWidth]: the gradient, before turning back; the places of this key head and its query heads are written.</param>
    public void Backward(T* dy, T* qkv, ReadOnlySpan<int> firstKeys, int kvHead, T* logSums, T* dqkv)
    {
        Source source = new(_shape, qkv, kvHead), target = new(_shape, dqkv, kvHead);
        int d = _shape.HeadLength, width = _shape.QkvWidth, group = _shape.Heads / _shape.KvHeads;
        Panels.Pack(source.Keys, 1, width, d, _shape.Length, _keysAcross);
        Panels.Pack(source.Values, 1, width, d, _shape.Length, _valuesAcross);
        Panels.Pack(source.Keys, width, 1, _shape.Length, d, _keys);
        for (int token = 0; token < _shape.Length; token++)
        {
            new Span<T>(target.Keys + ((nint)token * width), d).Clear();
            new Span<T>(target.Values + ((nint)token * width), d).Clear();
        }

        for (int head = kvHead * group; head < (kvHead + 1) * group; head++)
            for (int first = 0; first < _shape.Length; first += QueriesPerBlock)
            {
                Block block = new(firstKeys, first, Math.Min(QueriesPerBlock, _shape.Length - first));
                T* query = source.Query(head, first), dout = dy + ((nint)first * _shape.Width) + (head * d);
                Scores(query, block);
                Panels.Multiply(new Strided<T>(dout, _shape.Width, 1), block.Rows, Across(_valuesAcross, block), d, d, block.Keys, _slopes, _stride, false);
                for (int row = 0; row < block.Rows; row++)
                {
                    T* scores = _scores + ((nint)row * _stride), slopes = _slopes + ((nint)row * _stride);
                    (int from, int to) = Seen(block, firstKeys, row, scores);
                    Rows.Exp(scores + from, _scale, logSums[((nint)(first + row) * _shape.Heads) + head], to - from, scores + from);
                    Slope(scores, slopes, from, to, block.Keys);
                }

                Strided<T> down = new(_slopes, _stride, 1);
                Panels.Multiply(down, block.Rows, Down(_keys, block), _shape.Length, block.Keys, d, target.Query(head, first), width, false);
                Spread(_scores, block, dout, _shape.Width, target.Values);
                Spread(_slopes, block, query, width, target.Keys);
            }
    }

    public void Dispose() => _memory.Dispose();

    private void Scores(T* query, in Block block) =>
        Panels.Multiply(
            new Strided<T>(query, _shape.QkvWidth, 1), block.Rows, Across(_keysAcross, block), _shape.HeadLength, _shape.HeadLength, block.Keys, _scores, _stride, false);

    /// <summary><c>dS = s P (dP − Σ P dP)</c> in place of dP; zero where nothing is seen.</summary>
    private void Slope(T* p, T* dp, int from, int to, int keys)
    {
        T mean = Rows.Dot(p + from, dp + from, to - from);
        new Span<T>(dp, from).Clear();
        for (int i = from; i < to; i++) dp[i] = _scale * p[i] * (dp[i] - mean);
        new Span<T>(dp + to, keys - to).Clear();
    }

    /// <summary>Adds <c>aᵀ b</c> to rows of a gradient: a is [queries, keys of the block], b [queries, head length].</summary>
    private void Spread(T* a, in Block block, T* b, int bStride, T* target)
    {
        int d = _shape.HeadLength;
        Panels.Pack(b, bStride, 1, block.Rows, d, _block);
        T* rows = target + ((nint)block.FirstKey * _shape.QkvWidth);
        Panels.Multiply(new Strided<T>(a, 1, _stride), block.Keys, _block, block.Rows, block.Rows, d, rows, _shape.QkvWidth, true);
    }

    /// <summary>The columns of a row of scores that its token sees; the others become zero.</summary>
    private static (int From, int To) Seen(in Block block, ReadOnlySpan<int> firstKeys, int row, T* scores)
    {
        int from = firstKeys[block.First + row] - block.FirstKey, to = block.First + row + 1 - block.FirstKey;
        new Span<T>(scores, from).Clear();
        new Span<T>(scores + to, block.Keys - to).Clear();
        return (from, to);
    }

    private T* Across(T* panels, in Block block) => panels + ((nint)block.FirstKey * _shape.HeadLength);

    private static T* Down(T* panels, in Block block) => panels + ((nint)block.FirstKey * Tile.Cols<T>());

    /// <summary>Some queries, and the keys that any of them sees, from the beginning of a panel on.</summary>
    private readonly record struct Block(int First, int Rows, int FirstKey)
    {
        public Block(ReadOnlySpan<int> firstKeys, int first, int rows)
            : this(first, rows, firstKeys[first] / Tile.Cols<T>() * Tile.Cols<T>())
        {
        }

        public int Keys => First + Rows - FirstKey;
    }

    /// <summary>Where the parts of a token's [queries, keys, values] lie.</summary>
    private readonly ref struct Source(AttentionShape shape, T* qkv, int kvHead)
    {
        private readonly AttentionShape _shape = shape;
        private readonly T* _qkv = qkv;

        public T* Keys { get; } = qkv + ((nint)(shape.Heads + kvHead) * shape.HeadLength);

        public T* Values { get; } = qkv + ((nint)(shape.Heads + shape.KvHeads + kvHead) * shape.HeadLength);

        public T* Query(int head, int token) => _qkv + ((nint)token * _shape.QkvWidth) + (head * _shape.HeadLength);
    }
}
