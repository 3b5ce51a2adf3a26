namespace Quern.Trainer.Data;

/// <summary>Sequences of equal length with what should follow each token.</summary>
/// <param name="sequences">Number of sequences.</param>
/// <param name="length">Tokens of each.</param>
internal sealed class TokenBatch(int sequences, int length)
{
    public int Sequences { get; } = sequences;

    public int Length { get; } = length;

    /// <summary>Tokens of all sequences.</summary>
    public int Tokens => Sequences * Length;

    /// <summary>[sequences, length].</summary>
    public int[] Inputs { get; } = new int[sequences * length];

    /// <summary>[sequences, length], the token that follows.</summary>
    public int[] Targets { get; } = new int[sequences * length];

    /// <summary>[sequences, length], how much each target counts; 0 where it is not to be learnt.</summary>
    public float[] Weights { get; } = new float[sequences * length];

    /// <summary>[sequences, length], the first token of the sequence that this one sees: where its document begins. Never falls inside a sequence.</summary>
    public int[] FirstKeys { get; } = new int[sequences * length];

    /// <summary>Sum of the weights.</summary>
    public double TotalWeight => Weights.Sum(weight => (double)weight);
}
