using System.Text.Json;
using Quern.Engine;
using Quern.Engine.Evaluation;

namespace Quern.Acceptance;

/// <summary>Prompts as tokens of a model, each with the beginning of a text that the model wants.</summary>
internal sealed class PromptSource(QuernModel model, bool parseSpecial)
{
    /// <summary>The prompts of a file: an array of strings where its name ends in <c>.json</c>, or the lines that are not empty.</summary>
    /// <exception cref="InvalidDataException">The file has no prompts, or is not JSON.</exception>
    public IReadOnlyList<int[]> FromPrompts(string path)
    {
        string[] prompts = path.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
            ? FromJson(path)
            : [.. File.ReadLines(path).Where(line => !string.IsNullOrWhiteSpace(line))];
        if (prompts.Length == 0) throw new InvalidDataException($"{path}: there are no prompts; expected at least one");
        return [.. prompts.Select(Tokens)];
    }

    /// <summary>A text in pieces of <paramref name="length"/> tokens, what the model puts first included; a last piece that is shorter is left out.</summary>
    /// <exception cref="InvalidDataException">The text is shorter than a piece.</exception>
    public IReadOnlyList<int[]> FromText(string path, int length)
    {
        int[] text = Tokens(File.ReadAllText(path));
        int beginning = Tokens("").Length;
        int[] tokens = text[beginning..];
        int own = length - beginning;
        if (own < 1 || tokens.Length < own)
            throw new InvalidDataException($"{path}: the text has {text.Length} tokens; expected at least {length} for a prompt, and at least {beginning + 1} in a prompt");
        return [.. tokens.Chunk(own).Where(piece => piece.Length == own).Select(piece => (int[])[.. text[..beginning], .. piece])];
    }

    private int[] Tokens(string text) => Perplexity.Tokenize(model, text, parseSpecial);

    private static string[] FromJson(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<string[]>(File.ReadAllBytes(path)) is { } prompts && prompts.All(prompt => !string.IsNullOrEmpty(prompt))
                ? prompts
                : throw new InvalidDataException($"{path}: expected an array of prompts, none of them empty");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: expected an array of strings: {e.Message}", e);
        }
    }
}
