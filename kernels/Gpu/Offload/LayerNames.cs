using System.Globalization;
using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>Which layer a tensor belongs to by its name. Layers of a decoder come behind those of an encoder in the same file.</summary>
/// <param name="EncoderLayers">Layers of the encoder where there is a decoder besides, otherwise 0.</param>
internal readonly record struct LayerNames(int EncoderLayers)
{
    private const string Block = "blk.", Encoder = "enc.", Decoder = "dec.";

    /// <summary>What is needed before the first layer.</summary>
    public const int Before = -1;

    /// <summary>What is needed behind the last one.</summary>
    public const int Behind = int.MaxValue;

    /// <summary>The names of a file.</summary>
    public static LayerNames Of(IEnumerable<StoredMatrix> tensors)
    {
        int layers = 0;
        foreach (StoredMatrix tensor in tensors)
            if (tensor.Name.StartsWith(Encoder, StringComparison.Ordinal)) layers = Math.Max(layers, 1 + Number(tensor.Name.AsSpan(Encoder.Length)));
        return new LayerNames(layers);
    }

    /// <summary>The number of the layer, <see cref="Before"/> or <see cref="Behind"/>.</summary>
    public int LayerOf(string name)
    {
        // What an encoder ends with belongs to its last layer: its results stay where they are.
        if (name.StartsWith(Encoder, StringComparison.Ordinal)) return Number(name.AsSpan(Encoder.Length)) is >= 0 and var own ? own : EncoderLayers - 1;
        if (name.StartsWith(Decoder, StringComparison.Ordinal)) return Number(name.AsSpan(Decoder.Length)) is >= 0 and var own ? EncoderLayers + own : Behind;
        if (name.StartsWith("output", StringComparison.Ordinal) || name.StartsWith("cls.", StringComparison.Ordinal)) return Behind;
        return Number(name);
    }

    private static int Number(ReadOnlySpan<char> name)
    {
        if (!name.StartsWith(Block, StringComparison.Ordinal)) return -1;
        name = name[Block.Length..];
        int end = name.IndexOf('.');
        return end > 0 && int.TryParse(name[..end], NumberStyles.None, CultureInfo.InvariantCulture, out int layer) ? layer : -1;
    }
}
