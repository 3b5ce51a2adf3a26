using System.Text;

namespace Quern.Gguf;

/// <summary>Text as GGUF holds it, and what can be written as a key, a name or a value.</summary>
internal static class GgufText
{
    /// <summary>UTF-8 that refuses what is not.</summary>
    public static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static void CheckName(string name, string parameter)
    {
        ArgumentException.ThrowIfNullOrEmpty(name, parameter);
        int bytes = ByteCount(name, name);
        if (bytes > GgufValueTypes.LongestName) throw new ArgumentException($"a name has {bytes} bytes; expected at most {GgufValueTypes.LongestName}", parameter);
    }

    public static void CheckValue(string key, object value, int depth)
    {
        if (GgufValueTypes.Of(value.GetType()) is not GgufValueType type)
            throw new ArgumentException($"'{key}' holds a {value.GetType()}, which GGUF does not have; expected a primitive, a string or an array of them", nameof(value));
        if (type == GgufValueType.String) ByteCount((string)value, key);
        if (type != GgufValueType.Array) return;

        Array array = (Array)value;
        if (depth == GgufValueTypes.DeepestNesting) throw new ArgumentException($"'{key}' nests arrays more than {GgufValueTypes.DeepestNesting} deep", nameof(value));
        if (array.Rank != 1) throw new ArgumentException($"'{key}' holds an array of rank {array.Rank}; expected an array of arrays", nameof(value));
        if (ElementType(array) is not GgufValueType element)
            throw new ArgumentException($"'{key}' holds a {array.GetType()}, which GGUF does not have", nameof(value));
        if (element is not (GgufValueType.String or GgufValueType.Array)) return;
        foreach (object? item in array)
        {
            if (item is null || (element == GgufValueType.Array && item is not Array))
                throw new ArgumentException($"'{key}' holds an array with {item ?? "null"} in it; expected an array of strings or of arrays", nameof(value));
            CheckValue(key, item, depth + 1);
        }
    }

    /// <summary>The type of an array's elements; <c>object[]</c> is an array of arrays.</summary>
    public static GgufValueType? ElementType(Array array)
    {
        Type element = array.GetType().GetElementType()!;
        return element == typeof(object) || element == typeof(Array) ? GgufValueType.Array : GgufValueTypes.Of(element);
    }

    private static int ByteCount(string text, string key)
    {
        try
        {
            return Strict.GetByteCount(text);
        }
        catch (EncoderFallbackException)
        {
            throw new ArgumentException($"{GgufFormatException.Quote(key)}: half of a surrogate pair cannot be written as UTF-8");
        }
    }
}
