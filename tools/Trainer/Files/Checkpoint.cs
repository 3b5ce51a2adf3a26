using System.Runtime.InteropServices;
using Quern.Gguf;
using Quern.Kernels.Cpu.Formats;
using Quern.Trainer.Model;
using Quern.Trainer.Optimisation;
using Quern.Trainer.Products;
using Quern.Trainer.Runs;

namespace Quern.Trainer.Files;

/// <summary>
/// The whole state of a run as a GGUF: configuration, step, weights, both moments of AdamW, and the tokenizer. The data that a step sees follows from seed and
/// step, so nothing else is needed to go on bit for bit. The writer replaces an older file only when the new one is whole.
/// </summary>
internal static class Checkpoint
{
    /// <summary>What <c>general.architecture</c> of a checkpoint says.</summary>
    public const string Architecture = "quern-trainer";

    private const string ConfigKey = "quern-trainer.config", StepKey = "quern-trainer.step", TokensKey = "quern-trainer.tokens";
    private const string MeanPrefix = "mean.", SquarePrefix = "square.";

    /// <summary>Writes a checkpoint.</summary>
    public static void Save(string path, TrainerConfig config, Progress progress, Network<float> network, AdamW adam, TokenizerKeys tokenizer)
    {
        GgufWriter writer = new();
        writer.Set("general.architecture", Architecture);
        writer.Set("general.name", config.Name);
        writer.Set(ConfigKey, config.ToJson());
        writer.Set(StepKey, (uint)progress.Step);
        writer.Set(TokensKey, (ulong)progress.Tokens);
        tokenizer.WriteTo(writer);
        foreach (ParameterTensor tensor in network.Layout.Tensors)
        {
            Add(writer, tensor, tensor.Name, network.Parameters);
            Add(writer, tensor, MeanPrefix + tensor.Name, adam.Mean);
            Add(writer, tensor, SquarePrefix + tensor.Name, adam.Square);
        }

        writer.Write(path);
    }

    /// <summary>Whether a file is a checkpoint.</summary>
    public static bool Is(GgufFile file) => file.Metadata.GetStringOr("general.architecture", "") == Architecture;

    /// <summary>The configuration of a checkpoint.</summary>
    /// <exception cref="InvalidDataException">The file is none.</exception>
    public static TrainerConfig Config(GgufFile file)
    {
        if (!Is(file))
            throw new InvalidDataException($"{file.Path}: general.architecture is '{file.Metadata.GetStringOr("general.architecture", "")}'; expected '{Architecture}', a checkpoint of quern-trainer");
        return TrainerConfig.Parse(file.Metadata.GetString(ConfigKey), $"{file.Path}, key '{ConfigKey}'");
    }

    /// <summary>How far the run was.</summary>
    public static Progress Progress(GgufFile file) => new(file.Metadata.GetInt32(StepKey), file.Metadata.GetInt64(TokensKey));

    /// <summary>Reads the weights.</summary>
    public static void ReadWeights(GgufFile file, Network<float> network)
    {
        foreach (ParameterTensor tensor in network.Layout.Tensors) Read(file, tensor, tensor.Name, network.Parameters);
    }

    /// <summary>Reads the moments.</summary>
    public static void ReadMoments(GgufFile file, Network<float> network, AdamW adam)
    {
        foreach (ParameterTensor tensor in network.Layout.Tensors)
        {
            Read(file, tensor, MeanPrefix + tensor.Name, adam.Mean);
            Read(file, tensor, SquarePrefix + tensor.Name, adam.Square);
        }
    }

    /// <summary>Reads a tensor of any format to its place.</summary>
    /// <exception cref="InvalidDataException">The file does not have it, or in another shape.</exception>
    public static void Read(GgufFile file, ParameterTensor place, string name, Values<float> target)
    {
        long[] shape = Dimensions(place);
        string expected = $"[{string.Join(", ", shape)}]";
        if (!file.TryGetTensor(name, out GgufTensor? tensor)) throw new InvalidDataException($"{file.Path}: tensor '{name}' is missing; expected the shape {expected}");
        if (!tensor.Dimensions.SequenceEqual(shape))
            throw new InvalidDataException($"{file.Path}: tensor '{name}' has the shape [{string.Join(", ", tensor.Dimensions)}]; expected {expected}");
        WeightFormat format = FormatTable.Find(tensor.TypeId) ?? throw new InvalidDataException($"{file.Path}: tensor '{name}' has the unknown type {tensor.TypeName}");
        format.Decode(tensor.Address, target.Span(place.Offset, place.Count));
    }

    /// <summary>A tensor's shape as GGUF writes it.</summary>
    public static long[] Dimensions(ParameterTensor tensor) => tensor.IsMatrix ? [tensor.Cols, tensor.Rows] : [tensor.Cols];

    private static void Add(GgufWriter writer, ParameterTensor tensor, string name, Values<float> values) =>
        writer.AddTensor(name, 0, Dimensions(tensor), stream => stream.Write(MemoryMarshal.AsBytes(values.Span(tensor.Offset, tensor.Count))));
}

/// <summary>How far a run is.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Tokens">Tokens seen.</param>
internal readonly record struct Progress(int Step, long Tokens);
