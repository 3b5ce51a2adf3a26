using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Models;

namespace Quern.Engine;

/// <summary>What a file will ask of a device, read before its weights are bound.</summary>
internal static class ModelNeeds
{
    public static BackendRequest Of(GgufFile file, ModelOptions options, ComputeMode mode)
    {
        List<StoredMatrix> matrices = [];
        foreach (GgufTensor tensor in file.Tensors)
        {
            if (FormatTable.Find(tensor.TypeId) is not { } format || tensor.Dimensions[0] > int.MaxValue) continue;
            matrices.Add(new StoredMatrix(tensor.Name, format, tensor.ElementCount / tensor.Dimensions[0], (int)tensor.Dimensions[0]));
        }

        // An unknown architecture is refused when the model is loaded, with the names of those that are known.
        if (ArchitectureTable.Find(file.Metadata.GetString("general.architecture")) is null) return new BackendRequest(mode, 0, matrices, 0, options.BatchTokens);
        ModelConfig config = ModelConfig.Read(file);
        int context = options.CacheTokens ?? options.ContextLength ?? Math.Min(config.TrainedLength, ModelOptions.DefaultContextLength);
        long values = 0;
        foreach (int heads in config.KvHeadCounts) values = Math.Max(values, (long)heads * (config.KeyLength + config.ValueLength));
        long bytes = options.CacheBytes is { } all && config.LayerCount > 0 ? all / config.LayerCount : values * context * (options.Exact ? sizeof(float) : sizeof(ushort));
        int layers = config.DecoderStart is null ? config.LayerCount : config.LayerCount + config.DecoderLayerCount;
        return new BackendRequest(mode, layers, matrices, bytes, options.BatchTokens);
    }
}
