namespace Quern.Text.Templates;

/// <summary>Every test: what stands behind <c>is</c>. A new one is a line here. Source: Jinja 3.1, List of Builtin Tests.</summary>
internal static class TestTable
{
    private static readonly Dictionary<string, Func<object?, CallArguments, bool>> All = new()
    {
        ["defined"] = (value, _) => value is not Undefined,
        ["undefined"] = (value, _) => value is Undefined,
        ["none"] = (value, _) => value is null,
        ["boolean"] = (value, _) => value is bool,
        ["true"] = (value, _) => value is true,
        ["false"] = (value, _) => value is false,
        ["string"] = (value, _) => value is string or SafeText,
        ["number"] = (value, _) => Operators.IsNumber(value),
        ["integer"] = (value, _) => value is long,
        ["float"] = (value, _) => value is double,
        ["mapping"] = (value, _) => value is TemplateMapping,
        ["iterable"] = (value, _) => value is string or SafeText or TemplateMapping or IReadOnlyList<object?> or ValueStream or Undefined,
        ["sequence"] = (value, _) => value is string or TemplateMapping or IReadOnlyList<object?> or Undefined,
        ["callable"] = (value, _) => value is TemplateFunction,
        ["even"] = (value, a) => Number(value, a) % 2 == 0,
        ["odd"] = (value, a) => Number(value, a) % 2 != 0,
        ["divisibleby"] = (value, a) => a.Number(1, "num", 0) is not 0 and var number ? Number(value, a) % number == 0 : throw a.Scope.Error("a division by zero"),
        ["eq"] = (value, a) => Operators.AreEqual(value, a.Get(1, "other")),
        ["equalto"] = (value, a) => Operators.AreEqual(value, a.Get(1, "other")),
        ["=="] = (value, a) => Operators.AreEqual(value, a.Get(1, "other")),
        ["ne"] = (value, a) => !Operators.AreEqual(value, a.Get(1, "other")),
        ["lt"] = (value, a) => Operators.Compare(a.Scope, value, a.Get(1, "other")) < 0,
        ["le"] = (value, a) => Operators.Compare(a.Scope, value, a.Get(1, "other")) <= 0,
        ["gt"] = (value, a) => Operators.Compare(a.Scope, value, a.Get(1, "other")) > 0,
        ["ge"] = (value, a) => Operators.Compare(a.Scope, value, a.Get(1, "other")) >= 0,
        ["in"] = (value, a) => Operators.Contains(a.Scope, a.Get(1, "seq"), value),
        ["lower"] = (value, _) => PythonText.Of(value) is var text && text.Any(char.IsLetter) && !text.Any(char.IsUpper),
        ["upper"] = (value, _) => PythonText.Of(value) is var text && text.Any(char.IsLetter) && !text.Any(char.IsLower),
    };

    /// <summary>The test with a name, or null; its first argument is the value.</summary>
    public static TemplateFunction? Find(string name) => All.TryGetValue(name, out Func<object?, CallArguments, bool>? test) ? arguments => test(arguments.Values[0], arguments) : null;

    private static long Number(object? value, CallArguments arguments) => value is long number ? number : throw arguments.Scope.Error($"{Operators.NameOf(value)} is no whole number");
}
