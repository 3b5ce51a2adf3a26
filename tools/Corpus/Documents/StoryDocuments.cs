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
            ? Document.Chat(DocumentKind.Story, [.. Greeting(dice), new Turn("user", Prompt(story, detail)), new Turn("assistant", story.Text), .. Thanks(dice, story)])
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

    private static Turn[] Greeting(Dice dice) => !dice.Percent(12) ? [] :
    [
        new("user", dice.Pick<string>(["Hello!", "Hi!", "Good morning!", "Good evening!", "Hello, who are you?", "Hi, what can you do?", "Hello, how are you?"])),
        new("assistant", dice.Pick<string>(
        [
            "Hello! I am a little storyteller. What story would you like to hear?", "Hi! I can tell stories, answer questions about them, do small sums and write JSON. What would you like?",
            "Hello! It is nice to meet you. Shall I tell you a story?", "Hello! I am well, thank you. Would you like a story?",
        ])),
    ];

    private static Turn[] Thanks(Dice dice, Story story) => !dice.Percent(12) ? [] :
    [
        new("user", story.Expand("[Thank you!|That was a lovely story.|I like {hero}!|Thanks, that was nice.|What a good story!]")),
        new("assistant", story.Expand("[You are welcome!|I am glad that you liked it.|Thank you! I like {hero} too.|You are welcome! Tell me when you want another story.]")),
    ];

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
