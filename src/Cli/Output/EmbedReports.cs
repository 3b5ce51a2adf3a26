using System.Globalization;

namespace Quern.Cli.Output;

/// <summary>What <c>quern embed --format json</c> says.</summary>
/// <param name="Model">Path of the model.</param>
/// <param name="Pooling">How the vectors of tokens became one.</param>
/// <param name="Normalized">Whether vectors have the length 1.</param>
/// <param name="Length">Numbers of a vector.</param>
/// <param name="Texts">The texts, in their order.</param>
/// <param name="Similarity">[texts, texts] cosines, where they are asked for.</param>
internal sealed record EmbedReport(string Model, string Pooling, bool Normalized, int Length, IReadOnlyList<TextVector> Texts, IReadOnlyList<double[]>? Similarity);

/// <summary>A text and what was made of it: one of the last three is there.</summary>
/// <param name="Index">Its number, from 0.</param>
/// <param name="Text">The text, where it was not given by its tokens.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Vector">Its vector.</param>
/// <param name="Vectors">[tokens, length] the vectors of its tokens, without pooling.</param>
/// <param name="Scores">What a classifier says.</param>
internal sealed record TextVector(int Index, string? Text, int Tokens, float[]? Vector, IReadOnlyList<float[]>? Vectors, float[]? Scores)
{
    /// <summary>The vectors as lines of numbers with spaces between; behind those of a text's tokens comes an empty line.</summary>
    public void WriteNumbers(TextWriter writer)
    {
        foreach (float[] numbers in Vectors ?? [Vector ?? Scores!])
            writer.WriteLine(string.Join(' ', numbers.Select(number => number.ToString("R", CultureInfo.InvariantCulture))));
        if (Vectors is not null) writer.WriteLine();
    }
}
