using Quern.Corpus.Grammar;

namespace Quern.Corpus.Documents;

/// <summary>A small calculation with whole numbers.</summary>
/// <param name="Left">The number on the left.</param>
/// <param name="Operator">One of + - × ÷, written <c>+ - * /</c>.</param>
/// <param name="Right">The number on the right.</param>
/// <param name="Result">The result, never negative and never a fraction.</param>
internal sealed record Sum(int Left, char Operator, int Right, int Result)
{
    public string InDigits => $"{Left} {Operator} {Right}";

    public string InWords => $"{Numbers.Words(Left)} {Word} {Numbers.Words(Right)}";

    public string Word => Operator switch { '+' => "plus", '-' => "minus", '*' => "times", _ => "divided by" };

    /// <summary>Mostly additions and subtractions of numbers up to 10, some up to 20 and 99, the tables of multiplication, and divisions without a rest.</summary>
    public static Sum Draw(Dice dice)
    {
        int most = dice.Percent(75) ? 10 : dice.Percent(60) ? 20 : 99;
        int a = dice.Between(0, most), b = dice.Between(0, most);
        int kind = dice.Below(100);
        if (kind < 45) return new Sum(a, '+', b, a + b);
        if (kind < 80) return new Sum(Math.Max(a, b), '-', Math.Min(a, b), Math.Abs(a - b));
        (a, b) = (dice.Between(1, 10), dice.Between(1, 10));
        return kind < 95 ? new Sum(a, '*', b, a * b) : new Sum(a * b, '/', b, a);
    }
}
