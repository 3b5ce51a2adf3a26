namespace Quern.Corpus.Documents;

/// <summary>Numbers in words.</summary>
internal static class Numbers
{
    private static readonly string[] Small =
    [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen",
        "seventeen", "eighteen", "nineteen",
    ];

    private static readonly string[] Tens = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

    /// <summary>A number from 0 to 999 in words, "twenty-one".</summary>
    public static string Words(int number)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(number, 999);
        if (number >= 100) return $"{Small[number / 100]} hundred" + (number % 100 == 0 ? "" : $" {Words(number % 100)}");
        if (number < Small.Length) return Small[number];
        return number % 10 == 0 ? Tens[number / 10] : $"{Tens[number / 10]}-{Small[number % 10]}";
    }

    /// <summary>The same with a capital letter.</summary>
    public static string Capital(int number)
    {
        string words = Words(number);
        return char.ToUpperInvariant(words[0]) + words[1..];
    }
}
