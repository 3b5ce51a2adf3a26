using System.Globalization;
using Quern.Corpus.Grammar;
using Quern.Corpus.Lexicon;

namespace Quern.Corpus.Documents;

/// <summary>
/// Short texts in which nothing but what was said before tells what comes next: a few sentences about the same few people, and lists that are said again. A model learns from them within minutes to look
/// back for who it was, from texts as short as these; the stories, where a name is one word of hundreds, then only have to be told. (Without them, names stay a guess for thousands of steps.)
/// </summary>
internal static class EchoDocuments
{
    private static readonly string[] Everybody = [.. Names.Boys, .. Names.Girls];

    private static readonly string[] Digits = [.. Enumerable.Range(0, 100).Select(n => n.ToString(CultureInfo.InvariantCulture))];

    private static readonly string[] Predicates =
    [
        "is here", "is ready", "is late", "smiles", "says hello", "has a hat", "can sing", "likes apples", "went home", "was tired", "ran away", "found a stone", "is happy", "has a kite", "looks up",
        "was hungry", "goes to the pond", "likes the rain", "saw a bird", "sat down",
    ];

    public static Document Write(Dice dice, bool chat)
    {
        if (dice.Percent(65)) return People(dice, chat);
        (string Question, string Answer)[] tasks = new (string, string)[dice.Between(1, chat ? 3 : 4)];
        for (int i = 0; i < tasks.Length; i++)
            tasks[i] = dice.Below(100) switch { < 45 => Again(dice), < 70 => RollCall(dice), < 85 => After(dice), _ => End(dice) };
        return chat
            ? Document.Chat(DocumentKind.Echo, [.. tasks.SelectMany(task => new[] { new Turn("user", task.Question), new Turn("assistant", task.Answer) })])
            : Document.Plain(DocumentKind.Echo, string.Join("\n\n", tasks.Select(task => $"{task.Question}\n{task.Answer}")));
    }

    private static readonly string[] Subjects =
        ["The sun", "The moon", "The wind", "The rain", "The path", "The old house", "The river", "The garden", "The sky", "The grass", "The water", "The day", "The morning", "The night", "The hill", "The snow"];

    private static readonly string[] States =
        ["is warm", "is cold", "was bright", "was dark", "is quiet", "was soft", "is long", "was short", "is far away", "was very old", "is green", "was wet", "looks beautiful", "came early", "was late", "is near"];

    private static Document People(Dice dice, bool chat)
    {
        int draw = dice.Below(100);
        string[] people = dice.PickSome(Everybody, draw < 45 ? 1 : draw < 80 ? 2 : dice.Between(3, 6));
        string[] sentences = new string[dice.Between(2, dice.Between(3, 30))];
        for (int i = 0; i < sentences.Length; i++)
            sentences[i] = dice.Percent(60) ? $"{dice.Pick(people)} {dice.Pick(Predicates)}." : $"{dice.Pick(Subjects)} {dice.Pick(States)}.";
        string text = string.Join(" ", sentences);
        return chat
            ? Document.Chat(DocumentKind.Echo, [new Turn("user", $"Tell me about {(people.Length == 1 ? people[0] : $"{Join(people[..^1])} and {people[^1]}")}."), new Turn("assistant", text)])
            : Document.Plain(DocumentKind.Echo, text);
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
        if (kind < 35) return dice.PickSome(Everybody, count);
        if (kind < 55) return dice.PickSome(Digits, count);
        return dice.PickSome<string>(kind < 70 ? Creatures.Animals : kind < 80 ? Things.Toys : kind < 90 ? Things.Treats : [.. Things.Treasures, .. Creatures.Trades], count);
    }

    private static string Join(string[] words) => string.Join(", ", words);
}
