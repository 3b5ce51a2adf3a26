using System.Text;

namespace Quern.Text.Templates;

/// <summary>How a statement ended.</summary>
internal enum Flow
{
    Next,
    Break,
    Continue,
}

/// <summary>Something that prints, or changes what is known.</summary>
/// <param name="line">Where it stands.</param>
internal abstract class Statement(int line)
{
    public Flow Render(Scope scope, StringBuilder output)
    {
        scope.Step();
        scope.Line = line;
        return Run(scope, output);
    }

    protected abstract Flow Run(Scope scope, StringBuilder output);
}

internal sealed class Body(int line, IReadOnlyList<Statement> statements) : Statement(line)
{
    public string ToText(Scope scope)
    {
        StringBuilder output = new();
        Render(scope, output);
        return output.ToString();
    }

    protected override Flow Run(Scope scope, StringBuilder output)
    {
        foreach (Statement statement in statements)
            if (statement.Render(scope, output) is not Flow.Next and var flow) return flow;
        return Flow.Next;
    }
}

internal sealed class Text(int line, string text) : Statement(line)
{
    protected override Flow Run(Scope scope, StringBuilder output)
    {
        scope.Write(output, text);
        return Flow.Next;
    }
}

internal sealed class Print(int line, Expression value) : Statement(line)
{
    protected override Flow Run(Scope scope, StringBuilder output)
    {
        scope.Write(output, PythonText.Of(value.Evaluate(scope)));
        return Flow.Next;
    }
}

internal sealed class Jump(int line, Flow flow) : Statement(line)
{
    protected override Flow Run(Scope scope, StringBuilder output) => flow;
}

internal sealed class If(int line, IReadOnlyList<(Expression Condition, Body Body)> branches, Body? otherwise) : Statement(line)
{
    protected override Flow Run(Scope scope, StringBuilder output)
    {
        foreach ((Expression condition, Body body) in branches)
            if (condition.IsTrue(scope)) return body.Render(scope, output);
        return otherwise?.Render(scope, output) ?? Flow.Next;
    }
}

/// <summary><c>set</c>, of one or more names, or of an attribute of a namespace.</summary>
internal sealed class Set(int line, IReadOnlyList<Expression> targets, Expression value) : Statement(line)
{
    protected override Flow Run(Scope scope, StringBuilder output)
    {
        Assign(scope, targets, value.Evaluate(scope));
        return Flow.Next;
    }

    /// <summary>Gives names a value, or each of several its item.</summary>
    public static void Assign(Scope scope, IReadOnlyList<Expression> targets, object? value)
    {
        if (targets.Count == 1)
        {
            Assign(scope, targets[0], value);
            return;
        }

        List<object?> items = [.. Operators.Items(scope, value)];
        if (items.Count != targets.Count) throw scope.Error($"{targets.Count} names cannot take {items.Count} values");
        for (int i = 0; i < items.Count; i++) Assign(scope, targets[i], items[i]);
    }

    private static void Assign(Scope scope, Expression target, object? value)
    {
        if (target is Variable variable) scope.Set(variable.Name, value);
        else if (target is Attribute { Owner: var owner } attribute && owner.Evaluate(scope) is TemplateNamespace space) space[attribute.Name] = value;
        else throw scope.Error("only names and attributes of a namespace can be set");
    }
}

/// <summary><c>set name</c> with a body, perhaps through filters.</summary>
internal sealed class SetBody(int line, IReadOnlyList<Expression> targets, Body body, Func<Expression, Expression> filters) : Statement(line)
{
    protected override Flow Run(Scope scope, StringBuilder output)
    {
        Set.Assign(scope, targets, filters(new Literal(body.ToText(scope.Inner()))).Evaluate(scope));
        return Flow.Next;
    }
}

/// <summary>A body whose text goes through filters.</summary>
internal sealed class FilterBody(int line, Body body, Func<Expression, Expression> filters) : Statement(line)
{
    protected override Flow Run(Scope scope, StringBuilder output)
    {
        scope.Write(output, PythonText.Of(filters(new Literal(body.ToText(scope.Inner()))).Evaluate(scope)));
        return Flow.Next;
    }
}

internal sealed class For(int line, IReadOnlyList<Expression> targets, Expression source, Expression? condition, Body body, Body? otherwise) : Statement(line)
{
    protected override Flow Run(Scope scope, StringBuilder output)
    {
        List<object?> items = [];
        foreach (object? item in Operators.Items(scope, source.Evaluate(scope)))
        {
            scope.Step();
            if (condition is not null)
            {
                Scope trial = scope.Inner();
                Set.Assign(trial, targets, item);
                if (!condition.IsTrue(trial)) continue;
            }

            items.Add(item);
        }

        if (items.Count == 0) return otherwise?.Render(scope, output) ?? Flow.Next;
        for (int i = 0; i < items.Count; i++)
        {
            Scope inner = scope.Inner();
            inner.Set("loop", Loop(items, i));
            Set.Assign(inner, targets, items[i]);
            if (body.Render(inner, output) == Flow.Break) break;
        }

        return Flow.Next;
    }

    private static TemplateMapping Loop(List<object?> items, int index) => new()
    {
        ["index"] = index + 1L,
        ["index0"] = (long)index,
        ["revindex"] = (long)(items.Count - index),
        ["revindex0"] = items.Count - index - 1L,
        ["first"] = index == 0,
        ["last"] = index == items.Count - 1,
        ["length"] = (long)items.Count,
        ["previtem"] = index > 0 ? items[index - 1] : new Undefined("there is no previous item"),
        ["nextitem"] = index + 1 < items.Count ? items[index + 1] : new Undefined("there is no next item"),
        ["cycle"] = (TemplateFunction)(arguments => arguments.Values.Count == 0 ? throw arguments.Scope.Error("cycle has no values") : arguments.Values[index % arguments.Values.Count]),
    };
}

internal sealed class Macro(int line, string name, IReadOnlyList<(string Name, Expression? Standard)> parameters, Body body) : Statement(line)
{
    protected override Flow Run(Scope scope, StringBuilder output)
    {
        scope.Set(name, (TemplateFunction)(arguments => scope.Deeper(() => Render(scope, arguments))));
        return Flow.Next;
    }

    private string Render(Scope defined, CallArguments arguments)
    {
        Scope scope = defined.Inner();
        if (arguments.Values.Count > parameters.Count) throw arguments.Scope.Error($"macro '{name}' takes {parameters.Count} arguments and got {arguments.Values.Count}");
        foreach (string given in arguments.Named.Keys)
            if (parameters.All(parameter => parameter.Name != given)) throw arguments.Scope.Error($"macro '{name}' has no argument '{given}'");
        for (int i = 0; i < parameters.Count; i++)
        {
            (string parameter, Expression? standard) = parameters[i];
            bool given = i < arguments.Values.Count || arguments.Named.ContainsKey(parameter);
            scope.Set(parameter, given ? arguments.Get(i, parameter) : standard is null ? new Undefined($"'{parameter}' is undefined") : standard.Evaluate(scope));
        }

        return body.ToText(scope);
    }
}
