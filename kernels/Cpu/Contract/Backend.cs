using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu;

/// <summary>How products with weights are computed.</summary>
public enum ComputeMode
{
    /// <summary>Activations may be quantised or narrowed where that pays. The default.</summary>
    Fast,

    /// <summary>Activations stay binary32, and so does every product.</summary>
    Exact,
}

/// <summary>
/// The operations that a forward pass is written in. Each works on whole tensors, is virtual once, and reads and writes only the memory of its own
/// back end. Parameters stand in the order source, scalars, destination; a destination may be a source where the operation is element by element.
/// One pass at a time: a back end belongs to one engine, while threads and weights are shared.
/// </summary>
public abstract class Backend : IDisposable
{
    /// <summary>What computes, for people: processor, tier, threads.</summary>
    public abstract string Description { get; }

    /// <summary>How products with weights are computed.</summary>
    public abstract ComputeMode Mode { get; }

    /// <summary>
    /// Where prompts are computed in bytes: the relative error of their products, <c>√(Σ (y' − y)² / Σ y²)</c>, against those of the same weights and activations in binary32, from sixteen outputs of some tokens of
    /// each matrix's first product. Null where none was.
    /// </summary>
    public virtual double? PromptError => null;

    /// <summary>Whether <see cref="BindMatrix"/> copies a matrix of a format, all of it: then its stored blocks are read once.</summary>
    public virtual bool Copies(WeightFormat format, int cols, MatrixUse use) => false;

    /// <summary>Makes a stored matrix usable: on a processor in place, on a card by upload.</summary>
    /// <param name="name">Tensor name, for messages.</param>
    /// <param name="format">Stored format.</param>
    /// <param name="count">Matrices stacked (experts), 1 otherwise.</param>
    /// <param name="rows">Outputs of each.</param>
    /// <param name="cols">Inputs of each.</param>
    /// <param name="address">Stored blocks; they stay where they are as long as the back end lives.</param>
    /// <param name="use">What for.</param>
    public abstract WeightMatrix BindMatrix(string name, WeightFormat format, int count, int rows, int cols, nint address, MatrixUse use = MatrixUse.Product);

    /// <summary>Makes a stored vector usable, as binary32.</summary>
    /// <param name="name">Tensor name, for messages.</param>
    /// <param name="format">Stored format.</param>
    /// <param name="length">Number of values.</param>
    /// <param name="address">Stored blocks.</param>
    public abstract WeightVector BindVector(string name, WeightFormat format, int length, nint address);

    /// <summary>Bytes that a cache may take where it does not lie in the machine's memory; null where it does.</summary>
    public virtual long? CacheMemory => null;

    /// <summary>Whether attention takes tokens of trees: see <see cref="Batch.AddTree"/>.</summary>
    public virtual bool TakesTrees => true;

    /// <summary>Makes a cache of keys and values.</summary>
    public abstract KvCache CreateKvCache(KvLayout layout);

    /// <summary>Takes a dense tensor <c>[rows, cols]</c> that lives until its owner disposes it: logits, for example.</summary>
    public abstract TensorBuffer Allocate(int rows, int cols);

    /// <summary>Begins a pass: every tensor that <see cref="Take"/> gave before is invalid from here.</summary>
    public abstract void BeginPass();

    /// <summary>Begins a pass over a batch. A back end whose memory is elsewhere brings the batch there, all at once.</summary>
    public virtual void BeginPass(Batch batch) => BeginPass();

    /// <summary>Says which layer the operations that follow belong to, until the next call. Called in ascending order; what comes before the first call lies before the layers.</summary>
    /// <param name="layer">Layer number; those of a decoder come behind those of its encoder, and behind the last one comes what lies behind the layers.</param>
    /// <param name="stream">The residual stream: all that passes from layer to layer.</param>
    public virtual void BeginLayer(int layer, Tensor stream)
    {
    }

    /// <summary>Copies a tensor's values out of the back end's memory, rows without gaps.</summary>
    /// <param name="source">[n, cols].</param>
    /// <param name="destination">[n × cols].</param>
    public virtual void Read(Tensor source, Span<float> destination)
    {
        for (int i = 0; i < source.Rows; i++) source.Row(i).CopyTo(destination[(i * source.Cols)..]);
    }

    /// <summary>Copies values into the back end's memory.</summary>
    /// <param name="source">[n × cols], rows without gaps.</param>
    /// <param name="destination">[n, cols].</param>
    public virtual void Write(ReadOnlySpan<float> source, Tensor destination)
    {
        for (int i = 0; i < destination.Rows; i++) source.Slice(i * destination.Cols, destination.Cols).CopyTo(destination.Row(i));
    }

    /// <summary>Takes an uninitialised tensor <c>[rows, cols]</c> that lives until the next <see cref="BeginPass()"/>; its stride may exceed <paramref name="cols"/>.</summary>
    public abstract Tensor Take(int rows, int cols);

    /// <summary><c>y[i] = table[tokens[i]]</c>.</summary>
    /// <param name="table">[vocabulary, width].</param>
    /// <param name="tokens">n ids, each below the vocabulary's size.</param>
    /// <param name="y">[n, width].</param>
    public abstract void Embed(WeightMatrix table, ReadOnlySpan<int> tokens, Tensor y);

    /// <summary><c>y = x Wᵀ + bias</c>.</summary>
    /// <param name="x">[n, cols].</param>
    /// <param name="weights">[rows, cols].</param>
    /// <param name="bias">[rows] or null.</param>
    /// <param name="y">[n, rows]; overlaps nothing.</param>
    public void MatMul(Tensor x, WeightMatrix weights, WeightVector? bias, Tensor y) => MatMul(x, [new Product(weights, bias, y)]);

    /// <summary>Several products of the same x, which is brought into the form that products need once.</summary>
    /// <param name="x">[n, cols].</param>
    /// <param name="products">Weights, biases and results, which overlap nothing.</param>
    public abstract void MatMul(Tensor x, ReadOnlySpan<Product> products);

    /// <summary>
    /// <c>y = x / √(mean(x²) + ε) · gain</c> for each group of <c>gain.Length</c> values: a whole row, or each head of it.
    /// Source: Zhang and Sennrich 2019, arXiv 1910.07467.
    /// </summary>
    /// <param name="x">[n, groups × length].</param>
    /// <param name="gain">[length].</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="y">[n, groups × length]; may be <paramref name="x"/>.</param>
    public abstract void RmsNorm(Tensor x, WeightVector gain, float epsilon, Tensor y);

    /// <summary>
    /// <c>y = (x − mean(x)) / √(var(x) + ε) · gain + bias</c> for each group of <paramref name="length"/> values. Source: Ba et al. 2016, arXiv 1607.06450.
    /// </summary>
    /// <param name="x">[n, groups × length].</param>
    /// <param name="length">Values of a group: a whole row, or each head of it.</param>
    /// <param name="gain">[length], [groups × length], or null for ones.</param>
    /// <param name="bias">Of the same length as the gain, or null for zeros.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="y">[n, groups × length]; may be <paramref name="x"/>.</param>
    public abstract void LayerNorm(Tensor x, int length, WeightVector? gain, WeightVector? bias, float epsilon, Tensor y);

    /// <summary>Cosines and sines for a rotary encoding at the batch's positions, computed once a pass and used by every layer.</summary>
    /// <param name="table">Frequencies and magnitude.</param>
    /// <param name="positions">n positions.</param>
    /// <param name="angles">[n, 2 × pairs]: all cosines of a row, then its sines.</param>
    public abstract void RopeAngles(RopeTable table, ReadOnlySpan<int> positions, Tensor angles);

    /// <summary>Rotates the first 2 × pairs values of every head, in place. Source: Su et al. 2021, arXiv 2104.09864.</summary>
    /// <param name="x">[n, heads × head length]; the last head may end behind its pairs.</param>
    /// <param name="headLength">Values in a head, at least 2 × pairs; those beyond stay.</param>
    /// <param name="angles">[n, 2 × pairs].</param>
    /// <param name="pairing">Which two values a rotation turns.</param>
    public abstract void Rope(Tensor x, int headLength, Tensor angles, RopePairing pairing);

    /// <summary>Stores keys and values of a batch in the cache.</summary>
    /// <param name="keys">[n, KV heads × key length].</param>
    /// <param name="values">[n, KV heads × value length].</param>
    /// <param name="batch">Slots and block tables.</param>
    /// <param name="layer">Layer number.</param>
    /// <param name="cache">The cache.</param>
    public abstract void StoreKv(Tensor keys, Tensor values, Batch batch, int layer, KvCache cache);

    /// <summary>
    /// Scaled dot-product attention of every query over the slots of its sequence that it may see:
    /// <c>y = softmax(cap(scale · q Kᵀ)) V</c>. Heads share K and V in groups. Source: Vaswani et al. 2017, arXiv 1706.03762; Dao et al. 2022,
    /// arXiv 2205.14135 (tiles with a running maximum); Ainslie et al. 2023, arXiv 2305.13245 (groups).
    /// </summary>
    /// <param name="queries">[n, heads × key length].</param>
    /// <param name="batch">Slots and block tables; the batch's own keys are stored already.</param>
    /// <param name="layer">Layer number.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="options">Heads, scale, cap, window.</param>
    /// <param name="y">[n, heads × value length].</param>
    public abstract void Attention(Tensor queries, Batch batch, int layer, KvCache cache, AttentionOptions options, Tensor y);

    /// <summary><c>y = f(gate) · up</c>. Source: Shazeer 2020, arXiv 2002.05202.</summary>
    /// <param name="gate">[n, width].</param>
    /// <param name="up">[n, width].</param>
    /// <param name="activation">f.</param>
    /// <param name="y">[n, width]; may be a source.</param>
    public abstract void Gate(Tensor gate, Tensor up, Activation activation, Tensor y);

    /// <summary><c>y = f(x)</c>, all [n, width]; <paramref name="y"/> may be the source.</summary>
    public abstract void Activate(Tensor x, Activation activation, Tensor y);

    /// <summary><c>y[i] = x[i] / (1 + e^−gate[i])</c>: every row by a gate of its own.</summary>
    /// <param name="x">[n, width].</param>
    /// <param name="gate">[n, 1].</param>
    /// <param name="y">[n, width]; may be <paramref name="x"/>.</param>
    public abstract void GateRows(Tensor x, Tensor gate, Tensor y);

    /// <summary><c>y = a + b</c>, all [n, width]; <paramref name="y"/> may be a source.</summary>
    public abstract void Add(Tensor a, Tensor b, Tensor y);

    /// <summary><c>y[i] = x[i] + bias</c>, all [n, width]; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    public abstract void AddBias(Tensor x, WeightVector bias, Tensor y);

    /// <summary><c>x = x · factor</c>, [n, width].</summary>
    public abstract void Scale(Tensor x, float factor);

    /// <summary><c>x = min(max(x, −limit), limit)</c>, [n, width].</summary>
    public abstract void Clamp(Tensor x, float limit);

    /// <summary><c>x = cap · tanh(x / cap)</c>, [n, width]. Source: Gemma 2, arXiv 2408.00118, section 2.</summary>
    public abstract void SoftCap(Tensor x, float cap);

    /// <summary><c>y = x + (z − x) · weights</c>, all [n, width]; <paramref name="y"/> may be a source.</summary>
    public abstract void Lerp(Tensor x, Tensor z, Tensor weights, Tensor y);

    /// <summary>The same with the same weights for every row: [width].</summary>
    public abstract void Lerp(Tensor x, Tensor z, WeightVector weights, Tensor y);

    /// <summary>
    /// The row before every row, <c>y[t] = x[t − 1]</c>, in each sequence; zero before its first token. State: the last row, [width].
    /// Source: Peng et al. 2023, arXiv 2305.13048, section 3.1.1 (token shift).
    /// </summary>
    /// <param name="x">[n, width].</param>
    /// <param name="batch">Slots and block tables.</param>
    /// <param name="state">The layer, and where its state has that of this operation.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="y">[n, width]; overlaps nothing.</param>
    public abstract void ShiftRows(Tensor x, Batch batch, LayerState state, KvCache cache, Tensor y);

    /// <summary>
    /// <c>y[t, c] = bias[c] + Σ_j weights[c, j] · x[t − taps + 1 + j, c]</c> in each sequence, x being zero before its first token. State: the last taps − 1 rows, [(taps − 1) × width].
    /// Source: Gu and Dao 2023, arXiv 2312.00752, figure 3.
    /// </summary>
    /// <param name="x">[n, width].</param>
    /// <param name="weights">[width, taps], taps at most <see cref="LayerState.MostTaps"/>.</param>
    /// <param name="bias">[width].</param>
    /// <param name="batch">Slots and block tables.</param>
    /// <param name="state">The layer, and where its state has that of this operation.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="y">[n, width]; overlaps nothing.</param>
    public abstract void CausalConvolution(Tensor x, WeightVector weights, WeightVector bias, Batch batch, LayerState state, KvCache cache, Tensor y);

    /// <summary>
    /// A diagonal state h of N values for every channel: <c>h = e^(Δ a) h + Δ b x</c>, <c>y = c · h + d x</c>, in each sequence, h being zero before its first token. State: [width, N].
    /// Source: Gu and Dao 2023, arXiv 2312.00752, algorithm 2.
    /// </summary>
    /// <param name="x">[n, width].</param>
    /// <param name="delta">[n, width] Δ.</param>
    /// <param name="b">[n, N].</param>
    /// <param name="c">[n, N].</param>
    /// <param name="a">[width, N].</param>
    /// <param name="d">[width].</param>
    /// <param name="batch">Slots and block tables.</param>
    /// <param name="state">The layer, and where its state has that of this operation.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="y">[n, width]; may be <paramref name="x"/>.</param>
    public abstract void SelectiveScan(Tensor x, Tensor delta, Tensor b, Tensor c, WeightVector a, WeightVector d, Batch batch, LayerState state, KvCache cache, Tensor y);

    /// <summary>
    /// A square state S for every head, a sum of outer products that decays row by row: <c>y = r (S + diag(u) kᵀv)</c>, <c>S = diag(w) S + kᵀv</c>, in each sequence, S being zero before its first
    /// token. State: [heads, head length, head length]. Source: Peng et al. 2024, arXiv 2404.05892, equations 18 and 19.
    /// </summary>
    /// <param name="r">[n, heads × head length].</param>
    /// <param name="k">[n, heads × head length].</param>
    /// <param name="v">[n, heads × head length].</param>
    /// <param name="w">[n, heads × head length], what is left of a row of the state.</param>
    /// <param name="u">[heads × head length].</param>
    /// <param name="headLength">Values in a head.</param>
    /// <param name="batch">Slots and block tables.</param>
    /// <param name="state">The layer, and where its state has that of this operation.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="y">[n, heads × head length]; overlaps nothing.</param>
    public abstract void OuterProductScan(Tensor r, Tensor k, Tensor v, Tensor w, WeightVector u, int headLength, Batch batch, LayerState state, KvCache cache, Tensor y);

    /// <summary><c>y[i] = x[rows[i]]</c>.</summary>
    /// <param name="x">[n, width].</param>
    /// <param name="rows">m row numbers.</param>
    /// <param name="y">[m, width].</param>
    public abstract void GatherRows(Tensor x, ReadOnlySpan<int> rows, Tensor y);

    /// <summary>Copies a part of every head: <c>y[i, h · apartInY + j] = x[i, h · apart + j]</c> for j below <paramref name="length"/>.</summary>
    /// <param name="x">[n, at least (heads − 1) × apart + length].</param>
    /// <param name="apart">Values from a head to the next one, 0 where all are the same.</param>
    /// <param name="heads">Number of heads.</param>
    /// <param name="length">Values of a head that are copied.</param>
    /// <param name="y">[n, at least (heads − 1) × apartInY + length].</param>
    /// <param name="apartInY">Values from a head to the next one in <paramref name="y"/>.</param>
    public abstract void CopyHeads(Tensor x, int apart, int heads, int length, Tensor y, int apartInY);

    /// <summary>The product of every head with a matrix of its own: <c>y[i, h · apartInY …] = W[h] x[i, h · apart …]</c>.</summary>
    /// <param name="x">[n, at least (heads − 1) × apart + cols].</param>
    /// <param name="apart">Values from a head to the next one.</param>
    /// <param name="weights">[heads, rows, cols].</param>
    /// <param name="y">[n, at least (heads − 1) × apartInY + rows]; what lies between heads stays.</param>
    /// <param name="apartInY">Values from a head to the next one in <paramref name="y"/>.</param>
    public abstract void MatMulHeads(Tensor x, int apart, WeightMatrix weights, Tensor y, int apartInY);

    /// <summary>Chooses experts for every token and sorts the chosen pairs by expert.</summary>
    /// <param name="logits">[n, experts], the router's output.</param>
    /// <param name="options">How many, and how weights are made.</param>
    /// <param name="routes">Destination, made for at least n tokens.</param>
    public abstract void Route(Tensor logits, RouteOptions options, ExpertRoutes routes);

    /// <summary>The product of every routed pair with its expert's matrix: <c>y[r] = x[token of r or r] W[expert of r]ᵀ + bias[expert of r]</c>.</summary>
    /// <param name="x">[n, cols] (one row a token, when <paramref name="byToken"/>), or [pairs, cols] in the order of the routes.</param>
    /// <param name="byToken">Whether rows of <paramref name="x"/> are tokens.</param>
    /// <param name="weights">[experts, rows, cols].</param>
    /// <param name="bias">[experts, rows] or null.</param>
    /// <param name="routes">The routes.</param>
    /// <param name="y">[pairs, rows].</param>
    public abstract void MatMulExperts(Tensor x, bool byToken, WeightMatrix weights, WeightVector? bias, ExpertRoutes routes, Tensor y);

    /// <summary><c>y[token] = Σ weight of r · x[r]</c> over the routed pairs r of the token.</summary>
    /// <param name="x">[pairs, width].</param>
    /// <param name="routes">The routes.</param>
    /// <param name="y">[n, width].</param>
    public abstract void CombineExperts(Tensor x, ExpertRoutes routes, Tensor y);

    /// <summary>The most values that <see cref="Largest"/> finds in a row.</summary>
    public const int MostLargest = 64;

    /// <summary>Whether results lie elsewhere, so that the largest of them come to this process sooner than all of them.</summary>
    public virtual bool SelectsLargest => false;

    /// <summary>
    /// The k largest values of every row, of equal ones those of the lower columns, and how much all weigh beside the first: <c>y[i] = (Σ_j e^(x[i, j] − v[0]), v[0] … v[k − 1], c[0] … c[k − 1])</c>.
    /// NaN counts as larger than +∞, −0 as 0. Where the first value is infinite or NaN, the sum means nothing.
    /// </summary>
    /// <param name="x">[n, cols], cols at least <paramref name="k"/> and at most 2²⁴.</param>
    /// <param name="k">1 to <see cref="MostLargest"/>.</param>
    /// <param name="y">[n, at least 1 + 2k]: the sum, the values v, descending, and their columns c as numbers.</param>
    public abstract void Largest(Tensor x, int k, Tensor y);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the back end took.</summary>
    protected abstract void Dispose(bool disposing);
}
