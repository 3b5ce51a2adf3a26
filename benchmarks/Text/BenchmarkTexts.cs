using System.Text;

namespace Quern.Benchmarks.Text;

/// <summary>Texts of a given length, the same in every run.</summary>
internal static class BenchmarkTexts
{
    private static readonly string[] Sentences =
    [
        "The inference runtime reads a model from a file and turns a prompt into tokens, one after the other. ",
        "It was a bright cold day in April, and the clocks of the old town hall weren't striking anything at all. ",
        "Researchers at the university reported on 14 March 2024 that the measured speed was 3.7 times higher than expected. ",
        "\"I don't know what you're talking about,\" she said, looking at the harbour, \"but we'll find out tomorrow.\" ",
        "Although memory bandwidth limits the generation of text, the processing of long prompts is bound by arithmetic.\n\n",
        "Unfortunately, the committee's recommendations regarding infrastructure, environmental protection and taxation were postponed indefinitely. ",
        "Add two cups of flour, a pinch of salt, and 250 ml of lukewarm water; then knead the dough until it's smooth.\n",
        "Philosophers have long argued whether consciousness could emerge from sufficiently complicated mechanical processes. ",
    ];

    private static readonly string[] Code =
    [
        "public static int Sum(ReadOnlySpan<int> values)\n{\n    int total = 0;\n    foreach (int value in values) total += value;\n    return total;\n}\n\n",
        "def fibonacci(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a  # O(n)\n\n",
        "for (size_t i = 0; i < count; ++i) {\n\tif (buffer[i] == 0xFF && !(flags & MASK_READY)) {\n\t\tcontinue;\n\t}\n}\n",
        "SELECT id, name, created_at FROM users WHERE age >= 18 AND email LIKE '%@example.com' ORDER BY created_at DESC LIMIT 100;\n",
    ];

    /// <summary>ASCII text of the kind, at least <paramref name="bytes"/> long and cut there.</summary>
    public static string Make(string kind, int bytes)
    {
        Random random = new(1);
        string[] source = kind == "code" ? Code : Sentences;
        StringBuilder text = new(bytes + 1024);
        while (text.Length < bytes)
        {
            string sentence = source[random.Next(source.Length)];
            text.Append(kind == "rare words" ? Scramble(sentence, random) : sentence);
        }

        return text.ToString(0, bytes);
    }

    /// <summary>Replaces every letter by a random one of the same case, so that words are as long as before and are no tokens.</summary>
    private static string Scramble(string sentence, Random random) => string.Concat(sentence.Select(c =>
        char.IsAsciiLetterLower(c) ? (char)('a' + random.Next(26)) : char.IsAsciiLetterUpper(c) ? (char)('A' + random.Next(26)) : c));
}
