namespace Quern.Engine.Sampling;

/// <summary>One link of a <see cref="SamplerChain"/>: it changes logits or drops candidates, and may remember tokens. None may allocate once made.</summary>
internal interface ISampler
{
    /// <summary>Changes the candidates; leaves at least one.</summary>
    void Apply(Candidates candidates);

    /// <summary>How many of the largest candidates it keeps, whatever their logits are; 0 where that depends on them, or on what came before.</summary>
    int Keeps => 0;

    /// <summary>Whether the largest candidate stays, and stays the largest.</summary>
    bool KeepsLargest => false;

    /// <summary>A token was appended to the sequence, from the prompt or by sampling.</summary>
    void Accept(int token) { }

    /// <summary>A token was drawn which had this probability in the chain's final distribution.</summary>
    void Observe(double probability) { }

    /// <summary>Back to the state after construction.</summary>
    void Reset() { }

    /// <summary>Takes the state of a sampler of the same kind, made with the same settings.</summary>
    void CopyStateFrom(ISampler source) { }
}
