using System.Diagnostics.CodeAnalysis;

namespace Quern.Gguf;

public sealed partial class GgufMetadata
{
    /// <summary>The layer count comes from the file too: no model has a hundredth of this.</summary>
    private const int MostLayers = 1 << 16;

    /// <summary>An array of strings, made anew at every call.</summary>
    /// <exception cref="GgufFormatException">The key is missing or no array of strings.</exception>
    public string[] GetStringArray(string key) => AsArray<string>(Required(key, "an array of strings"), GgufValueType.String);

    /// <summary>The same; false where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no array of strings.</exception>
    public bool TryGetStringArray(string key, [NotNullWhen(true)] out string[]? values) =>
        (values = FindEntry(key) is { } entry ? AsArray<string>(entry, GgufValueType.String) : null) is not null;

    /// <summary>An array of binary32 numbers, made anew at every call; binary64 is rounded.</summary>
    /// <exception cref="GgufFormatException">The key is missing or no array of floating-point numbers.</exception>
    public float[] GetSingleArray(string key) => AsSingles(Required(key, "an array of floating-point numbers"));

    /// <summary>The same; false where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no array of floating-point numbers.</exception>
    public bool TryGetSingleArray(string key, [NotNullWhen(true)] out float[]? values) =>
        (values = FindEntry(key) is { } entry ? AsSingles(entry) : null) is not null;

    /// <summary>An array of integers of any type whose values fit 32 signed bits, made anew at every call.</summary>
    /// <exception cref="GgufFormatException">The key is missing, no array of integers, or a value is out of range.</exception>
    public int[] GetInt32Array(string key) => AsIntegers(Required(key, "an array of integers"), int.MinValue, int.MaxValue, value => (int)value);

    /// <summary>The same; false where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no array of integers, or one is out of range.</exception>
    public bool TryGetInt32Array(string key, [NotNullWhen(true)] out int[]? values) =>
        (values = FindEntry(key) is { } entry ? AsIntegers(entry, int.MinValue, int.MaxValue, value => (int)value) : null) is not null;

    /// <summary>An array of integers of any type whose values fit 32 unsigned bits, made anew at every call.</summary>
    /// <exception cref="GgufFormatException">The key is missing, no array of integers, or a value is out of range.</exception>
    public uint[] GetUInt32Array(string key) => AsIntegers(Required(key, "an array of integers"), uint.MinValue, uint.MaxValue, value => (uint)value);

    /// <summary>The same; false where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no array of integers, or one is out of range.</exception>
    public bool TryGetUInt32Array(string key, [NotNullWhen(true)] out uint[]? values) =>
        (values = FindEntry(key) is { } entry ? AsIntegers(entry, uint.MinValue, uint.MaxValue, value => (uint)value) : null) is not null;

    /// <summary>An array of bools, made anew at every call.</summary>
    /// <exception cref="GgufFormatException">The key is missing or no array of bools.</exception>
    public bool[] GetBoolArray(string key) => AsArray<bool>(Required(key, "an array of bools"), GgufValueType.Bool);

    /// <summary>The same; false where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no array of bools.</exception>
    public bool TryGetBoolArray(string key, [NotNullWhen(true)] out bool[]? values) =>
        (values = FindEntry(key) is { } entry ? AsArray<bool>(entry, GgufValueType.Bool) : null) is not null;

    /// <summary>
    /// A number for each layer: llama.cpp's converter writes one integer where all layers agree (for example <c>attention.head_count</c>) and
    /// an array where they differ.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="layerCount">How many values the model needs; an array may have more.</param>
    /// <exception cref="GgufFormatException">The key is missing, neither form, too short or out of range; or the layers are more than 65,536.</exception>
    public int[] GetInt32PerLayer(string key, int layerCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layerCount);
        GgufEntry entry = Required(key, $"an integer or an array of {layerCount}");
        if (layerCount > MostLayers)
            throw new GgufFormatException(Path, $"metadata key {GgufFormatException.Quote(key)}", entry.Offset, $"{layerCount} layers want it; expected at most {MostLayers}");
        int[] values = new int[layerCount];
        if (IsInteger(entry.Type))
        {
            values.AsSpan().Fill((int)AsInteger(entry, int.MinValue, int.MaxValue));
            return values;
        }

        int[] found = AsIntegers(entry, int.MinValue, int.MaxValue, value => (int)value);
        if (found.Length < layerCount) throw Unexpected(entry, $"an integer, or an array of {layerCount}, one for each layer");
        Array.Copy(found, values, layerCount);
        return values;
    }

    private T[] AsArray<T>(GgufEntry entry, GgufValueType element) =>
        entry.ElementType == element ? (T[])entry.Read() : throw Unexpected(entry, $"arr[{GgufValueTypes.ShortName(element)}]");

    private float[] AsSingles(GgufEntry entry) => entry.ElementType switch
    {
        GgufValueType.Float32 => (float[])entry.Read(),
        GgufValueType.Float64 => Array.ConvertAll((double[])entry.Read(), value => (float)value),
        _ => throw Unexpected(entry, "an array of floating-point numbers"),
    };

    private T[] AsIntegers<T>(GgufEntry entry, long smallest, long largest, Func<Int128, T> narrow)
    {
        if (!IsInteger(entry.ElementType)) throw Unexpected(entry, "an array of integers");
        Array found = (Array)entry.Read();
        if (found.GetType() == typeof(T[])) return (T[])found;
        T[] values = new T[found.Length];
        for (int i = 0; i < values.Length; i++)
        {
            Int128 value = ToInt128(found.GetValue(i)!);
            if (value < smallest || value > largest) throw OutOfRange(entry, value, smallest, largest);
            values[i] = narrow(value);
        }

        return values;
    }
}
