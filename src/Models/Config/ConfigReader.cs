using Quern.Gguf;

namespace Quern.Models;

/// <summary>Reads an architecture's metadata: keys that begin with its name, with their limits.</summary>
internal sealed class ConfigReader(GgufFile file, string architecture)
{
    public GgufMetadata Metadata => file.Metadata;

    public string Path => file.Path;

    /// <summary>The whole name of a key of the architecture.</summary>
    public string Key(string suffix) => $"{architecture}.{suffix}";

    public bool Has(string suffix) => Metadata.Contains(Key(suffix));

    /// <summary>A required integer of at least 1.</summary>
    public int Positive(string suffix) => AtLeast(1, suffix, Metadata.GetInt32(Key(suffix)));

    /// <summary>An integer of at least 1, or <paramref name="fallback"/> where the file lacks the key.</summary>
    public int PositiveOr(string suffix, int fallback) => Has(suffix) ? Positive(suffix) : fallback;

    /// <summary>An integer of at least 0, or <paramref name="fallback"/> where the file lacks the key.</summary>
    public int CountOr(string suffix, int fallback) => AtLeast(0, suffix, Metadata.GetInt32Or(Key(suffix), fallback));

    /// <summary>A finite number of at least 0, or <paramref name="fallback"/> where the file lacks the key.</summary>
    public float NumberOr(string suffix, float fallback)
    {
        float value = Metadata.GetSingleOr(Key(suffix), fallback);
        return value >= 0 && float.IsFinite(value) ? value : throw Error(suffix, $"it holds {value}; expected a finite number of at least 0");
    }

    /// <summary>A number above 0, or null where the file lacks the key or holds 0, which stands for the same.</summary>
    public float? PositiveNumber(string suffix) => NumberOr(suffix, 0) is var value and not 0 ? value : null;

    /// <summary>An integer of at least <paramref name="smallest"/> for each layer, from one number or an array.</summary>
    public int[] PerLayer(string suffix, int layers, int smallest)
    {
        int[] values = Metadata.GetInt32PerLayer(Key(suffix), layers);
        foreach (int value in values) AtLeast(smallest, suffix, value);
        return values;
    }

    /// <summary>An integer of at least <paramref name="smallest"/> that all layers share, even where the file says it once for each.</summary>
    public int SharedByLayers(string suffix, int layers, int smallest = 1)
    {
        int[] values = PerLayer(suffix, layers, smallest);
        return values.AsSpan().ContainsAnyExcept(values[0])
            ? throw Error(suffix, $"its values differ from layer to layer; {architecture} expects one value for all layers")
            : values[0];
    }

    public ModelFormatException Error(string suffix, string problem) => new(Path, $"metadata key '{Key(suffix)}'", problem);

    private int AtLeast(int smallest, string suffix, int value) =>
        value >= smallest ? value : throw Error(suffix, $"it holds {value}; expected at least {smallest}");
}
