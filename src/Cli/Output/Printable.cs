using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Quern.Cli.Output;

/// <summary>Values from files, made fit for a terminal or for JSON: no control character of a file reaches the screen.</summary>
internal static class Printable
{
    private const int LongestText = 100;
    private const int MostElements = 8;

    /// <summary>Text on one line with escapes, between quotes.</summary>
    public static string Quote(string text, int longest = int.MaxValue)
    {
        StringBuilder quoted = new("\"");
        for (int i = 0; i < text.Length; i++)
        {
            if (i >= longest) return quoted.Append("…\"").ToString();
            char c = text[i];
            string? escape = c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                _ when char.IsControl(c) || c is '\u2028' or '\u2029' => $"\\u{(int)c:x4}",
                _ => null,
            };
            if (escape is null) quoted.Append(c);
            else quoted.Append(escape);
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>A name from a file, on one line.</summary>
    public static string Name(string name) => name.Any(char.IsControl) ? Quote(name) : name;

    /// <summary>A metadata value on one line; long texts and arrays are cut.</summary>
    public static string Value(object value) => value switch
    {
        string text => Quote(text, LongestText),
        bool flag => flag ? "true" : "false",
        Array array => $"[{string.Join(", ", array.Cast<object>().Take(MostElements).Select(Value))}{(array.Length > MostElements ? ", …" : "")}]",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    /// <summary>A metadata value as JSON; arrays keep at most <paramref name="mostElements"/> elements.</summary>
    public static JsonNode Json(object value, int mostElements) => value switch
    {
        string text => JsonValue.Create(text),
        bool flag => JsonValue.Create(flag),
        byte number => JsonValue.Create(number),
        sbyte number => JsonValue.Create(number),
        ushort number => JsonValue.Create(number),
        short number => JsonValue.Create(number),
        uint number => JsonValue.Create(number),
        int number => JsonValue.Create(number),
        ulong number => JsonValue.Create(number),
        long number => JsonValue.Create(number),
        // JSON has no word for infinity.
        float number => float.IsFinite(number) ? JsonValue.Create(number) : JsonValue.Create(number.ToString(CultureInfo.InvariantCulture)),
        double number => double.IsFinite(number) ? JsonValue.Create(number) : JsonValue.Create(number.ToString(CultureInfo.InvariantCulture)),
        IEnumerable array => new JsonArray([.. array.Cast<object>().Take(mostElements).Select(element => Json(element, mostElements))]),
        _ => JsonValue.Create(value.ToString())!,
    };
}
