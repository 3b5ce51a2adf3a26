using System.Globalization;
using System.Text;

namespace Quern.Corpus.Documents;

/// <summary>Writes the small objects of the corpus: strings without characters to escape, numbers, truth values and lists of strings.</summary>
internal static class Json
{
    /// <param name="fields">Keys and values, in their order.</param>
    /// <param name="indented">One field a line.</param>
    public static string Write(IReadOnlyList<(string Key, object Value)> fields, bool indented)
    {
        StringBuilder text = new("{");
        for (int i = 0; i < fields.Count; i++)
        {
            if (i > 0) text.Append(',');
            text.Append(indented ? "\n  " : i > 0 ? " " : "").Append('"').Append(fields[i].Key).Append("\": ").Append(Value(fields[i].Value));
        }

        return text.Append(indented ? "\n}" : "}").ToString();
    }

    public static string Value(object value) => value switch
    {
        string words => $"\"{words}\"",
        int number => number.ToString(CultureInfo.InvariantCulture),
        bool truth => truth ? "true" : "false",
        string[] list => $"[{string.Join(", ", list.Select(words => $"\"{words}\""))}]",
        _ => throw new ArgumentException($"a record cannot hold {value.GetType().Name}", nameof(value)),
    };
}
