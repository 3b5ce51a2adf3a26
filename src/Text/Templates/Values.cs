namespace Quern.Text.Templates;

// What a template computes with: null (none), bool, long, double, string, IReadOnlyList<object?> (lists and tuples), and the types of this file.

/// <summary>A function that a template calls.</summary>
internal delegate object? TemplateFunction(CallArguments arguments);

/// <summary>A mapping from texts or numbers, in the order in which they were put in.</summary>
internal sealed class TemplateMapping : OrderedDictionary<object, object?>;

/// <summary>A text that went through <c>safe</c>: another text that is added to it is escaped for HTML, as Python's MarkupSafe does.</summary>
internal sealed record SafeText(string Text);

/// <summary>An object whose attributes a template may set.</summary>
internal sealed class TemplateNamespace : Dictionary<string, object?>;

/// <summary>A name or an attribute that is not there. It prints as nothing; what else is done with it is an error that says its name.</summary>
internal sealed record Undefined(string Reason);

/// <summary>Values that are made when they are asked for, once. It has no length, and is always true.</summary>
internal sealed class ValueStream(IEnumerable<object?> values)
{
    public IEnumerable<object?> Values { get; } = values;
}

/// <summary>What a call is given.</summary>
/// <param name="scope">Where it is called: budgets are kept there.</param>
/// <param name="values">In order.</param>
/// <param name="named">By name.</param>
internal sealed class CallArguments(Scope scope, IReadOnlyList<object?> values, IReadOnlyDictionary<string, object?>? named = null)
{
    private static readonly Dictionary<string, object?> None = [];

    public Scope Scope { get; } = scope;

    public IReadOnlyList<object?> Values { get; } = values;

    public IReadOnlyDictionary<string, object?> Named { get; } = named ?? None;

    /// <summary>An argument by place or by name, or else <paramref name="standard"/>.</summary>
    public object? Get(int place, string name, object? standard = null) =>
        place < Values.Count ? Values[place] : Named.TryGetValue(name, out object? value) ? value : standard;

    public string Text(int place, string name, string standard) => Get(place, name, standard) as string ?? throw Scope.Error($"argument '{name}' is no text");

    public long Number(int place, string name, long standard) => Get(place, name, standard) switch
    {
        long number => number,
        bool truth => truth ? 1 : 0,
        _ => throw Scope.Error($"argument '{name}' is no whole number"),
    };

    /// <summary>The same with a value in front, as a filter gives it to a function.</summary>
    public CallArguments Behind(object? first) => new(Scope, [first, .. Values], Named);
}

/// <summary>A list that is printed in round brackets.</summary>
internal sealed class TemplateTuple(IEnumerable<object?> values) : List<object?>(values);
