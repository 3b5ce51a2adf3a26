using System.Globalization;

namespace Quern.Engine.Sampling;

/// <summary>An option that is a number in a range: a whole one where <see cref="IsInteger"/>.</summary>
internal sealed class NumberOption : SamplerOption
{
    private readonly OptionRange _range;
    private readonly Func<SamplingOptions, double> _get;
    private readonly Func<SamplingOptions, double, SamplingOptions> _set;

    public NumberOption(
        string name,
        string jsonName,
        string valueName,
        string help,
        OptionRange range,
        Func<SamplingOptions, double> get,
        Func<SamplingOptions, double, SamplingOptions> set)
        : base(name, jsonName, valueName, help)
    {
        (_range, _get, _set) = (range, get, set);
    }

    public bool IsInteger { get; init; }

    public override string AllowedText => IsInteger ? $"a whole number, {_range}" : $"a number, {_range}";

    // A float's shortest text reads back as the same float, which the double it widens to does not show.
    public override string Text(SamplingOptions options) => ((float)_get(options)).ToString(CultureInfo.InvariantCulture);

    private protected override SamplingOptions Parse(SamplingOptions options, IReadOnlyList<string> texts)
    {
        double value;
        if (IsInteger)
        {
            if (!int.TryParse(texts[0], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int whole)) throw Refusal(texts[0]);
            value = whole;
        }
        else if (!double.TryParse(texts[0], NumberStyles.Float, CultureInfo.InvariantCulture, out value) || !_range.Contains(value))
        {
            throw Refusal(texts[0]);
        }

        return _set(options, value);
    }

    internal override void Check(SamplingOptions options)
    {
        double value = _get(options);
        if (!_range.Contains(value)) throw Refusal(value.ToString(CultureInfo.InvariantCulture));
    }
}
