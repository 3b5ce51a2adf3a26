using Quern.Corpus.Documents;

namespace Quern.ModelPair;

/// <summary>What the card lets the target go on from.</summary>
/// <param name="Options">Options of <c>quern run</c>.</param>
/// <param name="Text">The prompt.</param>
internal sealed record SamplePrompt(IReadOnlyList<string> Options, string Text);

/// <summary>The prompts of the card: beginnings of stories as they are sampled by default, and chats with the likeliest answer.</summary>
internal static class SamplePrompts
{
    public static IReadOnlyList<SamplePrompt> All { get; } =
    [
        new(["--seed", "1"], "Once upon a time"),
        new(["--seed", "2"], "Once upon a time"),
        new(["--temp", "0"], "Lily was a little rabbit who had lost her red ball."),
        Chat("What is 3 + 4?"),
        Chat("Tell me a short story about a dragon named Max."),
        Chat("Write this as JSON: Lucy is a girl. She is 7 years old and likes rain and kites."),
        Chat("Tom has 12 apples. He gives 5 of them to Mia. How many apples are left?"),
    ];

    private static SamplePrompt Chat(string question) =>
        new(["--special", "--temp", "0"], $"{ChatTokens.TurnBegin}user\n{question}{ChatTokens.TurnEnd}\n{ChatTokens.TurnBegin}assistant\n");
}
