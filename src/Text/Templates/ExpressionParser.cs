using System.Globalization;

namespace Quern.Text.Templates;

/// <summary>Reads expressions, by the precedence of Jinja: <c>if else</c>, or, and, not, comparisons, + −, ~, * / // %, **, signs, then filters and tests. Source: Jinja 3.1, Template Designer Documentation, Expressions.</summary>
internal sealed class ExpressionParser(TokenReader reader)
{
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];
    private static readonly string[] EndsOfTest = ["else", "or", "and", "is", "if", "in", "not"];

    /// <summary>An expression, or several with commas between as a tuple.</summary>
    public Expression Tuple()
    {
        Expression first = Whole();
        if (!reader.IsOperator(",")) return first;
        List<Expression> items = [first];
        while (reader.TakeIfOperator(","))
        {
            if (reader.Current.Kind is TokenKind.BlockEnd or TokenKind.VariableEnd || reader.IsOperator(")")) break;
            items.Add(Whole());
        }

        return new ListLiteral(items, isTuple: true);
    }

    public Expression Whole() => reader.Deeper(() =>
    {
        Expression value = Or();
        while (reader.TakeIfName("if"))
        {
            Expression condition = Or();
            value = new Conditional(value, condition, reader.TakeIfName("else") ? Whole() : null);
        }

        return value;
    });

    /// <summary>An expression without <c>if</c>, as it stands behind the <c>in</c> of a loop.</summary>
    public Expression Or()
    {
        Expression left = And();
        while (reader.TakeIfName("or")) left = new Binary("or", left, And());
        return left;
    }

    /// <summary>Names, or attributes, that are set.</summary>
    public List<Expression> Targets()
    {
        bool inBrackets = reader.TakeIfOperator("(");
        List<Expression> targets = [];
        do
        {
            Expression target = new Variable(reader.Expect(TokenKind.Name, "a name"));
            while (reader.TakeIfOperator(".")) target = new Attribute(target, reader.Expect(TokenKind.Name, "a name"));
            targets.Add(target);
        }
        while (reader.TakeIfOperator(","));
        if (inBrackets) reader.Expect(")");
        return targets;
    }

    /// <summary>Filters behind something that is known later.</summary>
    public Func<Expression, Expression> Filters(bool first)
    {
        List<Func<Expression, Expression>> filters = [];
        while (first || reader.TakeIfOperator("|"))
        {
            first = false;
            filters.Add(OneFilter());
        }

        return value => filters.Aggregate(value, (inner, filter) => filter(inner));
    }

    private Expression And()
    {
        Expression left = NotLevel();
        while (reader.TakeIfName("and")) left = new Binary("and", left, NotLevel());
        return left;
    }

    private Expression NotLevel() => reader.TakeIfName("not") ? new Not(reader.Deeper(NotLevel)) : Comparison();

    private Expression Comparison()
    {
        Expression left = Sum();
        Expression? all = null;
        while (ComparisonSign() is { } sign)
        {
            Expression right = Sum(), compared = new Binary(sign, left, right);
            all = all is null ? compared : new Binary("and", all, compared);
            left = right;
        }

        return all ?? left;
    }

    private string? ComparisonSign()
    {
        if (reader.Current.Kind == TokenKind.Operator && Comparisons.Contains(reader.Current.Text)) return reader.Take().Text;
        if (reader.TakeIfName("in")) return "in";
        if (!reader.IsName("not") || reader.Next is not { Kind: TokenKind.Name, Text: "in" }) return null;
        reader.Take();
        reader.Take();
        return "not in";
    }

    private Expression Sum() => Chain(Concatenation, "+", "-");

    private Expression Concatenation() => Chain(Product, "~");

    private Expression Product() => Chain(Power, "*", "/", "//", "%");

    private Expression Power() => Chain(() => Signed(withFilters: true), "**");

    private Expression Chain(Func<Expression> part, params ReadOnlySpan<string> signs)
    {
        Expression left = part();
        while (reader.Current.Kind == TokenKind.Operator && signs.Contains(reader.Current.Text)) left = new Binary(reader.Take().Text, left, part());
        return left;
    }

    private Expression Signed(bool withFilters)
    {
        Expression value = reader.TakeIfOperator("-") ? new Negative(reader.Deeper(() => Signed(withFilters: false)))
            : reader.TakeIfOperator("+") ? reader.Deeper(() => Signed(withFilters: false))
            : Postfix(Primary());
        return withFilters ? FiltersAndTests(value) : value;
    }

    private Expression FiltersAndTests(Expression value)
    {
        while (true)
        {
            if (reader.TakeIfOperator("|")) value = OneFilter()(value);
            else if (reader.TakeIfName("is")) value = Test(value);
            else if (reader.IsOperator("(")) value = CallOf(value);
            else return value;
        }
    }

    // A filter that is not there is an error where it is used, not where it is written: templates ask first whether they need it.
    private Func<Expression, Expression> OneFilter()
    {
        string name = reader.Expect(TokenKind.Name, "a filter");
        TemplateFunction function = FilterTable.Find(name) ?? (arguments => throw arguments.Scope.Error($"there is no filter '{name}'"));
        (List<Expression> values, List<(string, Expression)> named) = reader.IsOperator("(") ? Arguments() : ([], []);
        return value => new Filter(value, function, values, named);
    }

    private Expression Test(Expression value)
    {
        bool negative = reader.TakeIfName("not");
        string name = reader.Expect(TokenKind.Name, "a test");
        TemplateFunction function = TestTable.Find(name) ?? (arguments => throw arguments.Scope.Error($"there is no test '{name}'"));
        (List<Expression> values, List<(string, Expression)> named) = reader.IsOperator("(") ? Arguments() : TestTakesNext() ? ([Postfix(Primary())], []) : ([], []);
        Expression test = new Filter(value, function, values, named);
        return negative ? new Not(test) : test;
    }

    private bool TestTakesNext() =>
        reader.Current.Kind is TokenKind.Text or TokenKind.Integer or TokenKind.Float
        || reader.IsOperator("[") || reader.IsOperator("{")
        || (reader.Current.Kind == TokenKind.Name && !EndsOfTest.Contains(reader.Current.Text));

    private Expression Postfix(Expression value)
    {
        while (true)
        {
            if (reader.TakeIfOperator("."))
            {
                value = reader.Current.Kind == TokenKind.Integer ? new Subscript(value, Primary()) : new Attribute(value, reader.Expect(TokenKind.Name, "a name"));
            }
            else if (reader.TakeIfOperator("["))
            {
                value = Index(value);
                reader.Expect("]");
            }
            else if (reader.IsOperator("("))
            {
                value = CallOf(value);
            }
            else
            {
                return value;
            }
        }
    }

    private Expression Index(Expression owner)
    {
        Expression? start = reader.IsOperator(":") ? null : Tuple();
        if (!reader.TakeIfOperator(":")) return new Subscript(owner, start!);
        Expression? stop = reader.IsOperator(":") || reader.IsOperator("]") ? null : Whole();
        Expression? step = reader.TakeIfOperator(":") && !reader.IsOperator("]") ? Whole() : null;
        return new Slice(owner, start, stop, step);
    }

    private Call CallOf(Expression function)
    {
        (List<Expression> values, List<(string, Expression)> named) = Arguments();
        return new Call(function, values, named);
    }

    private (List<Expression> Values, List<(string Name, Expression Value)> Named) Arguments()
    {
        List<Expression> values = [];
        List<(string, Expression)> named = [];
        reader.Expect("(");
        while (!reader.TakeIfOperator(")"))
        {
            if (reader.Current.Kind == TokenKind.Name && reader.Next is { Kind: TokenKind.Operator, Text: "=" })
            {
                string name = reader.Take().Text;
                reader.Take();
                named.Add((name, Whole()));
            }
            else
            {
                values.Add(Whole());
            }

            if (!reader.IsOperator(")")) reader.Expect(",");
        }

        return (values, named);
    }

    private Expression Primary()
    {
        TemplateToken token = reader.Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new Literal(true),
                    "false" or "False" => new Literal(false),
                    "none" or "None" => new Literal(null),
                    _ => new Variable(token.Text),
                };
            case TokenKind.Integer:
                return new Literal(long.TryParse(token.Text, CultureInfo.InvariantCulture, out long number) ? number : throw new ChatTemplateException($"the number {token.Text} is too large", token.Line));
            case TokenKind.Float: return new Literal(double.Parse(token.Text, CultureInfo.InvariantCulture));
            case TokenKind.Text:
                string text = token.Text;
                while (reader.Current.Kind == TokenKind.Text) text += reader.Take().Text;
                return new Literal(text);
            case TokenKind.Operator when token.Text == "(":
                if (reader.TakeIfOperator(")")) return new ListLiteral([], isTuple: true);
                Expression inner = Tuple();
                reader.Expect(")");
                return inner;
            case TokenKind.Operator when token.Text == "[": return new ListLiteral(Separated("]", Whole), isTuple: false);
            case TokenKind.Operator when token.Text == "{": return new MappingLiteral(Separated("}", Pair));
            default: throw new ChatTemplateException($"there is {(token.Text.Length > 0 ? $"'{token.Text}'" : "nothing")} where a value belongs", token.Line);
        }
    }

    private (Expression Key, Expression Value) Pair()
    {
        Expression key = Whole();
        reader.Expect(":");
        return (key, Whole());
    }

    private List<T> Separated<T>(string end, Func<T> part)
    {
        List<T> parts = [];
        while (!reader.TakeIfOperator(end))
        {
            parts.Add(part());
            if (!reader.IsOperator(end)) reader.Expect(",");
        }

        return parts;
    }
}
