using System.Globalization;

namespace Quern.Text.Templates;

/// <summary>Every method that values have, by Python's names; none changes its value, because templates may not. A new one is a line here. Source: The Python Standard Library 3.12, str and dict.</summary>
internal static class MethodTable
{
    private static readonly Dictionary<string, Func<string, CallArguments, object?>> OfTexts = new()
    {
        ["strip"] = (text, a) => Strip(text, a, start: true, end: true),
        ["lstrip"] = (text, a) => Strip(text, a, start: true, end: false),
        ["rstrip"] = (text, a) => Strip(text, a, start: false, end: true),
        ["split"] = (text, a) => Split(text, a, fromEnd: false),
        ["rsplit"] = (text, a) => Split(text, a, fromEnd: true),
        ["splitlines"] = (text, _) => (List<object?>)[.. text.ReplaceLineEndings("\n") is var lines && lines.EndsWith('\n') ? lines[..^1].Split('\n') : lines.Length == 0 ? [] : lines.Split('\n')],
        ["replace"] = (text, a) => Replace(a.Scope, text, a.Text(0, "old", ""), a.Text(1, "new", ""), a.Number(2, "count", -1)),
        ["startswith"] = (text, a) => Any(a, prefix => text.StartsWith(prefix, StringComparison.Ordinal)),
        ["endswith"] = (text, a) => Any(a, suffix => text.EndsWith(suffix, StringComparison.Ordinal)),
        ["upper"] = (text, _) => text.ToUpperInvariant(),
        ["lower"] = (text, _) => text.ToLowerInvariant(),
        ["title"] = (text, _) => CultureInfo.InvariantCulture.TextInfo.ToTitleCase(text.ToLowerInvariant()),
        ["capitalize"] = (text, _) => Capitalize(text),
        ["find"] = (text, a) => (long)text.IndexOf(a.Text(0, "sub", ""), StringComparison.Ordinal),
        ["count"] = (text, a) => a.Text(0, "sub", "") is { Length: > 0 } part ? text.Split(part).Length - 1L : text.Length + 1L,
        ["join"] = (text, a) => Join(a.Scope, text, Operators.Items(a.Scope, a.Get(0, "iterable")).Select(item => item as string ?? throw a.Scope.Error($"{Operators.NameOf(item)} cannot be joined"))),
        ["isdigit"] = (text, _) => text.Length > 0 && text.All(char.IsDigit),
        ["isalpha"] = (text, _) => text.Length > 0 && text.All(char.IsLetter),
        ["isspace"] = (text, _) => text.Length > 0 && text.All(char.IsWhiteSpace),
        ["isupper"] = (text, _) => text.Any(char.IsUpper) && !text.Any(char.IsLower),
        ["islower"] = (text, _) => text.Any(char.IsLower) && !text.Any(char.IsUpper),
        ["removeprefix"] = (text, a) => a.Text(0, "prefix", "") is var prefix && text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : text,
        ["removesuffix"] = (text, a) => a.Text(0, "suffix", "") is { Length: > 0 } suffix && text.EndsWith(suffix, StringComparison.Ordinal) ? text[..^suffix.Length] : text,
    };

    private static readonly Dictionary<string, Func<TemplateMapping, CallArguments, object?>> OfMappings = new()
    {
        ["items"] = (mapping, _) => Items(mapping),
        ["keys"] = (mapping, _) => (List<object?>)[.. mapping.Keys],
        ["values"] = (mapping, _) => (List<object?>)[.. mapping.Values],
        ["get"] = (mapping, a) => a.Get(0, "key") is { } key && mapping.TryGetValue(key, out object? value) ? value : a.Get(1, "default"),
    };

    private static readonly Dictionary<string, Func<IReadOnlyList<object?>, CallArguments, object?>> OfLists = new()
    {
        ["index"] = (list, a) => list.Select((item, i) => (item, i)).Where(pair => Operators.AreEqual(pair.item, a.Get(0, "value"))).Select(pair => (long?)pair.i).FirstOrDefault() ?? throw a.Scope.Error("a list does not have the item that is looked for"),
        ["count"] = (list, a) => list.LongCount(item => Operators.AreEqual(item, a.Get(0, "value"))),
    };

    /// <summary>A value's method, or null.</summary>
    public static TemplateFunction? Find(object? value, string name) => value switch
    {
        SafeText safe => Find(safe.Text, name),
        string text when OfTexts.TryGetValue(name, out Func<string, CallArguments, object?>? method) => arguments => method(text, arguments),
        TemplateMapping mapping when OfMappings.TryGetValue(name, out Func<TemplateMapping, CallArguments, object?>? method) => arguments => method(mapping, arguments),
        IReadOnlyList<object?> list when OfLists.TryGetValue(name, out Func<IReadOnlyList<object?>, CallArguments, object?>? method) => arguments => method(list, arguments),
        _ => null,
    };

    /// <summary>Keys and values in pairs.</summary>
    public static List<object?> Items(TemplateMapping mapping) => [.. mapping.Select(pair => new TemplateTuple([pair.Key, pair.Value]))];

    /// <summary>The first letter large, the others small.</summary>
    public static string Capitalize(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    /// <summary><c>str.replace</c>, of all where <paramref name="count"/> is negative.</summary>
    public static string Replace(Scope scope, string text, string old, string with, long count)
    {
        if (old.Length == 0) return text;
        if (with.Length > old.Length) scope.CheckLength(text.Length + ((text.Split(old).Length - 1L) * (with.Length - old.Length)));
        if (count < 0) return text.Replace(old, with, StringComparison.Ordinal);
        int from = 0;
        for (; count > 0 && text.IndexOf(old, from, StringComparison.Ordinal) is >= 0 and var at; count--)
        {
            text = string.Concat(text.AsSpan(0, at), with, text.AsSpan(at + old.Length));
            from = at + with.Length;
        }

        return text;
    }

    /// <summary>Texts with another between.</summary>
    public static string Join(Scope scope, string separator, IEnumerable<string> texts)
    {
        string[] all = [.. texts];
        scope.CheckLength(all.Sum(text => (long)text.Length) + ((long)all.Length * separator.Length));
        return string.Join(separator, all);
    }

    private static string Strip(string text, CallArguments arguments, bool start, bool end)
    {
        char[]? letters = arguments.Get(0, "chars") is string chars ? chars.ToCharArray() : null;
        if (start) text = letters is null ? text.TrimStart() : text.TrimStart(letters);
        return !end ? text : letters is null ? text.TrimEnd() : text.TrimEnd(letters);
    }

    private static bool Any(CallArguments arguments, Func<string, bool> fits) => arguments.Get(0, "prefix") switch
    {
        string one => fits(one),
        IReadOnlyList<object?> several => several.Any(item => item is string text && fits(text)),
        var other => throw arguments.Scope.Error($"{Operators.NameOf(other)} is no text to look for"),
    };

    private static List<object?> Split(string text, CallArguments arguments, bool fromEnd)
    {
        object? separator = arguments.Get(0, "sep");
        long most = arguments.Number(1, "maxsplit", -1);
        List<object?> parts = [];
        if (separator is null)
        {
            if (most < 0) return [.. text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)];
            string rest = fromEnd ? text.TrimEnd() : text.TrimStart();
            while (rest.Length > 0)
            {
                int at = parts.Count >= most ? -1 : fromEnd ? rest.LastIndexOfAny([' ', '\t', '\n', '\r']) : rest.IndexOfAny([' ', '\t', '\n', '\r']);
                parts.Add(at < 0 ? rest : fromEnd ? rest[(at + 1)..] : rest[..at]);
                rest = at < 0 ? "" : fromEnd ? rest[..at].TrimEnd() : rest[at..].TrimStart();
            }
        }
        else
        {
            string cut = separator as string is { Length: > 0 } given ? given : throw arguments.Scope.Error("a text is split at nothing");
            for (string? rest = text; rest is not null;)
            {
                int at = most >= 0 && parts.Count >= most ? -1 : fromEnd ? rest.LastIndexOf(cut, StringComparison.Ordinal) : rest.IndexOf(cut, StringComparison.Ordinal);
                parts.Add(at < 0 ? rest : fromEnd ? rest[(at + cut.Length)..] : rest[..at]);
                rest = at < 0 ? null : fromEnd ? rest[..at] : rest[(at + cut.Length)..];
            }
        }

        if (fromEnd) parts.Reverse();
        return parts;
    }
}
