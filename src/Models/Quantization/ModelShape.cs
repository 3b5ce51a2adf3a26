using Quern.Gguf;

namespace Quern.Models.Quantization;

/// <summary>What the rules of a mix ask about a model.</summary>
/// <param name="Architecture">As <c>general.architecture</c> names it.</param>
/// <param name="Blocks">Number of blocks.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Heads with their own keys and values.</param>
/// <param name="Experts">Experts of a block, 0 for none.</param>
/// <param name="TiedOutput">Whether the token embeddings make the logits too.</param>
public sealed record ModelShape(string Architecture, int Blocks, int Heads, int KvHeads, int Experts, bool TiedOutput)
{
    /// <summary>Query heads for each KV head.</summary>
    public int HeadsPerKvHead => KvHeads == 0 ? 1 : Heads / KvHeads;

    /// <summary>Whether V is so small a part of the model that more bits for it cost nothing: eight heads share one in 80 blocks.</summary>
    internal bool HasTinyValues => Blocks == 80 && Heads != KvHeads && ArchitectureTable.Find(Architecture) is { WidensTinyValues: true };

    /// <summary>Reads the shape from a file.</summary>
    /// <exception cref="GgufFormatException">The file does not say how many blocks or heads the model has.</exception>
    public static ModelShape Of(GgufFile file)
    {
        string architecture = file.Metadata.GetString("general.architecture");
        int blocks = file.Metadata.GetInt32($"{architecture}.block_count");
        // Models without attention have no heads; the rules about them then say nothing.
        int heads = First(file, $"{architecture}.attention.head_count", blocks, 0);
        return new ModelShape(
            architecture, blocks, heads, First(file, $"{architecture}.attention.head_count_kv", blocks, heads),
            file.Metadata.GetInt32Or($"{architecture}.expert_count", 0), !file.TryGetTensor("output.weight", out _));
    }

    internal bool HasOwnMix => ArchitectureTable.Find(Architecture) is { HasOwnMix: true };

    private static int First(GgufFile file, string key, int blocks, int fallback) =>
        file.Metadata.Contains(key) && blocks > 0 ? file.Metadata.GetInt32PerLayer(key, blocks).Max() : fallback;
}

/// <summary>One tensor of a model, as the rules of a mix see it.</summary>
/// <param name="Role">What it does.</param>
/// <param name="Index">Which of its kind it is, from 0: its block.</param>
/// <param name="Count">How many of its kind there are.</param>
/// <param name="Shape">The model.</param>
internal readonly record struct TensorPlace(TensorRole Role, int Index, int Count, ModelShape Shape)
{
    /// <summary>The first eighth, the last eighth and every third block between: where llama.cpp's <c>_M</c> mixes spend more bits.</summary>
    public bool WantsMoreBits => IsEarly(8) || Index >= 7 * Count / 8 || (Index - (Count / 8)) % 3 == 2;

    public bool HoldsValues => TensorRoles.HoldsValues(Role);

    /// <summary>Whether the tensor is in the first <c>1/fraction</c> of its kind.</summary>
    public bool IsEarly(int fraction) => Index < Count / fraction;
}
