using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>Every operation on the side that runs.</summary>
internal sealed partial class OffloadBackend
{
    private Product[] _products = [];

    public override void Embed(WeightMatrix table, ReadOnlySpan<int> tokens, Tensor y) => Side.Embed(At(table), tokens, At(y));

    public override void MatMul(Tensor x, ReadOnlySpan<Product> products)
    {
        if (_products.Length < products.Length) _products = new Product[products.Length];
        for (int i = 0; i < products.Length; i++) _products[i] = products[i] with { Weights = At(products[i].Weights), Y = At(products[i].Y) };
        Side.MatMul(At(x), _products.AsSpan(0, products.Length));
    }

    public override void RmsNorm(Tensor x, WeightVector gain, float epsilon, Tensor y) => Side.RmsNorm(At(x), gain, epsilon, At(y));

    public override void LayerNorm(Tensor x, int length, WeightVector? gain, WeightVector? bias, float epsilon, Tensor y) =>
        Side.LayerNorm(At(x), length, gain, bias, epsilon, At(y));

    // Both sides need them: they are made before the layers and used in all.
    public override void RopeAngles(RopeTable table, ReadOnlySpan<int> positions, Tensor angles)
    {
        processor.RopeAngles(table, positions, angles);
        card.RopeAngles(table, positions, OnCard(angles));
    }

    public override void Rope(Tensor x, int headLength, Tensor angles, RopePairing pairing) => Side.Rope(At(x), headLength, At(angles), pairing);

    public override void StoreKv(Tensor keys, Tensor values, Batch batch, int layer, KvCache cache) =>
        Side.StoreKv(At(keys), At(values), batch, At(layer, cache), At(cache));

    public override void Attention(Tensor queries, Batch batch, int layer, KvCache cache, AttentionOptions options, Tensor y) =>
        Side.Attention(At(queries), batch, At(layer, cache), At(cache), options, At(y));

    public override void Gate(Tensor gate, Tensor up, Activation activation, Tensor y) => Side.Gate(At(gate), At(up), activation, At(y));

    public override void Activate(Tensor x, Activation activation, Tensor y) => Side.Activate(At(x), activation, At(y));

    public override void GateRows(Tensor x, Tensor gate, Tensor y) => Side.GateRows(At(x), At(gate), At(y));

    public override void Add(Tensor a, Tensor b, Tensor y) => Side.Add(At(a), At(b), At(y));

    public override void AddBias(Tensor x, WeightVector bias, Tensor y) => Side.AddBias(At(x), bias, At(y));

    public override void Scale(Tensor x, float factor) => Side.Scale(At(x), factor);

    public override void Clamp(Tensor x, float limit) => Side.Clamp(At(x), limit);

    public override void SoftCap(Tensor x, float cap) => Side.SoftCap(At(x), cap);

    public override void Lerp(Tensor x, Tensor z, Tensor weights, Tensor y) => Side.Lerp(At(x), At(z), At(weights), At(y));

    public override void Lerp(Tensor x, Tensor z, WeightVector weights, Tensor y) => Side.Lerp(At(x), At(z), weights, At(y));

    public override void ShiftRows(Tensor x, Batch batch, LayerState state, KvCache cache, Tensor y) =>
        Side.ShiftRows(At(x), batch, At(state, cache), At(cache), At(y));

    public override void CausalConvolution(Tensor x, WeightVector weights, WeightVector bias, Batch batch, LayerState state, KvCache cache, Tensor y) =>
        Side.CausalConvolution(At(x), weights, bias, batch, At(state, cache), At(cache), At(y));

    public override void SelectiveScan(Tensor x, Tensor delta, Tensor b, Tensor c, WeightVector a, WeightVector d, Batch batch, LayerState state, KvCache cache, Tensor y) =>
        Side.SelectiveScan(At(x), At(delta), At(b), At(c), a, d, batch, At(state, cache), At(cache), At(y));

    public override void OuterProductScan(Tensor r, Tensor k, Tensor v, Tensor w, WeightVector u, int headLength, Batch batch, LayerState state, KvCache cache, Tensor y) =>
        Side.OuterProductScan(At(r), At(k), At(v), At(w), u, headLength, batch, At(state, cache), At(cache), At(y));

    public override void GatherRows(Tensor x, ReadOnlySpan<int> rows, Tensor y) => Side.GatherRows(At(x), rows, At(y));

    public override void CopyHeads(Tensor x, int apart, int heads, int length, Tensor y, int apartInY) => Side.CopyHeads(At(x), apart, heads, length, At(y), apartInY);

    public override void MatMulHeads(Tensor x, int apart, WeightMatrix weights, Tensor y, int apartInY) => Side.MatMulHeads(At(x), apart, At(weights), At(y), apartInY);

    public override void Route(Tensor logits, RouteOptions options, ExpertRoutes routes) => Side.Route(At(logits), options, routes);

    public override void MatMulExperts(Tensor x, bool byToken, WeightMatrix weights, WeightVector? bias, ExpertRoutes routes, Tensor y) =>
        Side.MatMulExperts(At(x), byToken, At(weights), bias, routes, At(y));

    public override void CombineExperts(Tensor x, ExpertRoutes routes, Tensor y) => Side.CombineExperts(At(x), routes, At(y));

    public override void Largest(Tensor x, int k, Tensor y) => Side.Largest(At(x), k, At(y));

    private WeightMatrix At(WeightMatrix matrix) => matrix is TwinMatrix twin ? _onCard ? twin.Card : twin.Processor : matrix;

    private int At(int layer, KvCache cache) => ((OffloadKvCache)cache).NumberOf(layer, _onCard);

    private LayerState At(LayerState state, KvCache cache) => state with { Layer = At(state.Layer, cache) };

    private KvCache At(KvCache cache) => _onCard ? ((OffloadKvCache)cache).Card : ((OffloadKvCache)cache).Processor;
}
