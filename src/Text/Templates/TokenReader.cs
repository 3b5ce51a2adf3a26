namespace Quern.Text.Templates;

/// <summary>Reads the tokens of a template one after the other, and says what was expected where they do not fit.</summary>
internal sealed class TokenReader(string source)
{
    private const int MostDepth = 100;

    private readonly List<TemplateToken> _tokens = TemplateLexer.Read(source);
    private int _at;
    private int _depth;

    public TemplateToken Current => _tokens[_at];

    public TemplateToken Next => _tokens[Math.Min(_at + 1, _tokens.Count - 1)];

    public bool IsName(string name) => Current.Kind == TokenKind.Name && Current.Text == name;

    public bool IsOperator(string sign) => Current.Kind == TokenKind.Operator && Current.Text == sign;

    public TemplateToken Take() => _tokens[_at == _tokens.Count - 1 ? _at : _at++];

    public bool TakeIfOperator(string sign)
    {
        if (!IsOperator(sign)) return false;
        Take();
        return true;
    }

    public bool TakeIfName(string name)
    {
        if (!IsName(name)) return false;
        Take();
        return true;
    }

    public void Expect(string sign)
    {
        if (!TakeIfOperator(sign)) throw Unexpected($"'{sign}'");
    }

    public void ExpectName(string name)
    {
        if (!TakeIfName(name)) throw Unexpected($"'{name}'");
    }

    public string Expect(TokenKind kind, string what) => Current.Kind == kind ? Take().Text : throw Unexpected(what);

    /// <summary>Reads something that may hold others of its kind.</summary>
    public T Deeper<T>(Func<T> read)
    {
        if (++_depth > MostDepth) throw new ChatTemplateException($"it is nested more than {MostDepth} deep", Current.Line);
        T result = read();
        _depth--;
        return result;
    }

    public ChatTemplateException Unexpected(string expected) => new(
        $"there is {(Current.Kind is TokenKind.Name or TokenKind.Operator or TokenKind.Integer or TokenKind.Float ? $"'{Current.Text}'" : Name(Current.Kind))}; expected {expected}", Current.Line);

    private static string Name(TokenKind kind) => kind switch
    {
        TokenKind.Data => "text outside of brackets",
        TokenKind.BlockBegin => "{%",
        TokenKind.BlockEnd => "%}",
        TokenKind.VariableBegin => "{{",
        TokenKind.VariableEnd => "}}",
        TokenKind.Text => "a quoted text",
        _ => "the end of the template",
    };
}
