using Quern.Gguf;

namespace Quern.Models.Quantization;

/// <summary>The type that a weight gets.</summary>
/// <param name="Type">Name of the format.</param>
/// <param name="Wanted">The type that the mix wanted, where rows are no multiple of its block; null where it was possible.</param>
public readonly record struct TensorChoice(string Type, string? Wanted);

/// <summary>Which tensor of a model gets which type: a mix, applied to one model's tensors.</summary>
public sealed class QuantizationRecipe
{
    // What replaces a type whose block does not divide the rows: blocks of 32 with at least as many bits.
    private static readonly (string Type, string Instead)[] Smaller =
    [
        ("IQ4_XS", "IQ4_NL"), ("Q2_K", "Q4_0"), ("Q3_K", "Q4_0"), ("Q4_K", "Q5_0"), ("Q5_K", "Q5_1"), ("Q6_K", "Q8_0"),
    ];

    private readonly ModelShape _shape;
    private readonly int[] _valueBlocks;

    /// <param name="mix">The mix.</param>
    /// <param name="shape">The model.</param>
    /// <param name="tensorNames">The names of all its tensors: blocks are counted by those that have values.</param>
    public QuantizationRecipe(QuantizationMix mix, ModelShape shape, IEnumerable<string> tensorNames)
    {
        Mix = mix;
        _shape = shape;
        _valueBlocks = [.. tensorNames.Where(name => TensorRoles.HoldsValues(TensorRoles.Of(name))).Select(TensorRoles.Block).Distinct().Order()];
    }

    /// <summary>The mix.</summary>
    public QuantizationMix Mix { get; }

    /// <summary>Whether every matrix gets the mix's main type, without its rules.</summary>
    public bool Pure { get; init; }

    /// <summary>The type of the output matrix instead of the mix's choice, or null.</summary>
    public string? OutputType { get; init; }

    /// <summary>The type of the token embeddings instead of the mix's choice, or null.</summary>
    public string? EmbeddingType { get; init; }

    /// <summary>The type for a tensor.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="storedType">Its type now: what it keeps if it is not to be quantised.</param>
    /// <param name="dimensions">Its dimensions, the length of a row first.</param>
    public TensorChoice Choose(string name, string storedType, IReadOnlyList<long> dimensions)
    {
        // A dimension of 1 at the end makes no matrix.
        if (!TensorRoles.IsQuantizable(name, dimensions.Count - dimensions.Reverse().TakeWhile(dimension => dimension == 1).Count())) return new TensorChoice(storedType, null);
        TensorRole role = TensorRoles.Of(name);
        string? demanded = role == TensorRole.Output ? OutputType
            : role != TensorRole.TokenEmbedding ? null
            : EmbeddingType ?? (_shape.TiedOutput ? OutputType : null);
        string wanted = demanded ?? (Mix.IsQuantized && !Pure ? Wanted(name, role, dimensions[0]) : Mix.Type);
        string possible = Fit(wanted, dimensions[0]);
        return new TensorChoice(possible, possible == wanted ? null : wanted);
    }

    private string Wanted(string name, TensorRole role, long cols)
    {
        if (role == TensorRole.Output || (role == TensorRole.TokenEmbedding && _shape.TiedOutput))
            return _shape.HasOwnMix || !Divides(Mix.Type, cols) || Mix.Type == "Q8_0" ? "Q8_0" : "Q6_K";
        int block = TensorRoles.Block(name);
        return TensorRoles.HoldsValues(role)
            ? Mix.TypeFor(new TensorPlace(role, Array.IndexOf(_valueBlocks, block), _valueBlocks.Length, _shape))
            : Mix.TypeFor(new TensorPlace(role, block, _shape.Blocks, _shape));
    }

    private static string Fit(string type, long cols)
    {
        if (Divides(type, cols)) return type;
        foreach ((string large, string instead) in Smaller)
            if (large == type && Divides(instead, cols)) return instead;
        return "F16";
    }

    private static bool Divides(string type, long cols) =>
        cols % (GgmlTypes.Find(type) ?? throw new InvalidOperationException($"there is no type '{type}'")).BlockLength == 0;
}
