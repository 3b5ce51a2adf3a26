using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>A card as the device of a model.</summary>
public sealed class GpuComputeDevice : ComputeDevice
{
    /// <summary>How many layers computes the card: all, in <see cref="Layers"/>.</summary>
    public const int All = int.MaxValue;

    /// <summary>As many as its free memory takes.</summary>
    public const int Auto = -1;

    /// <summary>What runs the kernels.</summary>
    public GpuKind Kind { get; init; } = GpuKind.Cuda;

    /// <summary>Which of several cards.</summary>
    public int Index { get; init; }

    /// <summary>Layers on the card, the last ones of the model, with its output; <see cref="All"/>, or <see cref="Auto"/>. The others are computed on the processor.</summary>
    public int Layers { get; init; } = Auto;

    /// <summary>Bytes of the card's memory to take; 0 for nine tenths of what is free.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>What opens the card, so that tests can look at what is left of it.</summary>
    internal Func<GpuKind, int, GpuDevice> Open { get; init; } = GpuDevice.Open;

    /// <inheritdoc/>
    public override Backend CreateBackend(BackendRequest request, Backend processor)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(processor);
        GpuDevice device = Open(Kind, Index);
        GpuBackend? card = null;
        try
        {
            card = new GpuBackend(device, request.Mode, MemoryBytes);
            OffloadPlan plan = OffloadPlan.Of(request, Layers, card.FreeBytes);
            if (plan.CardLayers == 0)
            {
                card.Dispose();
                return processor;
            }

            if (plan.CardLayers < request.Layers) return new OffloadBackend(processor, card, plan.FirstCardLayer, LayerNames.Of(request.Tensors));
            processor.Dispose();
            return card;
        }
        catch
        {
            if (card is null) device.Dispose();
            else card.Dispose();
            throw;
        }
    }
}
