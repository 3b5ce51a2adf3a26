namespace Quern.Text.Templates;

/// <summary>Reads the statements of a template. Source: Jinja 3.1, Template Designer Documentation, List of Control Structures.</summary>
internal sealed class StatementParser
{
    private readonly TokenReader _reader;
    private readonly ExpressionParser _expressions;

    private StatementParser(string source)
    {
        _reader = new TokenReader(source);
        _expressions = new ExpressionParser(_reader);
    }

    /// <exception cref="ChatTemplateException">The template is not well formed; the message says where and what was expected.</exception>
    public static Body Read(string source)
    {
        StatementParser parser = new(source);
        Body body = parser.Until([], out _);
        return body;
    }

    // Statements up to a block of one of these names, which is read too but for what stands behind its name.
    private Body Until(ReadOnlySpan<string> ends, out string end)
    {
        int line = _reader.Current.Line;
        List<Statement> statements = [];
        while (true)
        {
            TemplateToken token = _reader.Take();
            switch (token.Kind)
            {
                case TokenKind.Data: statements.Add(new Text(token.Line, token.Text)); break;
                case TokenKind.VariableBegin:
                    statements.Add(new Print(token.Line, _expressions.Tuple()));
                    _reader.Expect(TokenKind.VariableEnd, "}}");
                    break;
                case TokenKind.End:
                    end = "";
                    return ends.IsEmpty ? new Body(line, statements) : throw new ChatTemplateException($"a block that began in line {line} is not closed; expected '{ends[^1]}'", token.Line);
                default:
                    string name = _reader.Expect(TokenKind.Name, "the name of a statement");
                    if (ends.Contains(name))
                    {
                        end = name;
                        return new Body(line, statements);
                    }

                    statements.Add(_reader.Deeper(() => Block(name, token.Line)));
                    break;
            }
        }
    }

    private Statement Block(string name, int line) => name switch
    {
        "if" => IfBlock(line),
        "for" => ForBlock(line),
        "set" => SetBlock(line),
        "macro" => MacroBlock(line),
        "filter" => FilterBlock(line),
        "break" => Ended(new Jump(line, Flow.Break)),
        "continue" => Ended(new Jump(line, Flow.Continue)),
        "generation" => Generation(),
        _ => throw new ChatTemplateException($"there is a statement '{name}'; expected if, for, set, macro, filter, break, continue, generation or the end of one of them", line),
    };

    private void EndOfBlock() => _reader.Expect(TokenKind.BlockEnd, "%}");

    private Statement Ended(Statement statement)
    {
        EndOfBlock();
        return statement;
    }

    private If IfBlock(int line)
    {
        List<(Expression, Body)> branches = [];
        Body? otherwise = null;
        string end = "elif";
        while (end == "elif")
        {
            Expression condition = _expressions.Tuple();
            EndOfBlock();
            branches.Add((condition, Until(["elif", "else", "endif"], out end)));
        }

        if (end == "else")
        {
            EndOfBlock();
            otherwise = Until(["endif"], out _);
        }

        EndOfBlock();
        return new If(line, branches, otherwise);
    }

    private For ForBlock(int line)
    {
        List<Expression> targets = _expressions.Targets();
        _reader.ExpectName("in");
        Expression source = _expressions.Or();
        Expression? condition = _reader.TakeIfName("if") ? _expressions.Whole() : null;
        if (_reader.IsName("recursive")) throw new ChatTemplateException("recursive loops are not supported", line);
        EndOfBlock();
        Body body = Until(["else", "endfor"], out string end);
        Body? otherwise = null;
        if (end == "else")
        {
            EndOfBlock();
            otherwise = Until(["endfor"], out _);
        }

        EndOfBlock();
        return new For(line, targets, source, condition, body, otherwise);
    }

    private Statement SetBlock(int line)
    {
        List<Expression> targets = _expressions.Targets();
        if (_reader.TakeIfOperator("=")) return Ended(new Set(line, targets, _expressions.Tuple()));
        Func<Expression, Expression> filters = _expressions.Filters(first: false);
        EndOfBlock();
        Body body = Until(["endset"], out _);
        return Ended(new SetBody(line, targets, body, filters));
    }

    private Macro MacroBlock(int line)
    {
        string name = _reader.Expect(TokenKind.Name, "the name of a macro");
        List<(string, Expression?)> parameters = [];
        _reader.Expect("(");
        while (!_reader.TakeIfOperator(")"))
        {
            string parameter = _reader.Expect(TokenKind.Name, "the name of an argument");
            parameters.Add((parameter, _reader.TakeIfOperator("=") ? _expressions.Whole() : null));
            if (!_reader.IsOperator(")")) _reader.Expect(",");
        }

        EndOfBlock();
        Body body = Until(["endmacro"], out _);
        if (_reader.Current.Kind == TokenKind.Name) _reader.Take();
        EndOfBlock();
        return new Macro(line, name, parameters, body);
    }

    private FilterBody FilterBlock(int line)
    {
        Func<Expression, Expression> filters = _expressions.Filters(first: true);
        EndOfBlock();
        Body body = Until(["endfilter"], out _);
        EndOfBlock();
        return new FilterBody(line, body, filters);
    }

    // What the model is to say, marked for training; here it is text like all other.
    private Body Generation()
    {
        EndOfBlock();
        Body body = Until(["endgeneration"], out _);
        EndOfBlock();
        return body;
    }
}
