using Quern.Corpus.Grammar;
using Quern.Corpus.Themes;
using Quern.Corpus.World;

namespace Quern.Corpus.Documents;

/// <summary>Stories: by themselves, or as the answer to somebody who asks for one.</summary>
internal static class StoryDocuments
{
    private static readonly int[] Details = [5, 30, 60, 95];

    public static Document Write(Dice dice, bool chat)
    {
        int detail = dice.Pick(Details);
        Story story = Tell(dice, detail);
        return chat
            ? Document.Chat(DocumentKind.Story, [new Turn("user", Prompt(story, detail)), new Turn("assistant", story.Text)])
            : Document.Plain(DocumentKind.Story, story.Text);
    }

    /// <summary>Tells a story of any theme.</summary>
    /// <param name="dice">All choices.</param>
    /// <param name="detail">How many of a hundred details are told.</param>
    public static Story Tell(Dice dice, int detail)
    {
        Story story = new(dice, detail);
        dice.Pick(ThemeTable.All).Tell(story);
        return story;
    }

    private static string Prompt(Story story, int detail)
    {
        Dice dice = story.Dice;
        story.Bind("subject", story.Subject);
        story.Bind("length", detail <= 5 ? "short story" : detail >= 95 ? "long story" : "story");
        string first = story.Text[..(story.Text.IndexOf('.', StringComparison.Ordinal) + 1)];
        int form = dice.Below(100);
        if (form < 8) return first.Length is > 0 and < 100 ? $"Write a story that begins with: {first}" : "Write a story.";
        if (form < 16) return story.Expand("[Tell me|Write|Please tell me|Can you tell me] a story that teaches [me |]that {lesson}").TrimEnd() + ".";
        if (form < 24) return story.Expand("[Tell me a {length}.|Write a {length}.|Please tell me a {length}.|I would like to hear a {length}.|A {length}, please!]");
        if (form < 36) return story.Expand("[Write|Tell me|Please write|I want to hear] a {length} about {an} {hero.kind} named {hero}.");
        if (form < 46) return story.Expand("[Write|Tell me|Please write] a {length} about {an} {hero.kind}.");
        if (form < 60 && story.Characters.Skip(1).FirstOrDefault(c => c.HasName) is { } other) return story.Expand($"[Write|Tell me|Please tell me] a {{length}} about {{hero}} and {other.Name}.");
        return story.Expand("[Write a {length} about {subject}.|Tell me a {length} about {subject}.|Please write a {length} about {subject}.|Can you tell me a {length} about {subject}?|I would like a {length} about {subject}.]");
    }
}
