namespace Quern.Text.Templates;

/// <summary>Something that has a value.</summary>
internal abstract class Expression
{
    public abstract object? Evaluate(Scope scope);

    public bool IsTrue(Scope scope) => Operators.IsTrue(Evaluate(scope));
}

internal sealed class Literal(object? value) : Expression
{
    public override object? Evaluate(Scope scope) => value;
}

internal sealed class Variable(string name) : Expression
{
    public string Name { get; } = name;

    public override object? Evaluate(Scope scope)
    {
        scope.Step();
        return scope.Find(Name);
    }
}

internal sealed class ListLiteral(IReadOnlyList<Expression> items, bool isTuple) : Expression
{
    public IReadOnlyList<Expression> Items { get; } = items;

    public override object? Evaluate(Scope scope)
    {
        IEnumerable<object?> values = Items.Select(item => item.Evaluate(scope));
        return isTuple ? new TemplateTuple(values) : (List<object?>)[.. values];
    }
}

internal sealed class MappingLiteral(IReadOnlyList<(Expression Key, Expression Value)> pairs) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        TemplateMapping mapping = [];
        foreach ((Expression key, Expression value) in pairs)
        {
            object? name = key.Evaluate(scope);
            if (name is not (string or long or double or bool)) throw scope.Error($"{Operators.NameOf(name)} is no key of a mapping");
            mapping[name] = value.Evaluate(scope);
        }

        return mapping;
    }
}

internal sealed class Attribute(Expression owner, string name) : Expression
{
    public Expression Owner { get; } = owner;

    public string Name { get; } = name;

    public override object? Evaluate(Scope scope)
    {
        object? value = Owner.Evaluate(scope);
        if (value is Undefined undefined) throw scope.Error($"{undefined.Reason}, so it has no attribute '{Name}'");
        return MethodTable.Find(value, Name) ?? Item(value, Name);
    }

    /// <summary>What a mapping or a namespace has under a name.</summary>
    public static object? Item(object? value, string name) => value switch
    {
        TemplateMapping mapping when mapping.TryGetValue(name, out object? item) => item,
        TemplateNamespace space when space.TryGetValue(name, out object? item) => item,
        _ => new Undefined($"{Operators.NameOf(value)} has no attribute '{name}'"),
    };
}

internal sealed class Subscript(Expression owner, Expression index) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        object? value = owner.Evaluate(scope), at = index.Evaluate(scope);
        switch (value, at)
        {
            case (Undefined undefined, _): throw scope.Error($"{undefined.Reason}, so it has no items");
            case (IReadOnlyList<object?> list, long number):
                long place = number < 0 ? list.Count + number : number;
                return place >= 0 && place < list.Count ? list[(int)place] : new Undefined($"a list of {list.Count} has no item {number}");
            case (string text, long number):
                List<object?> letters = [.. Operators.Items(scope, text)];
                long letter = number < 0 ? letters.Count + number : number;
                return letter >= 0 && letter < letters.Count ? letters[(int)letter] : new Undefined($"a text of {letters.Count} has no letter {number}");
            case (TemplateMapping mapping, long or double or bool): return mapping.TryGetValue(at, out object? found) ? found : new Undefined($"a mapping has no item {PythonText.Repr(at)}");
            case (_, string name):
                object? item = Attribute.Item(value, name);
                return item is Undefined && MethodTable.Find(value, name) is { } method ? method : item;
            default: return new Undefined($"{Operators.NameOf(value)} has no item {PythonText.Repr(at)}");
        }
    }
}

internal sealed class Slice(Expression owner, Expression? start, Expression? stop, Expression? step) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        object? value = owner.Evaluate(scope);
        if (value is not (string or IReadOnlyList<object?>)) throw scope.Error($"{Operators.NameOf(value)} cannot be sliced");
        List<object?> items = [.. Operators.Items(scope, value)], taken = [];
        long by = Number(scope, step) ?? 1;
        if (by == 0) throw scope.Error("a slice has steps of 0");
        long from = Place(Number(scope, start), items.Count, by, by > 0 ? 0 : items.Count - 1), to = Place(Number(scope, stop), items.Count, by, by > 0 ? items.Count : -1);
        for (long i = from; by > 0 ? i < to : i > to; i += by) taken.Add(items[(int)i]);
        return value is string ? string.Concat(taken) : taken;
    }

    private static long Place(long? number, int count, long by, long standard) =>
        number is not { } given ? standard : Math.Clamp(given < 0 ? given + count : given, by > 0 ? 0 : -1, by > 0 ? count : count - 1);

    private static long? Number(Scope scope, Expression? expression) => expression?.Evaluate(scope) switch
    {
        null => null,
        long number => number,
        var other => throw scope.Error($"{Operators.NameOf(other)} is no place of a slice"),
    };
}

internal sealed class Call(Expression function, IReadOnlyList<Expression> values, IReadOnlyList<(string Name, Expression Value)> named) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        scope.Step();
        return function.Evaluate(scope) switch
        {
            TemplateFunction callable => callable(Arguments(scope, values, named)),
            Undefined undefined => throw scope.Error($"{undefined.Reason}, so it cannot be called"),
            var other => throw scope.Error($"{Operators.NameOf(other)} cannot be called"),
        };
    }

    public static CallArguments Arguments(Scope scope, IReadOnlyList<Expression> values, IReadOnlyList<(string Name, Expression Value)> named) =>
        new(scope, [.. values.Select(value => value.Evaluate(scope))], named.ToDictionary(pair => pair.Name, pair => pair.Value.Evaluate(scope)));
}

/// <summary><c>value | filter(…)</c> and <c>value is test(…)</c>.</summary>
internal sealed class Filter(Expression value, TemplateFunction function, IReadOnlyList<Expression> values, IReadOnlyList<(string Name, Expression Value)> named) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        scope.Step();
        object? first = value.Evaluate(scope);
        return function(Call.Arguments(scope, values, named).Behind(first));
    }
}

internal sealed class Binary(string sign, Expression left, Expression right) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        scope.Step();
        object? a = left.Evaluate(scope);
        if (sign == "and") return Operators.IsTrue(a) ? right.Evaluate(scope) : a;
        if (sign == "or") return Operators.IsTrue(a) ? a : right.Evaluate(scope);
        object? b = right.Evaluate(scope);
        return sign switch
        {
            "==" => Operators.AreEqual(a, b),
            "!=" => !Operators.AreEqual(a, b),
            "<" => Operators.Compare(scope, a, b) < 0,
            "<=" => Operators.Compare(scope, a, b) <= 0,
            ">" => Operators.Compare(scope, a, b) > 0,
            ">=" => Operators.Compare(scope, a, b) >= 0,
            "in" => Operators.Contains(scope, b, a),
            "not in" => !Operators.Contains(scope, b, a),
            _ => Operators.Arithmetic(scope, sign, a, b),
        };
    }
}

internal sealed class Not(Expression value) : Expression
{
    public override object? Evaluate(Scope scope) => !value.IsTrue(scope);
}

internal sealed class Negative(Expression value) : Expression
{
    public override object? Evaluate(Scope scope) => Operators.Negate(scope, value.Evaluate(scope));
}

/// <summary><c>value if condition else other</c>.</summary>
internal sealed class Conditional(Expression value, Expression condition, Expression? other) : Expression
{
    public override object? Evaluate(Scope scope) =>
        condition.IsTrue(scope) ? value.Evaluate(scope) : other is null ? new Undefined("an 'if' without 'else' was not met") : other.Evaluate(scope);
}
