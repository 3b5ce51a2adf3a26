using System.Text;

namespace Quern.Text.Templates;

/// <summary>Values as JSON, as <c>json.dumps(value, ensure_ascii=False)</c> writes them: what chat templates call <c>tojson</c>. Source: The Python Standard Library 3.12, json.</summary>
/// <param name="scope">For errors.</param>
/// <param name="indent">Text in front of each line, once for each level; null for one line.</param>
/// <param name="item">Between items.</param>
/// <param name="key">Behind a key.</param>
/// <param name="sorted">Whether keys are sorted.</param>
internal sealed class JsonText(Scope scope, string? indent, string item, string key, bool sorted)
{
    private const int MostDepth = 200;

    private readonly StringBuilder _text = new();

    public string Write(object? value)
    {
        Add(value, 0);
        return _text.ToString();
    }

    /// <summary>A text in quotes; only what JSON must escape is escaped.</summary>
    public static string Quote(string text)
    {
        StringBuilder quoted = new("\"");
        foreach (char c in text)
        {
            quoted.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\b' => "\\b",
                '\f' => "\\f",
                < ' ' => $"\\u{(int)c:x4}",
                _ => c.ToString(),
            });
        }

        return quoted.Append('"').ToString();
    }

    private void Add(object? value, int depth)
    {
        if (depth > MostDepth) throw scope.Error($"JSON is nested more than {MostDepth} deep");
        scope.Step();
        switch (value)
        {
            case null: _text.Append("null"); break;
            case bool truth: _text.Append(truth ? "true" : "false"); break;
            case string or SafeText: _text.Append(Quote(PythonText.Of(value))); break;
            case long or double: _text.Append(PythonText.Of(value)); break;
            case TemplateMapping mapping:
                IEnumerable<KeyValuePair<object, object?>> pairs = sorted ? mapping.OrderBy(pair => PythonText.Of(pair.Key), StringComparer.Ordinal) : mapping;
                Group('{', '}', pairs, depth, pair =>
                {
                    _text.Append(Quote(PythonText.Of(pair.Key))).Append(key);
                    Add(pair.Value, depth + 1);
                });
                break;
            case IReadOnlyList<object?> list: Group('[', ']', list, depth, entry => Add(entry, depth + 1)); break;
            default: throw scope.Error($"{Operators.NameOf(value)} cannot be written as JSON");
        }
    }

    private void Group<T>(char open, char close, IEnumerable<T> entries, int depth, Action<T> add)
    {
        _text.Append(open);
        bool any = false;
        foreach (T entry in entries)
        {
            if (any) _text.Append(item);
            NewLine(depth + 1);
            add(entry);
            any = true;
        }

        if (any) NewLine(depth);
        _text.Append(close);
    }

    private void NewLine(int depth)
    {
        if (indent is null) return;
        _text.Append('\n');
        for (int i = 0; i < depth; i++) _text.Append(indent);
    }
}
