using System.Collections;
using System.Globalization;

namespace Quern.Text;

/// <summary>Typed access to the metadata of a GGUF file. Every wrong type is an error that names the key.</summary>
internal sealed class TokenizerMetadata(Func<string, object?> find)
{
    public bool Has(string key) => find(key) is not null;

    public string? String(string key) => find(key) switch
    {
        null => null,
        string text => text,
        object other => throw Wrong(key, "a string", other),
    };

    public bool? Boolean(string key) => find(key) switch
    {
        null => null,
        bool value => value,
        object other => throw Wrong(key, "a boolean", other),
    };

    public long? Integer(string key) => find(key) switch
    {
        null => null,
        object value when IsInteger(value) => value is ulong u && u > long.MaxValue
            ? throw new InvalidDataException($"{key} is {u}, which no id or count can be")
            : Convert.ToInt64(value, CultureInfo.InvariantCulture),
        object other => throw Wrong(key, "an integer", other),
    };

    public string[]? Strings(string key) => find(key) switch
    {
        null => null,
        string[] array => array,
        IReadOnlyList<string> list => [.. list],
        object other => throw Wrong(key, "an array of strings", other),
    };

    public float[]? Floats(string key) => find(key) switch
    {
        null => null,
        float[] array => array,
        double[] array => Array.ConvertAll(array, x => (float)x),
        int[] array => Array.ConvertAll(array, x => (float)x),
        IReadOnlyList<float> list => [.. list],
        object other => throw Wrong(key, "an array of numbers", other),
    };

    public int[]? Integers(string key)
    {
        object? value = find(key);
        if (value is null) return null;
        if (value is int[] ints) return ints;
        if (value is not IList list || value.GetType().GetElementType() is not { IsPrimitive: true } element || element == typeof(float)
            || element == typeof(double) || element == typeof(bool))
        {
            throw Wrong(key, "an array of integers", value);
        }

        int[] result = new int[list.Count];
        for (int i = 0; i < result.Length; i++)
        {
            long item = Convert.ToInt64(list[i], CultureInfo.InvariantCulture);
            result[i] = item is >= int.MinValue and <= int.MaxValue
                ? (int)item
                : throw new InvalidDataException($"{key}[{i}] is {item}, which is not a 32-bit integer");
        }

        return result;
    }

    public byte[]? Bytes(string key) => find(key) switch
    {
        null => null,
        // An sbyte[] matches the type pattern byte[] as well, and may be read as one.
        byte[] array => array,
        object other => throw Wrong(key, "an array of bytes", other),
    };

    private static bool IsInteger(object value) => value is byte or sbyte or short or ushort or int or uint or long or ulong;

    private static InvalidDataException Wrong(string key, string expected, object found) =>
        new($"{key} should be {expected}, but is {found.GetType().Name}");
}
