using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Gpu;

/// <summary>
/// The first layers of a model on the processor, the others and its output on a card. Every tensor of a pass has a twin in the other memory; operations work on the side whose layer runs,
/// and the residual stream is copied once, where the first layer of the card begins.
/// </summary>
/// <param name="processor">The one side; owned.</param>
/// <param name="card">The other; owned.</param>
/// <param name="firstCardLayer">The first layer of the card.</param>
/// <param name="names">What tensors are named.</param>
internal sealed partial class OffloadBackend(Backend processor, Backend card, int firstCardLayer, LayerNames names) : Backend
{
    private readonly List<(nint First, nint End, nint Card)> _twins = [];
    private float[] _crossing = [];
    private bool _onCard;

    public override string Description => $"{processor.Description}, layers from {firstCardLayer} on: {card.Description}";

    public override ComputeMode Mode => processor.Mode;

    public override long? CacheMemory => card.CacheMemory;

    public override bool TakesTrees => card.TakesTrees;

    public override bool SelectsLargest => true;

    private Backend Side => _onCard ? card : processor;

    public override bool Copies(WeightFormat format, int cols, MatrixUse use) => false;

    public override WeightMatrix BindMatrix(string name, WeightFormat format, int count, int rows, int cols, nint address, MatrixUse use = MatrixUse.Product)
    {
        int layer = names.LayerOf(name);
        if (layer != LayerNames.Before) return (layer < firstCardLayer ? processor : card).BindMatrix(name, format, count, rows, cols, address, use);

        // A table is looked up on the processor; where it is the output matrix too, it is also on the card.
        WeightMatrix table = processor.BindMatrix(name, format, count, rows, cols, address, MatrixUse.Lookup);
        return use == MatrixUse.Lookup ? table : new TwinMatrix(table, card.BindMatrix(name, format, count, rows, cols, address, use));
    }

    public override WeightVector BindVector(string name, WeightFormat format, int length, nint address) =>
        (names.LayerOf(name) < firstCardLayer ? processor : card).BindVector(name, format, length, address);

    public override KvCache CreateKvCache(KvLayout layout) => new OffloadKvCache(layout, Math.Max(0, firstCardLayer - names.EncoderLayers), processor, card);

    public override TensorBuffer Allocate(int rows, int cols) => card.Allocate(rows, cols);

    public override void BeginPass()
    {
        processor.BeginPass();
        card.BeginPass();
        _twins.Clear();
        _onCard = false;
    }

    public override void BeginPass(Batch batch)
    {
        BeginPass();
        card.BeginPass(batch);
    }

    public override void BeginLayer(int layer, Tensor stream)
    {
        if (_onCard || layer < firstCardLayer) return;
        int length = stream.Rows * stream.Cols;
        if (_crossing.Length < length) _crossing = new float[length];
        processor.Read(stream, _crossing);
        card.Write(_crossing.AsSpan(0, length), OnCard(stream));
        _onCard = true;
    }

    public override Tensor Take(int rows, int cols)
    {
        // Rows of twins are equally far apart, so that a place in one is a place in the other.
        Tensor own = processor.Take(rows, (cols + 7) & -8), twin = card.Take(rows, own.Stride);
        _twins.Add((own.Address, own.Address + ((nint)rows * own.Stride * sizeof(float)), twin.Address));
        return own with { Cols = cols };
    }

    public override void Read(Tensor source, Span<float> destination)
    {
        if (Known(source) && !_onCard) processor.Read(source, destination);
        else card.Read(OnCard(source), destination);
    }

    public override void Write(ReadOnlySpan<float> source, Tensor destination)
    {
        if (Known(destination)) processor.Write(source, destination);
        card.Write(source, OnCard(destination));
    }

    /// <summary>A tensor's twin on the card; a tensor that the card alone has is its own.</summary>
    private Tensor OnCard(Tensor tensor)
    {
        foreach ((nint first, nint end, nint card) in _twins)
            if (tensor.Address >= first && tensor.Address < end) return tensor with { Address = card + (tensor.Address - first) };
        return tensor;
    }

    private bool Known(Tensor tensor)
    {
        foreach ((nint first, nint end, _) in _twins)
            if (tensor.Address >= first && tensor.Address < end) return true;
        return false;
    }

    /// <summary>A tensor on the side that runs.</summary>
    private Tensor At(Tensor tensor) => _onCard ? OnCard(tensor) : tensor;

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        processor.Dispose();
        card.Dispose();
    }

    /// <summary>A matrix that both sides have.</summary>
    private sealed record TwinMatrix(WeightMatrix Processor, WeightMatrix Card)
        : WeightMatrix(Processor.Name, Processor.Format, Processor.Count, Processor.Rows, Processor.Cols, Processor.Address);
}
