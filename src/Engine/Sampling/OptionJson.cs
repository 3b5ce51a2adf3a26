using System.Globalization;
using System.Text.Json;

namespace Quern.Engine.Sampling;

/// <summary>
/// Turns a JSON value into the texts that the command line would give, so that each option has one parser. Biases come in the three forms
/// that servers accept: <c>{"15": -1.5}</c>, <c>[[15, -1.5], [16, false]]</c> (false bans the token), <c>["15-1.5"]</c>.
/// </summary>
internal static class OptionJson
{
    /// <summary>The texts of a value; null where its shape is none that an option has.</summary>
    public static IReadOnlyList<string>? Texts(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Number:
                return [value.GetRawText()];
            case JsonValueKind.String:
                return [value.GetString()!];
            case JsonValueKind.Array:
                return All(value.EnumerateArray().Select(Element));
            case JsonValueKind.Object:
                return All(value.EnumerateObject().Select(field => BiasText(field.Name, field.Value)));
            default:
                return null;
        }
    }

    private static string? Element(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.Array when value.GetArrayLength() == 2 && value[0].ValueKind == JsonValueKind.Number => BiasText(value[0].GetRawText(), value[1]),
        _ => null,
    };

    private static string? BiasText(string token, JsonElement bias) => bias.ValueKind switch
    {
        JsonValueKind.False => $"{token}-inf",
        JsonValueKind.Number when bias.TryGetDouble(out double number) => token + number.ToString("+0.#########;-0.#########;+0", CultureInfo.InvariantCulture),
        JsonValueKind.String => token + bias.GetString(),
        _ => null,
    };

    private static List<string>? All(IEnumerable<string?> texts)
    {
        var all = new List<string>();
        foreach (string? text in texts)
        {
            if (text is null) return null;
            all.Add(text);
        }

        return all;
    }
}
