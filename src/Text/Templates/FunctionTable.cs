using System.Globalization;
using System.Text;

namespace Quern.Text.Templates;

/// <summary>Every function that templates find by its name. A new one is a line here. Source: Jinja 3.1, List of Global Functions; Hugging Face transformers, Chat templates.</summary>
internal static class FunctionTable
{
    private const int MostItems = 100_000;

    private static readonly Dictionary<string, TemplateFunction> All = new()
    {
        ["namespace"] = Namespace,
        ["dict"] = Mapping,
        ["range"] = Range,
        ["raise_exception"] = arguments => throw new ChatTemplateException(arguments.Text(0, "message", ""), arguments.Scope.Line),
        ["strftime_now"] = arguments => Time(arguments.Scope.Clock.GetLocalNow(), arguments.Text(0, "format", "")),
        ["joiner"] = Joiner,
    };

    /// <summary>The function with a name, or null.</summary>
    public static TemplateFunction? Find(string name) => All.GetValueOrDefault(name);

    private static TemplateNamespace Namespace(CallArguments arguments)
    {
        TemplateNamespace space = [];
        if (arguments.Get(0, "", null) is TemplateMapping mapping)
            foreach ((object key, object? value) in mapping) space[PythonText.Of(key)] = value;
        foreach ((string key, object? value) in arguments.Named) space[key] = value;
        return space;
    }

    private static TemplateMapping Mapping(CallArguments arguments)
    {
        TemplateMapping copy = [];
        if (arguments.Get(0, "", null) is TemplateMapping mapping)
            foreach ((object key, object? value) in mapping) copy[key] = value;
        foreach ((string key, object? value) in arguments.Named) copy[key] = value;
        return copy;
    }

    private static List<object?> Range(CallArguments arguments)
    {
        bool one = arguments.Values.Count == 1;
        long start = one ? 0 : arguments.Number(0, "start", 0), stop = arguments.Number(one ? 0 : 1, "stop", 0), step = arguments.Number(2, "step", 1);
        if (step == 0) throw arguments.Scope.Error("a range has steps of 0");
        List<object?> numbers = [];
        for (long i = start; step > 0 ? i < stop : i > stop; i += step)
        {
            if (numbers.Count == MostItems) throw arguments.Scope.Error($"a range has more than {MostItems} numbers");
            numbers.Add(i);
        }

        return numbers;
    }

    private static object Joiner(CallArguments arguments)
    {
        string separator = arguments.Text(0, "sep", ", ");
        bool used = false;
        return (TemplateFunction)(_ =>
        {
            string text = used ? separator : "";
            used = true;
            return text;
        });
    }

    // Source: The Python Standard Library 3.12, strftime() and strptime() Format Codes.
    private static string Time(DateTimeOffset time, string format)
    {
        StringBuilder text = new();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            bool bare = format[++i] == '-' && i + 1 < format.Length;
            string part = format[bare ? ++i : i] switch
            {
                'Y' => time.ToString("yyyy", CultureInfo.InvariantCulture),
                'y' => time.ToString("yy", CultureInfo.InvariantCulture),
                'm' => time.ToString("MM", CultureInfo.InvariantCulture),
                'd' => time.ToString("dd", CultureInfo.InvariantCulture),
                'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
                'B' => time.ToString("MMMM", CultureInfo.InvariantCulture),
                'b' => time.ToString("MMM", CultureInfo.InvariantCulture),
                'A' => time.ToString("dddd", CultureInfo.InvariantCulture),
                'a' => time.ToString("ddd", CultureInfo.InvariantCulture),
                'H' => time.ToString("HH", CultureInfo.InvariantCulture),
                'I' => time.ToString("hh", CultureInfo.InvariantCulture),
                'M' => time.ToString("mm", CultureInfo.InvariantCulture),
                'S' => time.ToString("ss", CultureInfo.InvariantCulture),
                'p' => time.ToString("tt", CultureInfo.InvariantCulture),
                'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
                'F' => time.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
                'T' => time.ToString("HH:mm:ss", CultureInfo.InvariantCulture),
                '%' => "%",
                var other => $"%{other}",
            };
            text.Append(bare ? part.TrimStart('0') is { Length: > 0 } trimmed ? trimmed : "0" : part);
        }

        return text.ToString();
    }
}
