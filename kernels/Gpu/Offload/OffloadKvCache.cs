using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>The pages of a model whose first layers are on the processor: the same page number means both memories.</summary>
internal sealed class OffloadKvCache : KvCache
{
    private readonly int[] _processorLayers, _cardLayers;

    /// <param name="layout">All layers; shared ones are on both sides.</param>
    /// <param name="firstCardLayer">The first layer of the cache that is the card's.</param>
    /// <param name="processor">The one side.</param>
    /// <param name="card">The other.</param>
    public OffloadKvCache(KvLayout layout, int firstCardLayer, Backend processor, Backend card)
        : base(layout)
    {
        _processorLayers = [.. Enumerable.Range(0, layout.Layers.Count).Where(layer => layer < firstCardLayer || layout.Layers[layer].IsShared)];
        _cardLayers = [.. Enumerable.Range(0, layout.Layers.Count).Where(layer => layer >= firstCardLayer || layout.Layers[layer].IsShared)];
        Processor = processor.CreateKvCache(Part(layout, _processorLayers));
        try
        {
            Card = card.CreateKvCache(Part(layout, _cardLayers));
        }
        catch
        {
            Processor.Dispose();
            throw;
        }
    }

    /// <summary>Pages of the processor's layers, numbered from 0.</summary>
    public KvCache Processor { get; }

    /// <summary>Pages of the card's layers, numbered from 0.</summary>
    public KvCache Card { get; }

    /// <summary>A layer's number on the side that computes it.</summary>
    public int NumberOf(int layer, bool onCard) => Array.IndexOf(onCard ? _cardLayers : _processorLayers, layer);

    public override long Bytes => Processor.Bytes + Card.Bytes;

    public override string PageForm => $"{Processor.Layout.Layers.Count} layers{Processor.PageForm}, then {Card.PageForm}";

    public override long PageBytes => Processor.PageBytes + Card.PageBytes;

    public override void ReadPage(int page, Span<byte> destination)
    {
        Processor.ReadPage(page, destination[..(int)Processor.PageBytes]);
        Card.ReadPage(page, destination[(int)Processor.PageBytes..]);
    }

    public override void WritePage(int page, ReadOnlySpan<byte> source)
    {
        Processor.WritePage(page, source[..(int)Processor.PageBytes]);
        Card.WritePage(page, source[(int)Processor.PageBytes..]);
    }

    public override void Move(ReadOnlySpan<int> blockTable, ReadOnlySpan<int> sources, int firstSlot)
    {
        Processor.Move(blockTable, sources, firstSlot);
        Card.Move(blockTable, sources, firstSlot);
    }

    public override void CopyPage(int source, int destination)
    {
        Processor.CopyPage(source, destination);
        Card.CopyPage(source, destination);
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        Processor.Dispose();
        Card.Dispose();
    }

    private static KvLayout Part(KvLayout layout, int[] layers) => layout with
    {
        Layers = [.. layers.Select(layer => layout.Layers[layer])],
        Windowed = layout.Windowed is { } windowed ? [.. layers.Select(layer => windowed[layer])] : null,
    };
}
