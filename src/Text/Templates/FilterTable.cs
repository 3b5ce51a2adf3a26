using System.Globalization;

namespace Quern.Text.Templates;

/// <summary>Every filter: what stands behind a bar. A new one is a line here. Its first argument is the value. Source: Jinja 3.1, List of Builtin Filters.</summary>
internal static class FilterTable
{
    private static readonly Dictionary<string, TemplateFunction> All = new()
    {
        ["abs"] = a => a.Values[0] switch { long number => (object)Math.Abs(number), double number => Math.Abs(number), var other => throw Wrong(a, other) },
        ["capitalize"] = a => MethodTable.Capitalize(Text(a)),
        ["count"] = a => Length(a),
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = DictSort,
        ["e"] = Escape,
        ["escape"] = Escape,
        ["first"] = a => Items(a).FirstOr(new Undefined("there is no first item")),
        ["float"] = ToFloat,
        ["format"] = a => PythonText.Format(a.Scope, Text(a), [.. a.Values.Skip(1)]),
        ["indent"] = Indent,
        ["int"] = ToInteger,
        ["items"] = a => a.Values[0] switch { TemplateMapping mapping => MethodTable.Items(mapping), Undefined => new List<object?>(), var other => throw Wrong(a, other) },
        ["join"] = Join,
        ["last"] = a => a.Values[0] is ValueStream ? throw Wrong(a, a.Values[0]) : Items(a).Reverse().FirstOr(new Undefined("there is no last item")),
        ["length"] = a => Length(a),
        ["list"] = a => (List<object?>)[.. Items(a)],
        ["lower"] = a => Text(a).ToLowerInvariant(),
        ["map"] = a => new ValueStream(ItemFilters.Map(a)),
        ["max"] = a => ItemFilters.Sorted(a, Items(a)).Reverse().FirstOr(new Undefined("there is no largest item")),
        ["min"] = a => ItemFilters.Sorted(a, Items(a)).FirstOr(new Undefined("there is no smallest item")),
        ["reject"] = a => new ValueStream(ItemFilters.Select(a, byAttribute: false, wanted: false)),
        ["rejectattr"] = a => new ValueStream(ItemFilters.Select(a, byAttribute: true, wanted: false)),
        ["replace"] = a => MethodTable.Replace(a.Scope, Text(a), a.Text(1, "old", ""), a.Text(2, "new", ""), a.Number(3, "count", -1)),
        ["reverse"] = a => a.Values[0] is string ? string.Concat(Items(a).Reverse()) : new ValueStream(Items(a).Reverse()),
        ["round"] = a => Round(a),
        ["safe"] = a => new SafeText(Text(a)),
        ["select"] = a => new ValueStream(ItemFilters.Select(a, byAttribute: false, wanted: true)),
        ["selectattr"] = a => new ValueStream(ItemFilters.Select(a, byAttribute: true, wanted: true)),
        ["sort"] = a => (List<object?>)[.. Operators.IsTrue(a.Get(1, "reverse")) ? ItemFilters.Sorted(a, Items(a)).Reverse() : ItemFilters.Sorted(a, Items(a))],
        ["string"] = a => Text(a),
        ["sum"] = a => Items(a).Aggregate(a.Get(2, "start", 0L), (sum, item) => Operators.Arithmetic(a.Scope, "+", sum, item)),
        ["title"] = a => CultureInfo.InvariantCulture.TextInfo.ToTitleCase(Text(a).ToLowerInvariant()),
        ["tojson"] = ToJson,
        ["trim"] = a => a.Get(1, "chars") is string letters ? Text(a).Trim(letters.ToCharArray()) : Text(a).Trim(),
        ["unique"] = a => new ValueStream(ItemFilters.Unique(a)),
        ["upper"] = a => Text(a).ToUpperInvariant(),
        ["wordcount"] = a => (long)Text(a).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length,
    };

    /// <summary>The filter with a name, or null.</summary>
    public static TemplateFunction? Find(string name) => All.GetValueOrDefault(name);

    private static string Text(CallArguments arguments) => PythonText.Of(arguments.Values[0]);

    private static IEnumerable<object?> Items(CallArguments arguments) => Operators.Items(arguments.Scope, arguments.Values[0]);

    private static ChatTemplateException Wrong(CallArguments arguments, object? value) => arguments.Scope.Error($"a filter does not take {Operators.NameOf(value)}");

    private static object? FirstOr(this IEnumerable<object?> items, object? standard) => items.DefaultIfEmpty(standard).First();

    private static object? Default(CallArguments a) =>
        a.Values[0] is Undefined || (Operators.IsTrue(a.Get(2, "boolean")) && !Operators.IsTrue(a.Values[0])) ? a.Get(1, "default_value", "") : a.Values[0];

    private static long Length(CallArguments a) => a.Values[0] switch
    {
        string text => text.EnumerateRunes().LongCount(),
        SafeText safe => safe.Text.EnumerateRunes().LongCount(),
        TemplateMapping mapping => (long)mapping.Count,
        IReadOnlyList<object?> list => (long)list.Count,
        Undefined => 0L,
        var other => throw Wrong(a, other),
    };

    private static object Escape(CallArguments a) => a.Values[0] is SafeText ? a.Values[0]! : new SafeText(Operators.Escape(Text(a)));

    private static string Join(CallArguments a)
    {
        IEnumerable<object?> items = Items(a);
        if (a.Get(2, "attribute") is string attribute) items = items.Select(item => ItemFilters.Path(a.Scope, item, attribute));
        return MethodTable.Join(a.Scope, a.Text(1, "d", ""), items.Select(PythonText.Of));
    }

    private static string Indent(CallArguments a)
    {
        string front = a.Get(1, "width", 4L) switch { long width => new string(' ', (int)Math.Clamp(width, 0, 1000)), string given => given, var other => throw Wrong(a, other) };
        bool first = Operators.IsTrue(a.Get(2, "first")), blank = Operators.IsTrue(a.Get(3, "blank"));
        string[] lines = Text(a).Split('\n');
        a.Scope.CheckLength(Text(a).Length + ((long)lines.Length * front.Length));
        return string.Join('\n', lines.Select((line, i) => (i == 0 ? first : blank || line.Length > 0) ? front + line : line));
    }

    private static object ToInteger(CallArguments a) => a.Values[0] switch
    {
        long number => number,
        bool truth => truth ? 1L : 0L,
        double number when double.IsFinite(number) => (long)number,
        string text when long.TryParse(text.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) => number,
        string text when double.TryParse(text.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) => (long)number,
        _ => a.Get(1, "default", 0L)!,
    };

    private static object ToFloat(CallArguments a) =>
        Operators.IsNumber(a.Values[0]) ? Operators.ToDouble(a.Values[0])
            : a.Values[0] is string text && double.TryParse(text.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : a.Get(1, "default", 0.0)!;

    private static double Round(CallArguments a)
    {
        int digits = (int)Math.Clamp(a.Number(1, "precision", 0), 0, 15);
        double value = Operators.IsNumber(a.Values[0]) ? Operators.ToDouble(a.Values[0]) : throw Wrong(a, a.Values[0]), scale = Math.Pow(10, digits);
        return a.Text(2, "method", "common") switch
        {
            "ceil" => Math.Ceiling(value * scale) / scale,
            "floor" => Math.Floor(value * scale) / scale,
            _ => Math.Round(value, digits, MidpointRounding.ToEven),
        };
    }

    private static List<object?> DictSort(CallArguments a)
    {
        if (a.Values[0] is not TemplateMapping mapping) throw Wrong(a, a.Values[0]);
        bool byValue = a.Text(2, "by", "key") == "value", exact = Operators.IsTrue(a.Get(1, "case_sensitive"));
        IEnumerable<object?> sorted = MethodTable.Items(mapping)
            .OrderBy(pair => ((TemplateTuple)pair!)[byValue ? 1 : 0] is string text && !exact ? text.ToLowerInvariant() : ((TemplateTuple)pair!)[byValue ? 1 : 0], ItemFilters.Order(a.Scope));
        return [.. Operators.IsTrue(a.Get(3, "reverse")) ? sorted.Reverse() : sorted];
    }

    private static string ToJson(CallArguments a)
    {
        string? indent = a.Get(1, "indent") switch { null => null, long width => new string(' ', (int)Math.Clamp(width, 0, 100)), string given => given, var other => throw Wrong(a, other) };
        IReadOnlyList<object?>? separators = a.Named.GetValueOrDefault("separators") as IReadOnlyList<object?>;
        string item = separators is [string first, _] ? first : indent is null ? ", " : ",", key = separators is [_, string second] ? second : ": ";
        return new JsonText(a.Scope, indent, item, key, Operators.IsTrue(a.Named.GetValueOrDefault("sort_keys"))).Write(a.Values[0]);
    }
}
