using System.Globalization;
using System.Text;

namespace Quern.Text.Templates;

/// <summary>Values as Python prints them: templates count on it. Source: The Python Standard Library 3.12, str and repr.</summary>
internal static class PythonText
{
    /// <summary><c>str(value)</c>.</summary>
    public static string Of(object? value) => value switch
    {
        string text => text,
        SafeText safe => safe.Text,
        Undefined => "",
        _ => Repr(value),
    };

    /// <summary><c>repr(value)</c>.</summary>
    public static string Repr(object? value) => value switch
    {
        null => "None",
        bool truth => truth ? "True" : "False",
        long number => number.ToString(CultureInfo.InvariantCulture),
        double number => Of(number),
        string text => Quote(text),
        SafeText safe => $"Markup({Quote(safe.Text)})",
        TemplateMapping mapping => $"{{{string.Join(", ", mapping.Select(pair => $"{Repr(pair.Key)}: {Repr(pair.Value)}"))}}}",
        TemplateTuple tuple => tuple.Count == 1 ? $"({Repr(tuple[0])},)" : $"({string.Join(", ", tuple.Select(Repr))})",
        IReadOnlyList<object?> list => $"[{string.Join(", ", list.Select(Repr))}]",
        Undefined => "Undefined",
        _ => $"<{Operators.NameOf(value)}>",
    };

    /// <summary>A number as <c>repr</c> writes it: the shortest digits, with an exponent below 1e-4 and from 1e16 on.</summary>
    public static string Of(double number)
    {
        if (double.IsNaN(number)) return "nan";
        if (double.IsInfinity(number)) return number > 0 ? "inf" : "-inf";
        // One digit, a point, the others, E and the exponent.
        string text = number.ToString("E16", CultureInfo.InvariantCulture);
        for (int digits = 0; digits <= 16; digits++)
        {
            text = number.ToString("E" + digits, CultureInfo.InvariantCulture);
            if (double.Parse(text, CultureInfo.InvariantCulture) == number) break;
        }

        int exponent = int.Parse(text[(text.IndexOf('E', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture);
        string mantissa = text[..text.IndexOf('E', StringComparison.Ordinal)];
        if (exponent is < -4 or >= 16) return string.Create(CultureInfo.InvariantCulture, $"{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
        string all = mantissa.Replace(".", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal);
        int places = Math.Max(1, all.Length - 1 - exponent);
        return number.ToString("F" + places, CultureInfo.InvariantCulture);
    }

    /// <summary><c>format % values</c>, with %s, %d, %f, %r and %%.</summary>
    public static string Format(Scope scope, string format, IReadOnlyList<object?> values)
    {
        StringBuilder text = new();
        int next = 0;
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            if (format[++i] == '%')
            {
                text.Append('%');
                continue;
            }

            object? value = next < values.Count ? values[next++] : throw scope.Error("a format has more places than values");
            text.Append(format[i] switch
            {
                's' => Of(value),
                'r' => Repr(value),
                'd' when Operators.IsNumber(value) => ((long)Operators.ToDouble(value)).ToString(CultureInfo.InvariantCulture),
                'f' when Operators.IsNumber(value) => Operators.ToDouble(value).ToString("F6", CultureInfo.InvariantCulture),
                _ => throw scope.Error($"a format has '%{format[i]}'; expected %s, %d, %f, %r or %%"),
            });
        }

        return text.ToString();
    }

    private static string Quote(string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        StringBuilder quoted = new();
        quoted.Append(quote);
        foreach (Rune rune in text.EnumerateRunes())
        {
            quoted.Append(rune.Value switch
            {
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                < 0x20 or 0x7f => $"\\x{rune.Value:x2}",
                _ when rune.Value == quote => $"\\{quote}",
                _ => rune.ToString(),
            });
        }

        return quoted.Append(quote).ToString();
    }
}
