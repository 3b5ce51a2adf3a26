namespace Quern.Engine.Sampling;

/// <summary>What <see cref="SamplerTable"/> knows of a sampler.</summary>
public sealed class SamplerEntry
{
    internal SamplerEntry(string name, char letter, string description, Func<SamplerSettings, ISampler?> create, params SamplerOption[] options)
    {
        (Name, Letter, Description, Create, Options) = (name, letter, description, create, options);
    }

    /// <summary>The name in a list such as <c>top_k;top_p</c>.</summary>
    public string Name { get; }

    /// <summary>The letter in a sequence such as <c>kp</c>; a space for samplers whose place in the chain is fixed.</summary>
    public char Letter { get; }

    /// <summary>One sentence that says what the sampler does.</summary>
    public string Description { get; }

    /// <summary>The options it reads.</summary>
    public IReadOnlyList<SamplerOption> Options { get; }

    /// <summary>Whether the user chooses the sampler's place in the chain.</summary>
    public bool IsOrdered => Letter != ' ';

    /// <summary>Other names by which llama.cpp knows it.</summary>
    internal string[] OtherNames { get; init; } = [];

    /// <summary>Makes the sampler; null where the options leave it without effect.</summary>
    internal Func<SamplerSettings, ISampler?> Create { get; }

    internal bool Answers(string name) =>
        Name.Equals(name.Replace('-', '_'), StringComparison.OrdinalIgnoreCase) || OtherNames.Contains(name, StringComparer.OrdinalIgnoreCase);
}
