using System.Globalization;
using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>Which layers a card takes: the last ones, so that activations cross once, with the output matrix.</summary>
/// <param name="CardLayers">Layers on the card.</param>
/// <param name="FirstCardLayer">The first of them.</param>
internal readonly record struct OffloadPlan(int CardLayers, int FirstCardLayer)
{
    /// <summary>Bytes that a pass takes for each of its tokens and each value of the widest matrix row, in all tensors together; measured generously.</summary>
    private const long PassValues = 16;

    /// <param name="request">The model.</param>
    /// <param name="layers">Layers that are asked for, <see cref="GpuComputeDevice.All"/> or <see cref="GpuComputeDevice.Auto"/>.</param>
    /// <param name="freeBytes">Bytes that the card has for them.</param>
    /// <exception cref="GpuException">They do not fit; the message says what they need and how many would.</exception>
    public static OffloadPlan Of(BackendRequest request, int layers, long freeBytes)
    {
        long[] bytes = new long[request.Layers];
        long around = 0, output = 0, widest = 0;
        LayerNames names = LayerNames.Of(request.Tensors);
        foreach (StoredMatrix matrix in request.Tensors)
        {
            long own = GpuBackend.BytesOf(matrix.Format, matrix.Rows, matrix.Cols, request.Mode);
            widest = Math.Max(widest, matrix.Cols);
            int layer = names.LayerOf(matrix.Name);
            if ((uint)layer < (uint)bytes.Length) bytes[layer] += own;
            else if (layer == LayerNames.Behind) output += own;
            else around += own;
        }

        // With tied matrices the table of embeddings is the output too.
        if (output == 0) output = around;
        long room = freeBytes - (PassValues * sizeof(float) * widest * request.BatchTokens) - output;
        int fitting = 0;
        for (int layer = request.Layers - 1; layer >= 0; layer--)
        {
            room -= bytes[layer] + request.LayerCacheBytes;
            if (room < (layer == 0 && output != around ? around : 0)) break;
            fitting++;
        }

        if (layers == GpuComputeDevice.Auto) layers = Math.Max(fitting, Math.Min(1, request.Layers));
        layers = Math.Min(layers, request.Layers);
        if (layers > fitting)
        {
            long needed = output + (layers == request.Layers ? around : 0) + (request.LayerCacheBytes * layers);
            for (int layer = request.Layers - layers; layer < request.Layers; layer++) needed += bytes[layer];
            throw new GpuException(string.Create(
                CultureInfo.InvariantCulture,
                $"{layers} of {request.Layers} layers need {GpuDevice.MiB(needed)} MiB of the card's memory for weights and cache; {GpuDevice.MiB(freeBytes)} MiB are free, enough for {fitting}. " +
                $"Try --gpu-layers {fitting} or auto, a smaller context (--ctx-size), a smaller cache (--kv-type q8_0) or weights of fewer bits"));
        }

        return new OffloadPlan(layers, request.Layers - layers);
    }
}
