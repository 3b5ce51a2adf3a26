using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu;

/// <summary>What a model brings, for a device that decides what it takes of it.</summary>
/// <param name="Mode">How products with weights are computed.</param>
/// <param name="Layers">Number of layers, of an encoder and its decoder together.</param>
/// <param name="Tensors">The matrices of the file.</param>
/// <param name="LayerCacheBytes">Bytes of keys and values of a layer, all pages.</param>
/// <param name="BatchTokens">Most tokens of a pass.</param>
public sealed record BackendRequest(ComputeMode Mode, int Layers, IReadOnlyList<StoredMatrix> Tensors, long LayerCacheBytes, int BatchTokens);

/// <summary>A matrix of a file.</summary>
/// <param name="Name">The tensor's name: <c>blk.7.attn_q.weight</c> belongs to layer 7.</param>
/// <param name="Format">Stored format.</param>
/// <param name="Rows">Rows, of all matrices of a stack.</param>
/// <param name="Cols">Values of a row.</param>
public readonly record struct StoredMatrix(string Name, WeightFormat Format, long Rows, int Cols);

/// <summary>What computes instead of the processor, or beside it: a card.</summary>
public abstract class ComputeDevice
{
    /// <summary>Makes the back end of a model.</summary>
    /// <param name="request">The model.</param>
    /// <param name="processor">The back end of the processor, for what the device does not take; owned by the result, and disposed at once where nothing is left for it.</param>
    public abstract Backend CreateBackend(BackendRequest request, Backend processor);
}
