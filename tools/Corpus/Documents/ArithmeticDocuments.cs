using System.Text;
using Quern.Corpus.Grammar;
using Quern.Corpus.Lexicon;
using Quern.Corpus.World;

namespace Quern.Corpus.Documents;

/// <summary>Small calculations: in digits, in words, as the little stories of a schoolbook, and counting.</summary>
internal static class ArithmeticDocuments
{
    private static readonly string[] Countables = Table.Of("""
        apples, pears, nuts, cookies, marbles, shells, stones, books, pencils, flowers, balloons, eggs, berries, coins, buttons, leaves, carrots, candles,
        cards, cups, spoons, feathers, plums, toys, fish, blocks, lemons, hats
        """);

    public static Document Write(Dice dice, bool chat)
    {
        int count = chat ? dice.Between(1, 8) : dice.Between(6, 20);
        (string Question, string Answer)[] tasks = new (string, string)[count];
        int kind = dice.Below(100);
        for (int i = 0; i < count; i++)
        {
            int drawn = chat ? dice.Below(100) : kind;
            tasks[i] = drawn < 50 ? Digits(dice, chat) : drawn < 65 ? Words(dice, chat) : drawn < 88 ? Problem(dice) : drawn < 94 ? Counting(dice) : Comparison(dice);
        }

        if (chat) return Document.Chat(DocumentKind.Arithmetic, [.. tasks.SelectMany(task => new[] { new Turn("user", task.Question), new Turn("assistant", task.Answer) })]);
        StringBuilder text = new();
        foreach ((string question, string answer) in tasks)
        {
            if (text.Length != 0) text.Append('\n');
            text.Append(question).Append(question.Length == 0 ? "" : " ").Append(answer);
        }

        return Document.Plain(DocumentKind.Arithmetic, text.ToString());
    }

    private static (string Question, string Answer) Digits(Dice dice, bool chat)
    {
        Sum sum = Sum.Draw(dice);
        if (!chat) return ("", $"{sum.InDigits} = {sum.Result}");
        string question = dice.Pick<string>([$"What is {sum.InDigits}?", $"{sum.InDigits} = ?", $"Please calculate {sum.InDigits}.", $"How much is {sum.InDigits}?"]);
        return (question, dice.Percent(70) ? $"{sum.InDigits} = {sum.Result}" : $"The answer is {sum.Result}.");
    }

    private static (string Question, string Answer) Words(Dice dice, bool chat)
    {
        Sum sum = Sum.Draw(dice);
        string words = sum.InWords, result = Numbers.Words(sum.Result);
        string answer = $"{char.ToUpperInvariant(words[0])}{words[1..]} is {result}.";
        return (chat ? dice.Pick<string>([$"What is {words}?", $"How much is {words}?"]) : "", answer);
    }

    private static (string Question, string Answer) Problem(Dice dice)
    {
        Cast cast = new(dice);
        Roles roles = new();
        Character hero = cast.Child(), friend = cast.Child();
        roles["hero"] = hero;
        roles["friend"] = friend;
        roles["things"] = new Phrase(dice.Pick(Countables));
        bool inWords = dice.Percent(25);
        int a = dice.Between(2, 10), b = dice.Between(2, 10);
        string form = dice.Below(5) switch
        {
            0 => Two(a, b, a + b, "{Hero} has {a} {things}. {Friend} gives {him} {b} more. How many {things} does {hero} have now?", "{Hero} has {c} {things} now, because {a} + {b} = {c}."),
            1 => Two(a + b, b, a, "{Hero} has {a} {things}. {He} gives {b} of them to {friend}. How many {things} are left?", "{C} {things} are left, because {a} - {b} = {c}."),
            2 => Two(a, b, a + b, "{Hero} has {a} {things} and {friend} has {b}. How many {things} do they have together?", "They have {c} {things} together, because {a} + {b} = {c}."),
            3 => Two(a, b, a * b, "There are {a} boxes with {b} {things} in each. How many {things} are there?", "There are {c} {things}, because {a} * {b} = {c}."),
            _ => Two(a * b, b, a, "{Hero} has {a} {things} and {b} friends. {He} gives the same number to each of them. How many does each friend get?", "Each friend gets {c} {things}, because {a} / {b} = {c}."),
        };
        int bar = form.IndexOf('\n', StringComparison.Ordinal);
        return (form[..bar], form[(bar + 1)..]);

        string Two(int left, int right, int result, string question, string answer)
        {
            roles["a"] = new Phrase(inWords ? Numbers.Words(left) : $"{left}");
            roles["b"] = new Phrase(inWords ? Numbers.Words(right) : $"{right}");
            StringBuilder text = new();
            Template.Expand(question, dice, roles, text);
            text.Append('\n');
            roles["c"] = new Phrase(inWords ? Numbers.Words(result) : $"{result}");
            int because = answer.IndexOf(", because", StringComparison.Ordinal);
            Template.Expand(inWords ? answer[..because] + "." : answer, dice, roles, text);
            return text.ToString();
        }
    }

    private static (string Question, string Answer) Counting(Dice dice)
    {
        int first = dice.Between(0, 40), step = dice.Percent(60) ? 1 : dice.Pick<int>([2, 5, 10]), length = dice.Between(4, 10);
        int[] numbers = [.. Enumerable.Range(0, length).Select(i => first + (i * step))];
        string by = step == 1 ? "" : $" in steps of {step}";
        return dice.Percent(70)
            ? ($"Count from {numbers[0]} to {numbers[^1]}{by}.", string.Join(", ", numbers))
            : ($"Count back from {numbers[^1]} to {numbers[0]}{by}.", string.Join(", ", numbers.Reverse()));
    }

    private static (string Question, string Answer) Comparison(Dice dice)
    {
        int a = dice.Between(0, 99), b = dice.Between(0, 98);
        if (b >= a) b++;
        return dice.Percent(50)
            ? ($"Which number is bigger, {a} or {b}?", $"{Math.Max(a, b)} is bigger than {Math.Min(a, b)}.")
            : ($"Which number is smaller, {a} or {b}?", $"{Math.Min(a, b)} is smaller than {Math.Max(a, b)}.");
    }
}
