namespace Quern.Models.Quantization;

/// <summary>A named way to quantise a model: one type for most of the weights, and rules that give some of them more bits.</summary>
public sealed class QuantizationMix
{
    private readonly Func<TensorPlace, string?> _rule;

    internal QuantizationMix(string name, int fileType, string type, string label, Func<TensorPlace, string?>? rule = null)
    {
        Name = name;
        FileType = fileType;
        Type = type;
        Label = label;
        _rule = rule ?? (_ => null);
    }

    /// <summary>The name, as llama.cpp spells it: <c>Q4_K_M</c>.</summary>
    public string Name { get; }

    /// <summary>The number that a file says in <c>general.file_type</c>.</summary>
    public int FileType { get; }

    /// <summary>The type of most weights.</summary>
    public string Type { get; }

    /// <summary>As model cards and benchmarks write it: <c>Q4_K - Medium</c>.</summary>
    public string Label { get; }

    /// <summary>Whether the type is a block format, so that some weights have to stay larger.</summary>
    internal bool IsQuantized => Type is not ("F32" or "F16" or "BF16");

    /// <summary>The type that the mix wants for a weight.</summary>
    internal string TypeFor(TensorPlace place) => _rule(place) ?? Type;
}
