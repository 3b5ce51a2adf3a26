using System.Text.Encodings.Web;
using System.Text.Json;
using Quern.Text;

namespace Quern.Engine.Evaluation;

/// <summary>Where the vocabularies of two models differ that have to share their tokens.</summary>
internal static class VocabularyDifferences
{
    private const int MostTokens = 3;

    /// <summary>One short sentence for each difference: the kind, the number of tokens, the beginning of a text, the first tokens that differ.</summary>
    public static IReadOnlyList<string> Find(Vocabulary target, Vocabulary draft)
    {
        List<string> differences = [];
        if (target.Model != draft.Model) differences.Add($"the target's tokenizer is '{target.Model}', the draft's '{draft.Model}'");
        if (target.Count != draft.Count) differences.Add($"the target has {target.Count} tokens, the draft {draft.Count}");
        if (Beginning(target) != Beginning(draft)) differences.Add($"a text begins with {Name(Beginning(target))} in the target, with {Name(Beginning(draft))} in the draft");
        int[] different = [.. Enumerable.Range(0, Math.Min(target.Count, draft.Count)).Where(id => target.Tokens[id] != draft.Tokens[id])];
        foreach (int id in different.Take(MostTokens))
            differences.Add($"token {id} is {Quote(target.Tokens[id])} in the target, {Quote(draft.Tokens[id])} in the draft");
        if (different.Length > MostTokens) differences.Add($"{different.Length - MostTokens} more tokens differ");
        return differences;
    }

    private static int? Beginning(Vocabulary vocabulary) => vocabulary.AddBos ? vocabulary.Bos : null;

    private static string Name(int? token) => token is { } id ? $"token {id}" : "no token";

    // Tokens may hold line breaks and other control characters.
    private static string Quote(string token) => $"\"{JsonEncodedText.Encode(token, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";
}
