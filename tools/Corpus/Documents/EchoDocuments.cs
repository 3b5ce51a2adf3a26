using Quern.Corpus.Grammar;
using Quern.Corpus.Lexicon;

namespace Quern.Corpus.Documents;

/// <summary>
/// Lists of names and things that are said again. Nothing but the list itself tells what comes next, so a small model learns early to look back for what was
/// said, and who it was, as the stories need it.
/// </summary>
internal static class EchoDocuments
{
    private static readonly string[] Everybody = [.. Names.Boys, .. Names.Girls];

    public static Document Write(Dice dice, bool chat)
    {
        (string Question, string Answer)[] tasks = new (string, string)[dice.Between(1, chat ? 3 : 4)];
        for (int i = 0; i < tasks.Length; i++)
            tasks[i] = dice.Below(100) switch { < 45 => Again(dice), < 70 => RollCall(dice), < 85 => After(dice), _ => End(dice) };
        return chat
            ? Document.Chat(DocumentKind.Echo, [.. tasks.SelectMany(task => new[] { new Turn("user", task.Question), new Turn("assistant", task.Answer) })])
            : Document.Plain(DocumentKind.Echo, string.Join("\n\n", tasks.Select(task => $"{task.Question}\n{task.Answer}")));
    }

    private static (string Question, string Answer) Again(Dice dice)
    {
        string list = Join(Words(dice, 3, 14));
        return (dice.Pick<string>([$"Say this again: {list}.", $"Please repeat: {list}.", $"Write this list again: {list}.", $"Repeat these words: {list}."]), $"{list}.");
    }

    private static (string Question, string Answer) RollCall(Dice dice)
    {
        string[] names = dice.PickSome(Everybody, dice.Between(2, 8));
        string word = dice.Pick<string>(["is here", "is ready", "is late", "smiles", "says hello", "has a hat"]);
        return ($"{Join(names)} are in the class. Who {word}?", string.Join(" ", names.Select(name => $"{name} {word}.")));
    }

    private static (string Question, string Answer) After(Dice dice)
    {
        string[] words = Words(dice, 3, 10);
        int i = dice.Below(words.Length - 1);
        bool after = dice.Percent(50);
        return after
            ? ($"{Join(words)}. What comes after {words[i]}?", $"After {words[i]} comes {words[i + 1]}.")
            : ($"{Join(words)}. What comes before {words[i + 1]}?", $"Before {words[i + 1]} comes {words[i]}.");
    }

    private static (string Question, string Answer) End(Dice dice)
    {
        string[] words = Words(dice, 2, 10);
        return dice.Percent(50)
            ? ($"{Join(words)}. Which is the first?", $"The first is {words[0]}.")
            : ($"{Join(words)}. Which is the last?", $"The last is {words[^1]}.");
    }

    private static string[] Words(Dice dice, int least, int most)
    {
        int count = dice.Between(least, most);
        int kind = dice.Below(100);
        if (kind < 50) return dice.PickSome(Everybody, count);
        return dice.PickSome<string>(kind < 70 ? Creatures.Animals : kind < 85 ? Things.Toys : [.. Things.Treasures, .. Creatures.Trades], count);
    }

    private static string Join(string[] words) => string.Join(", ", words);
}
