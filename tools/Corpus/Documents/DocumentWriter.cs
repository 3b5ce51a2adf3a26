using Quern.Corpus.Grammar;

namespace Quern.Corpus.Documents;

/// <summary>Makes the document of a seed.</summary>
internal static class DocumentWriter
{
    /// <summary>All kinds, and how many of a hundred documents each has.</summary>
    public static readonly (DocumentKind Kind, string Name, int Percent, Func<Dice, bool, Document> Write)[] Kinds =
    [
        (DocumentKind.Story, "story", 54, StoryDocuments.Write),
        (DocumentKind.Questions, "qa", 12, QuestionDocuments.Write),
        (DocumentKind.Arithmetic, "arithmetic", 14, ArithmeticDocuments.Write),
        (DocumentKind.Record, "json", 7, RecordDocuments.Write),
        (DocumentKind.Echo, "echo", 13, EchoDocuments.Write),
    ];

    private const int ChatPercent = 45;

    private static readonly string[] Systems =
    [
        "You are a friendly storyteller.", "You are a helpful assistant.", "You tell stories for children.", "You are a kind teacher.", "Answer in simple words.",
    ];

    /// <summary>The document of a seed, of any kind or of the one that is asked for.</summary>
    public static Document Write(ulong seed, DocumentKind? kind = null, bool? chat = null)
    {
        Dice dice = new(seed);
        int draw = dice.Below(100);
        bool drawnChat = dice.Percent(ChatPercent);
        int entry = 0;
        while (kind is { } wanted ? Kinds[entry].Kind != wanted : draw >= Kinds[entry].Percent)
            draw -= Kinds[entry++].Percent;
        Document document = Kinds[entry].Write(dice, chat ?? drawnChat);
        return document.IsChat && dice.Percent(12) ? Document.Chat(document.Kind, [new Turn("system", dice.Pick(Systems)), .. document.Turns]) : document;
    }
}
