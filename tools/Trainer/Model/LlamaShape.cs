namespace Quern.Trainer.Model;

/// <summary>The dimensions of a small Llama.</summary>
internal sealed record LlamaShape
{
    /// <summary>Values in a token's vector.</summary>
    public required int Width { get; init; }

    /// <summary>Blocks of attention and feed-forward.</summary>
    public required int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Heads with their own keys and values.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Values in a head.</summary>
    public required int HeadLength { get; init; }

    /// <summary>Inner width of the feed-forward.</summary>
    public required int Hidden { get; init; }

    /// <summary>Number of tokens.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>Tokens of a sequence.</summary>
    public required int Context { get; init; }

    /// <summary>Whether the embeddings are the output matrix too.</summary>
    public bool TiedOutput { get; init; } = true;

    /// <summary>Base of the rotary frequencies.</summary>
    public float RopeBase { get; init; } = 10_000;

    /// <summary>ε of the norms.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>Checks that the numbers make a model.</summary>
    /// <exception cref="InvalidDataException">One does not; the message names it.</exception>
    public void Validate()
    {
        Positive(Width, "width");
        Positive(Layers, "layers");
        Positive(Heads, "heads");
        Positive(KvHeads, "kvHeads");
        Positive(Hidden, "hidden");
        Positive(Context, "context");
        if (Vocabulary is < 2 or > 65_536) throw new InvalidDataException($"model.vocabulary is {Vocabulary}; expected 2 to 65536, what a token file can hold");
        if (Heads % KvHeads != 0) throw new InvalidDataException($"model.kvHeads is {KvHeads}; expected a divisor of {Heads}, the number of heads");
        if (HeadLength < 2 || HeadLength % 2 != 0) throw new InvalidDataException($"model.headLength is {HeadLength}; expected an even number, because values are turned in pairs");
        if (!(RopeBase > 1) || !float.IsFinite(RopeBase)) throw new InvalidDataException($"model.ropeBase is {RopeBase}; expected more than 1");
        if (!(NormEpsilon > 0) || !float.IsFinite(NormEpsilon)) throw new InvalidDataException($"model.normEpsilon is {NormEpsilon}; expected more than 0");
    }

    private static void Positive(int value, string name)
    {
        if (value < 1) throw new InvalidDataException($"model.{name} is {value}; expected at least 1");
    }
}
