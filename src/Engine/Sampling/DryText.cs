namespace Quern.Engine.Sampling;

/// <summary>Sequence breakers as a command line can spell them: with \n, \t, \r, \\ and \" for what a shell makes hard to type.</summary>
internal static class DryText
{
    private static readonly (string Escaped, string Plain)[] Escapes = [("\\\\", "\\"), ("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r"), ("\\\"", "\"")];

    public static string Join(IEnumerable<string> breakers) =>
        string.Join(' ', breakers.Select(text => Escapes.SkipLast(1).Aggregate(text, (escaped, escape) => escaped.Replace(escape.Plain, escape.Escaped))));

    public static IReadOnlyList<string> Parse(IReadOnlyList<string> texts) => texts is ["none"] ? [] : [.. texts.Select(Unescape)];

    private static string Unescape(string text)
    {
        var plain = new System.Text.StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            string pair = i + 1 < text.Length ? text.Substring(i, 2) : "";
            string? found = Array.Find(Escapes, escape => escape.Escaped == pair).Plain;
            if (found is not null) i++;
            plain.Append(found ?? text[i].ToString());
        }

        return plain.ToString();
    }
}
