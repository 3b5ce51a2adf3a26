namespace Quern.Text.Templates;

/// <summary>Filters that look at each item of a list. Source: Jinja 3.1, List of Builtin Filters.</summary>
internal static class ItemFilters
{
    /// <summary><c>map(attribute='name')</c>, or <c>map('filter', …)</c>.</summary>
    public static IEnumerable<object?> Map(CallArguments a)
    {
        IEnumerable<object?> items = ItemsOf(a);
        if (a.Named.GetValueOrDefault("attribute") is { } attribute)
        {
            object? standard = a.Named.GetValueOrDefault("default");
            return items.Select(item => Path(a.Scope, item, PythonText.Of(attribute)) is var value && value is Undefined && standard is not null ? standard : value);
        }

        string name = a.Text(1, "filter", "");
        TemplateFunction filter = FilterTable.Find(name) ?? throw a.Scope.Error($"there is no filter '{name}'");
        return items.Select(item => filter(new CallArguments(a.Scope, [item, .. a.Values.Skip(2)], a.Named)));
    }

    /// <summary><c>select</c>, <c>reject</c> and both of an attribute: items that pass a test, or are true.</summary>
    public static IEnumerable<object?> Select(CallArguments a, bool byAttribute, bool wanted)
    {
        int next = byAttribute ? 2 : 1;
        string attribute = byAttribute ? PythonText.Of(a.Values.ElementAtOrDefault(1) ?? throw a.Scope.Error("an attribute is missing")) : "";
        TemplateFunction? test = null;
        if (a.Values.Count > next)
        {
            string name = a.Text(next, "test", "");
            test = TestTable.Find(name) ?? throw a.Scope.Error($"there is no test '{name}'");
        }

        return ItemsOf(a).Where(item =>
        {
            a.Scope.Step();
            object? value = byAttribute ? Path(a.Scope, item, attribute) : item;
            return Operators.IsTrue(test is null ? value : test(new CallArguments(a.Scope, [value, .. a.Values.Skip(next + 1)], a.Named))) == wanted;
        });
    }

    // Of nothing there are no items, even of none.
    private static IEnumerable<object?> ItemsOf(CallArguments a) => Operators.IsTrue(a.Values[0]) ? Operators.Items(a.Scope, a.Values[0]) : [];

    /// <summary>Each item once; texts without regard to case unless asked.</summary>
    public static IEnumerable<object?> Unique(CallArguments a)
    {
        bool exact = Operators.IsTrue(a.Get(1, "case_sensitive"));
        HashSet<string> seen = [];
        return Operators.Items(a.Scope, a.Values[0]).Where(item => seen.Add(PythonText.Repr(item is string text && !exact ? text.ToLowerInvariant() : item)));
    }

    /// <summary>Items in order, perhaps by an attribute; texts without regard to case unless asked.</summary>
    public static IEnumerable<object?> Sorted(CallArguments a, IEnumerable<object?> items)
    {
        bool exact = Operators.IsTrue(a.Named.GetValueOrDefault("case_sensitive"));
        string? attribute = a.Named.GetValueOrDefault("attribute") as string;
        return items.OrderBy(item => (attribute is null ? item : Path(a.Scope, item, attribute)) is string text && !exact ? text.ToLowerInvariant() : attribute is null ? item : Path(a.Scope, item, attribute), Order(a.Scope));
    }

    public static Comparer<object?> Order(Scope scope) => Comparer<object?>.Create((x, y) => Operators.Compare(scope, x, y));

    /// <summary>An attribute of an attribute: <c>function.name</c>.</summary>
    public static object? Path(Scope scope, object? value, string path)
    {
        foreach (string name in path.Split('.'))
        {
            if (value is Undefined undefined) throw scope.Error($"{undefined.Reason}, so it has no attribute '{name}'");
            value = value is IReadOnlyList<object?> list && int.TryParse(name, out int index) ? index < list.Count ? list[index] : new Undefined($"a list has no item {index}") : Attribute.Item(value, name);
        }

        return value;
    }
}
