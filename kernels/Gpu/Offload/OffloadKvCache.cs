using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>The pages of a model whose first layers are on the processor: the same page number means both memories.</summary>
internal sealed class OffloadKvCache : KvCache
{
    /// <param name="layout">All layers.</param>
    /// <param name="firstCardLayer">The first layer of the card.</param>
    /// <param name="processor">The one side.</param>
    /// <param name="card">The other.</param>
    public OffloadKvCache(KvLayout layout, int firstCardLayer, Backend processor, Backend card)
        : base(layout)
    {
        Processor = processor.CreateKvCache(Part(layout, 0, firstCardLayer));
        try
        {
            Card = card.CreateKvCache(Part(layout, firstCardLayer, layout.Layers.Count));
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

    private static KvLayout Part(KvLayout layout, int first, int end) => layout with
    {
        Layers = [.. layout.Layers.Skip(first).Take(end - first)],
        Windowed = layout.Windowed is { } windowed ? [.. windowed.Skip(first).Take(end - first)] : null,
    };
}
