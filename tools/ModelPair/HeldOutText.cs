using System.Text.RegularExpressions;
using Quern.Corpus.Documents;

namespace Quern.ModelPair;

/// <summary>The held-out documents as text with their special tokens.</summary>
internal sealed partial class HeldOutText
{
    private readonly string[] _documents;

    private HeldOutText(string[] documents) => _documents = documents;

    public static HeldOutText Read(string path) => new(File.ReadAllText(path).Split(ChatTokens.TextBegin, StringSplitOptions.RemoveEmptyEntries));

    /// <summary>The first documents, as many as fit in so many characters.</summary>
    public string Sample(int characters)
    {
        int length = 0;
        return string.Concat(_documents.Select(document => ChatTokens.TextBegin + document).TakeWhile(document => (length += document.Length) <= characters));
    }

    /// <summary>What one would type to get the documents: a chat to where the assistant first answers, a plain text to the end of its first sentence or line.</summary>
    public IReadOnlyList<string> Prompts(int count) => [.. _documents.Take(count).Select(Prompt)];

    private static string Prompt(string document)
    {
        const string Answer = ChatTokens.TurnBegin + "assistant\n";
        int chat = document.IndexOf(Answer, StringComparison.Ordinal);
        if (chat >= 0) return document[..(chat + Answer.Length)];
        Match end = FirstEnd().Match(document);
        return end.Success ? document[..(end.Index + end.Length)] : document.Replace(ChatTokens.TextEnd, "", StringComparison.Ordinal);
    }

    [GeneratedRegex(@"[.!?]""?(?=\s)|(?=\n)")]
    private static partial Regex FirstEnd();
}
