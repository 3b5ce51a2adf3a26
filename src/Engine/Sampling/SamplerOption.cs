using System.Text.Json;

namespace Quern.Engine.Sampling;

/// <summary>
/// One sampling option, described once: its command line option, its JSON field, its help and how to read and set it on
/// <see cref="SamplingOptions"/>. The command line and the server are made from <see cref="SamplerTable.Options"/>.
/// </summary>
public abstract class SamplerOption
{
    private protected SamplerOption(string name, string jsonName, string valueName, string help)
    {
        (Name, JsonName, ValueName, Help) = (name, jsonName, valueName, help);
    }

    /// <summary>The option as the command line spells it, such as <c>--min-p</c>.</summary>
    public string Name { get; }

    /// <summary>Other spellings on the command line, such as <c>--temperature</c> for <c>--temp</c>.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>The field as a request spells it, such as <c>min_p</c>.</summary>
    public string JsonName { get; }

    /// <summary>What stands for the value in a help text, such as <c>P</c>.</summary>
    public string ValueName { get; }

    /// <summary>One sentence that says what the option does.</summary>
    public string Help { get; }

    /// <summary>The values allowed, in words.</summary>
    public abstract string AllowedText { get; }

    /// <summary>The option may be given several times; the values together replace the default.</summary>
    public virtual bool IsRepeatable => false;

    /// <summary>The default as text, as <see cref="Apply(SamplingOptions, string)"/> would take it.</summary>
    public string DefaultText => Text(SamplingOptions.Default);

    /// <summary>The option's value in <paramref name="options"/> as text.</summary>
    /// <param name="options">The options to read.</param>
    public abstract string Text(SamplingOptions options);

    /// <summary>Sets the option from text, read with the invariant culture.</summary>
    /// <param name="options">The options to change.</param>
    /// <param name="text">The value.</param>
    /// <returns>The changed options.</returns>
    /// <exception cref="ArgumentException">
    /// The text cannot be read or the value is not allowed; the message names option, value and what is allowed.
    /// </exception>
    public SamplingOptions Apply(SamplingOptions options, string text) => Apply(options, [text]);

    /// <summary>Sets the option from each value it was given; an option that is not repeatable takes one.</summary>
    /// <param name="options">The options to change.</param>
    /// <param name="texts">The values, at least one.</param>
    /// <returns>The changed options.</returns>
    /// <exception cref="ArgumentException">A text cannot be read or a value is not allowed.</exception>
    public SamplingOptions Apply(SamplingOptions options, IReadOnlyList<string> texts)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(texts);
        if (texts.Count == 0 && !IsRepeatable) throw new ArgumentException($"{Name} needs a value: {AllowedText}");
        if (texts.Count > 1 && !IsRepeatable) throw new ArgumentException($"{Name} is given {texts.Count} times; it takes one value");
        SamplingOptions changed = Parse(options, texts);
        Check(changed);
        return changed;
    }

    /// <summary>Sets the option from a JSON field: a number or text, or for repeatable options also a list, or an object from token to bias.</summary>
    /// <param name="options">The options to change.</param>
    /// <param name="value">The field's value; null leaves the options as they are.</param>
    /// <returns>The changed options.</returns>
    /// <exception cref="ArgumentException">The value has the wrong JSON type or is not allowed; the message names the field.</exception>
    public SamplingOptions Apply(SamplingOptions options, JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Null) return options;
        if (OptionJson.Texts(value) is not { } texts) throw new ArgumentException($"{JsonName} is {value.GetRawText()}: expected {AllowedText}");
        return Apply(options, texts);
    }

    /// <summary>Sets the value; checks only what cannot be held.</summary>
    private protected abstract SamplingOptions Parse(SamplingOptions options, IReadOnlyList<string> texts);

    /// <summary>Refuses a value that is not allowed.</summary>
    internal abstract void Check(SamplingOptions options);

    private protected ArgumentException Refusal(string value) => new($"{Name} ({JsonName}) is '{value}': expected {AllowedText}");
}
