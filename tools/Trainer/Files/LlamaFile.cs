using Quern.Gguf;
using Quern.Kernels.Cpu.Formats;
using Quern.Models;
using Quern.Models.Quantization;
using Quern.Trainer.Model;
using Quern.Trainer.Products;

namespace Quern.Trainer.Files;

/// <summary>A model as a GGUF of the llama architecture, which every engine reads.</summary>
internal static class LlamaFile
{
    /// <summary>Writes a model: matrices in a format, vectors in F32.</summary>
    /// <param name="path">The file to write.</param>
    /// <param name="name">The model's name.</param>
    /// <param name="network">The model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="format">The format of the matrices.</param>
    /// <exception cref="InvalidDataException">The rows of a matrix are no whole blocks of the format, or it has no number as a file type.</exception>
    public static void Write(string path, string name, Network<float> network, TokenizerKeys tokenizer, WeightFormat format)
    {
        GgufWriter writer = new();
        Describe(writer, name, network.Shape, format);
        tokenizer.WriteTo(writer);
        WeightFormat vector = FormatTable.Find("F32")!;
        foreach (ParameterTensor tensor in network.Layout.Tensors)
        {
            WeightFormat own = tensor.IsMatrix ? format : vector;
            if (tensor.Cols % own.Info.BlockLength != 0)
                throw new InvalidDataException($"tensor '{tensor.Name}' has rows of {tensor.Cols} values; {own.Info.Name} takes multiples of {own.Info.BlockLength}");
            writer.AddTensor(tensor.Name, own.Info.TypeId, Checkpoint.Dimensions(tensor), stream =>
            {
                byte[] row = new byte[own.Info.RowBytes(tensor.Cols)];
                for (int i = 0; i < Math.Max(1, tensor.Rows); i++)
                {
                    own.Quantize(network.Parameters.Span(tensor.Offset + ((long)i * tensor.Cols), tensor.Cols), [], row);
                    stream.Write(row);
                }
            });
        }

        writer.Write(path);
    }

    /// <summary>Loads a model to be taught by: a checkpoint, or any GGUF of this form.</summary>
    /// <exception cref="InvalidDataException">The file holds something that this form does not have.</exception>
    public static Network<float> Load(string path, Crew crew)
    {
        if (!File.Exists(path)) throw new InvalidDataException($"{path}: there is no such file; expected a GGUF or a checkpoint");
        using GgufFile file = GgufFile.Open(path);
        bool checkpoint = Checkpoint.Is(file);
        Network<float> network = new(checkpoint ? Checkpoint.Config(file).Model : Shape(file), crew);
        try
        {
            if (!checkpoint && file.Tensors.Count != network.Layout.Tensors.Count)
                throw new InvalidDataException($"{path} has {file.Tensors.Count} tensors; expected the {network.Layout.Tensors.Count} of a plain Llama");
            Checkpoint.ReadWeights(file, network);
            return network;
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    private static LlamaShape Shape(GgufFile file)
    {
        ModelConfig config = ModelConfig.Read(file);
        if (config.Architecture != "llama") throw new InvalidDataException($"{file.Path}: general.architecture is '{config.Architecture}'; expected 'llama'");
        int kvHeads = config.KvHeadCounts[0];
        if (config.KvHeadCounts.Any(count => count != kvHeads) || config.KeyLength != config.ValueLength || config.Experts is not null
            || config.Rope.Dimensions != config.KeyLength || config.Rope.Scaling != RopeScaling.None)
            throw new InvalidDataException($"{file.Path} is no plain Llama: it has experts, scaled positions, or heads that differ");
        return new LlamaShape
        {
            Width = config.Width,
            Layers = config.LayerCount,
            Heads = config.HeadCount,
            KvHeads = kvHeads,
            HeadLength = config.KeyLength,
            Hidden = config.FeedForwardLength,
            Vocabulary = config.VocabularySize,
            Context = config.ContextLength,
            TiedOutput = !file.TryGetTensor("output.weight", out _),
            RopeBase = config.Rope.Base,
            NormEpsilon = config.NormEpsilon,
        };
    }

    private static void Describe(GgufWriter writer, string name, LlamaShape shape, WeightFormat format)
    {
        // A mix such as Q4_K_M has rules of its own, which quern quantize knows.
        QuantizationMix mix = QuantizationTable.All.FirstOrDefault(known => known.Name == format.Info.Name) ?? throw new InvalidDataException(
            $"{format.Info.Name} is not the one type of a whole file; export F32 and let quern quantize make the mix");
        writer.Set("general.architecture", "llama");
        writer.Set("general.name", name);
        writer.Set("general.file_type", (uint)mix.FileType);
        writer.Set("general.quantization_version", 2u);
        writer.Set("llama.block_count", (uint)shape.Layers);
        writer.Set("llama.context_length", (uint)shape.Context);
        writer.Set("llama.embedding_length", (uint)shape.Width);
        writer.Set("llama.feed_forward_length", (uint)shape.Hidden);
        writer.Set("llama.attention.head_count", (uint)shape.Heads);
        writer.Set("llama.attention.head_count_kv", (uint)shape.KvHeads);
        writer.Set("llama.attention.key_length", (uint)shape.HeadLength);
        writer.Set("llama.attention.value_length", (uint)shape.HeadLength);
        writer.Set("llama.attention.layer_norm_rms_epsilon", shape.NormEpsilon);
        writer.Set("llama.rope.freq_base", shape.RopeBase);
        writer.Set("llama.rope.dimension_count", (uint)shape.HeadLength);
        writer.Set("llama.vocab_size", (uint)shape.Vocabulary);
    }
}
