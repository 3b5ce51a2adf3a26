namespace Quern.Text.Templates;

/// <summary>What operators do, by Python's rules. Source: The Python Language Reference 3.12, chapter 6.</summary>
internal static class Operators
{
    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool truth => truth,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        SafeText safe => safe.Text.Length > 0,
        TemplateMapping mapping => mapping.Count > 0,
        IReadOnlyList<object?> list => list.Count > 0,
        _ => true,
    };

    public static bool AreEqual(object? a, object? b)
    {
        if (IsNumber(a) && IsNumber(b)) return ToDouble(a) == ToDouble(b);
        return (a, b) switch
        {
            (Undefined, Undefined) => true,
            (TemplateMapping x, TemplateMapping y) => x.Count == y.Count && x.All(pair => y.TryGetValue(pair.Key, out object? other) && AreEqual(pair.Value, other)),
            (IReadOnlyList<object?> x, IReadOnlyList<object?> y) => x.Count == y.Count && x.Zip(y).All(pair => AreEqual(pair.First, pair.Second)),
            _ => Equals(a, b),
        };
    }

    public static int Compare(Scope scope, object? a, object? b)
    {
        if (IsNumber(a) && IsNumber(b)) return ToDouble(a).CompareTo(ToDouble(b));
        if (a is string x && b is string y) return string.CompareOrdinal(x, y);
        if (a is not IReadOnlyList<object?> first || b is not IReadOnlyList<object?> second) throw scope.Error($"{NameOf(a)} and {NameOf(b)} cannot be compared");
        for (int i = 0; i < Math.Min(first.Count, second.Count); i++)
            if (Compare(scope, first[i], second[i]) is not 0 and int order) return order;
        return first.Count.CompareTo(second.Count);
    }

    public static bool Contains(Scope scope, object? container, object? value) => container switch
    {
        string text => text.Contains(value as string ?? throw scope.Error($"{NameOf(value)} cannot be in a text"), StringComparison.Ordinal),
        TemplateMapping mapping => value is not null && mapping.ContainsKey(value),
        _ => Items(scope, container).Any(item => AreEqual(item, value)),
    };

    public static object? Arithmetic(Scope scope, string sign, object? a, object? b)
    {
        if (sign == "~") return Join(scope, PythonText.Of(a), PythonText.Of(b));
        if (sign == "+" && a is string x && b is string y) return Join(scope, x, y);
        if (sign == "+" && a is string or SafeText && b is string or SafeText) return new SafeText(Join(scope, Escaped(a), Escaped(b)));
        if (sign == "+" && a is IReadOnlyList<object?> first && b is IReadOnlyList<object?> second) return Join(scope, first, second);
        if (sign == "*" && a is string repeated && b is long times) return Repeat(scope, repeated, times);
        if (sign == "%" && a is string format) return PythonText.Format(scope, format, b is IReadOnlyList<object?> list ? list : [b]);
        if (!IsNumber(a) || !IsNumber(b)) throw scope.Error($"'{sign}' does not take {NameOf(a)} and {NameOf(b)}");
        if (a is double || b is double || sign == "/" || (sign == "**" && ToDouble(b) < 0)) return Floating(scope, sign, ToDouble(a), ToDouble(b));
        return Whole(scope, sign, ToLong(a), ToLong(b));
    }

    public static object? Negate(Scope scope, object? value) => value switch
    {
        long number => (object)unchecked(-number),
        double number => -number,
        bool truth => truth ? -1L : 0L,
        _ => throw scope.Error($"'-' does not take {NameOf(value)}"),
    };

    /// <summary>What a loop goes over.</summary>
    public static IEnumerable<object?> Items(Scope scope, object? value) => value switch
    {
        Undefined => [],
        string text => text.EnumerateRunes().Select(rune => (object?)rune.ToString()),
        SafeText safe => Items(scope, safe.Text),
        TemplateMapping mapping => mapping.Keys,
        IReadOnlyList<object?> list => list,
        ValueStream stream => stream.Values,
        _ => throw scope.Error($"{NameOf(value)} has no items to go over"),
    };

    /// <summary>The type's name, for errors.</summary>
    public static string NameOf(object? value) => value switch
    {
        null => "none",
        bool => "a truth value",
        long or double => "a number",
        string or SafeText => "a text",
        TemplateMapping => "a mapping",
        IReadOnlyList<object?> => "a list",
        Undefined undefined => $"something undefined ({undefined.Reason})",
        ValueStream => "a generator",
        TemplateFunction => "a function",
        _ => "an object",
    };

    public static bool IsNumber(object? value) => value is long or double or bool;

    public static double ToDouble(object? value) => value is double number ? number : ToLong(value);

    /// <summary>A text for HTML.</summary>
    public static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("\"", "&#34;", StringComparison.Ordinal).Replace("'", "&#39;", StringComparison.Ordinal);

    private static string Escaped(object? text) => text is SafeText safe ? safe.Text : Escape((string)text!);

    private static long ToLong(object? value) => value is bool truth ? (truth ? 1 : 0) : (long)value!;

    private static string Join(Scope scope, string first, string second)
    {
        scope.CheckLength((long)first.Length + second.Length);
        return first + second;
    }

    private static List<object?> Join(Scope scope, IReadOnlyList<object?> first, IReadOnlyList<object?> second)
    {
        scope.CheckLength((long)first.Count + second.Count);
        return [.. first, .. second];
    }

    private static string Repeat(Scope scope, string text, long times)
    {
        scope.CheckLength(Math.Min(times, int.MaxValue) * Math.Max(1, text.Length));
        return times <= 0 ? "" : string.Concat(Enumerable.Repeat(text, (int)times));
    }

    private static double Floating(Scope scope, string sign, double a, double b)
    {
        if (b == 0 && sign is "/" or "//" or "%") throw scope.Error("a division by zero");
        return sign switch
        {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" => a / b,
            "//" => Math.Floor(a / b),
            "%" => a - (b * Math.Floor(a / b)),
            _ => Math.Pow(a, b),
        };
    }

    private static long Whole(Scope scope, string sign, long a, long b)
    {
        if (b == 0 && sign is "//" or "%") throw scope.Error("a division by zero");
        try
        {
            return sign switch
            {
                "+" => checked(a + b),
                "-" => checked(a - b),
                "*" => checked(a * b),
                "//" => (long)Math.Floor((decimal)a / b),
                "%" => (long)(a - (b * Math.Floor((decimal)a / b))),
                _ => checked((long)System.Numerics.BigInteger.Pow(a, (int)Math.Min(b, 64))),
            };
        }
        catch (OverflowException)
        {
            throw scope.Error("a number is too large");
        }
    }
}
