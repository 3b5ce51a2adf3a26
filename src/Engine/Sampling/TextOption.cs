namespace Quern.Engine.Sampling;

/// <summary>An option with a form of its own: a list of names, of texts, of biases, or a seed that may be absent.</summary>
internal sealed class TextOption : SamplerOption
{
    private readonly Func<string> _allowed;
    private readonly Func<SamplingOptions, string> _text;
    private readonly Func<SamplingOptions, IReadOnlyList<string>, SamplingOptions?> _parse;
    private readonly Func<SamplingOptions, bool> _isAllowed;

    /// <param name="name">The command line option.</param>
    /// <param name="jsonName">The JSON field.</param>
    /// <param name="valueName">What stands for the value in help.</param>
    /// <param name="help">What the option does.</param>
    /// <param name="allowed">What is allowed, in words; asked for late, as it may read the table of samplers.</param>
    /// <param name="text">The value as text.</param>
    /// <param name="parse">Sets the value; null where a text cannot be read.</param>
    /// <param name="isAllowed">Whether the value held is allowed.</param>
    public TextOption(
        string name,
        string jsonName,
        string valueName,
        string help,
        Func<string> allowed,
        Func<SamplingOptions, string> text,
        Func<SamplingOptions, IReadOnlyList<string>, SamplingOptions?> parse,
        Func<SamplingOptions, bool> isAllowed)
        : base(name, jsonName, valueName, help)
    {
        (_allowed, _text, _parse, _isAllowed) = (allowed, text, parse, isAllowed);
    }

    public override string AllowedText => _allowed();

    public override bool IsRepeatable => IsList;

    public bool IsList { get; init; }

    public override string Text(SamplingOptions options) => _text(options);

    private protected override SamplingOptions Parse(SamplingOptions options, IReadOnlyList<string> texts) =>
        _parse(options, texts) ?? throw Refusal(string.Join("', '", texts));

    internal override void Check(SamplingOptions options)
    {
        if (!_isAllowed(options)) throw Refusal(_text(options));
    }
}
