using System.Text;

namespace Quern.Text.Templates;

internal enum TokenKind
{
    Data,
    BlockBegin,
    BlockEnd,
    VariableBegin,
    VariableEnd,
    Name,
    Integer,
    Float,
    Text,
    Operator,
    End,
}

internal readonly record struct TemplateToken(TokenKind Kind, string Text, int Line);

/// <summary>
/// Cuts a template into tokens, with <c>trim_blocks</c> and <c>lstrip_blocks</c>: the line break behind a block is not printed, nor are blanks between the beginning of a line and a block. A minus at
/// the inside of a bracket takes all white space beside it away, a plus keeps it.
/// Source: Jinja 3.1, Template Designer Documentation, Whitespace Control.
/// </summary>
internal sealed class TemplateLexer
{
    private static readonly string[] Operators = ["**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ".", ",", ":", "|", ";"];

    private readonly List<TemplateToken> _tokens = [];
    private readonly string _source;
    private int _at;
    private int _line = 1;
    private bool _lineStarts = true;

    private TemplateLexer(string source)
    {
        // Line breaks are all alike, and one at the end is not part of the template.
        source = source.ReplaceLineEndings("\n");
        _source = source.EndsWith('\n') ? source[..^1] : source;
    }

    /// <exception cref="ChatTemplateException">A bracket or a text is not closed, or there is a character that no expression has.</exception>
    public static List<TemplateToken> Read(string source) => new TemplateLexer(source).Read();

    private List<TemplateToken> Read()
    {
        while (_at < _source.Length)
        {
            int open = NextBracket();
            Data(_source[_at..open], open);
            if (open == _source.Length) break;
            char kind = _source[open + 1];
            Skip(open + 2);
            if (Peek() is '-' or '+') Skip(_at + 1);
            if (kind == '#') Comment();
            else if (kind == '%' && IsRaw(out int end)) Raw(end);
            else Code(kind == '%');
        }

        Add(TokenKind.End, "");
        return _tokens;
    }

    private char Peek(int ahead = 0) => _at + ahead < _source.Length ? _source[_at + ahead] : '\0';

    private ChatTemplateException Error(string reason) => new(reason, _line);

    private void Add(TokenKind kind, string text) => _tokens.Add(new TemplateToken(kind, text, _line));

    private void Skip(int to)
    {
        _line += _source.AsSpan(_at, to - _at).Count('\n');
        _at = to;
    }

    private int NextBracket()
    {
        for (int i = _at; i + 1 < _source.Length; i++)
            if (_source[i] == '{' && _source[i + 1] is '{' or '%' or '#') return i;
        return _source.Length;
    }

    private void Data(string text, int end)
    {
        char kind = end < _source.Length ? _source[end + 1] : '\0', sign = end + 2 < _source.Length ? _source[end + 2] : '\0';
        string printed = text;
        if (sign == '-' && kind != '\0')
        {
            printed = text.TrimEnd();
        }
        else if (kind is '%' or '#' && sign != '+')
        {
            int line = text.LastIndexOf('\n') + 1;
            if ((line > 0 || _lineStarts) && string.IsNullOrWhiteSpace(text[line..])) printed = text[..line];
        }

        if (printed.Length > 0) Add(TokenKind.Data, printed);
        Skip(end);
    }

    // Behind a bracket's end: what is not printed there.
    private void AfterBracket(bool strips, bool isBlock)
    {
        int start = _at;
        if (strips)
        {
            int to = _at;
            while (to < _source.Length && char.IsWhiteSpace(_source[to])) to++;
            Skip(to);
        }
        else if (isBlock && Peek() == '\n')
        {
            Skip(_at + 1);
        }

        _lineStarts = _at > start && _source[_at - 1] == '\n';
    }

    private void Comment()
    {
        int end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0) throw Error("a comment is not closed; expected #}");
        char sign = end > _at ? _source[end - 1] : '\0';
        Skip(end + 2);
        AfterBracket(sign == '-', isBlock: sign != '+');
    }

    private bool IsRaw(out int end)
    {
        end = _source.IndexOf("%}", _at, StringComparison.Ordinal);
        return end >= 0 && _source[_at..end].Trim('-', '+').Trim() == "raw";
    }

    private void Raw(int end)
    {
        bool strips = _source[end - 1] == '-';
        Skip(end + 2);
        AfterBracket(strips, isBlock: true);
        for (int i = _at; (i = _source.IndexOf("{%", i, StringComparison.Ordinal)) >= 0; i += 2)
        {
            int close = _source.IndexOf("%}", i, StringComparison.Ordinal);
            if (close < 0 || _source[(i + 2)..close].Trim('-', '+').Trim() != "endraw") continue;
            Data(_source[_at..i], i);
            strips = _source[close - 1] == '-';
            Skip(close + 2);
            AfterBracket(strips, isBlock: true);
            return;
        }

        throw Error("a raw block is not closed; expected {% endraw %}");
    }

    private void Code(bool isBlock)
    {
        string close = isBlock ? "%}" : "}}";
        Add(isBlock ? TokenKind.BlockBegin : TokenKind.VariableBegin, "");
        int nested = 0;
        while (true)
        {
            while (char.IsWhiteSpace(Peek())) Skip(_at + 1);
            if (_at >= _source.Length) throw Error($"a bracket is not closed; expected {close}");
            bool signed = Peek() is '-' or '+' && At(close, 1);
            if (nested == 0 && (signed || At(close, 0)))
            {
                bool strips = signed && Peek() == '-', keeps = signed && Peek() == '+';
                Add(isBlock ? TokenKind.BlockEnd : TokenKind.VariableEnd, "");
                Skip(_at + (signed ? 3 : 2));
                AfterBracket(strips, isBlock && !keeps);
                return;
            }

            nested += Peek() is '(' or '[' or '{' ? 1 : Peek() is ')' or ']' or '}' ? -1 : 0;
            Token();
        }
    }

    private bool At(string text, int ahead) => string.CompareOrdinal(_source, _at + ahead, text, 0, text.Length) == 0;

    private void Token()
    {
        char first = Peek();
        int end = _at;
        if (char.IsLetter(first) || first == '_')
        {
            while (end < _source.Length && (char.IsLetterOrDigit(_source[end]) || _source[end] == '_')) end++;
            Add(TokenKind.Name, _source[_at..end]);
        }
        else if (char.IsAsciiDigit(first))
        {
            while (end < _source.Length && (char.IsAsciiDigit(_source[end]) || _source[end] == '_')) end++;
            bool isFloat = end + 1 < _source.Length && _source[end] == '.' && char.IsAsciiDigit(_source[end + 1]);
            if (isFloat) end++;
            while (isFloat && end < _source.Length && char.IsAsciiDigit(_source[end])) end++;
            Add(isFloat ? TokenKind.Float : TokenKind.Integer, _source[_at..end].Replace("_", "", StringComparison.Ordinal));
        }
        else if (first is '"' or '\'')
        {
            end = Quoted(first);
        }
        else
        {
            string known = Operators.FirstOrDefault(text => At(text, 0)) ?? throw Error($"there is '{first}', which no expression has");
            end = _at + known.Length;
            Add(TokenKind.Operator, known);
        }

        Skip(end);
    }

    private int Quoted(char quote)
    {
        StringBuilder text = new();
        int i = _at + 1;
        for (; i < _source.Length && _source[i] != quote; i++)
        {
            if (_source[i] != '\\' || i + 1 == _source.Length)
            {
                text.Append(_source[i]);
                continue;
            }

            char escaped = _source[++i];
            int digits = escaped switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
            if (digits > 0 && i + digits < _source.Length && int.TryParse(_source.AsSpan(i + 1, digits), System.Globalization.NumberStyles.AllowHexSpecifier, null, out int code) && Rune.IsValid(code))
            {
                text.Append(new Rune(code).ToString());
                i += digits;
                continue;
            }

            text.Append(escaped switch { 'n' => "\n", 't' => "\t", 'r' => "\r", 'b' => "\b", 'f' => "\f", 'v' => "\v", '0' => "\0", '\\' or '"' or '\'' => escaped.ToString(), '\n' => "", _ => "\\" + escaped });
        }

        if (i >= _source.Length) throw Error($"a text is not closed; expected {quote}");
        Add(TokenKind.Text, text.ToString());
        return i + 1;
    }
}
