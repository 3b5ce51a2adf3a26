using System.Diagnostics.CodeAnalysis;

namespace Quern.Gguf;

/// <summary>
/// The metadata of a file, in its order. Values are read from the file when they are asked for, so the file has to be open; a getter with a
/// type accepts any integer type whose value fits, and otherwise names the key, the file, what was found and what was expected.
/// </summary>
public sealed partial class GgufMetadata
{
    private readonly Dictionary<string, GgufEntry> _byKey;

    internal GgufMetadata(string path, IReadOnlyList<GgufEntry> entries, Dictionary<string, GgufEntry> byKey)
    {
        Path = path;
        Entries = entries;
        _byKey = byKey;
    }

    /// <summary>The file's path, for errors.</summary>
    public string Path { get; }

    /// <summary>The entries, in the order of the file.</summary>
    public IReadOnlyList<GgufEntry> Entries { get; }

    /// <summary>The keys, in the order of the file.</summary>
    public IEnumerable<string> Keys => Entries.Select(entry => entry.Key);

    /// <summary>Whether the file has a key.</summary>
    public bool Contains(string key) => _byKey.ContainsKey(key);

    /// <summary>The entry with a key, or null: its type without its value.</summary>
    public GgufEntry? FindEntry(string key) => _byKey.GetValueOrDefault(key);

    /// <summary>The value of a key as <see cref="GgufEntry.Read"/> makes it, or null where the file lacks the key.</summary>
    public object? Find(string key) => FindEntry(key)?.Read();

    /// <summary>A string.</summary>
    /// <exception cref="GgufFormatException">The key is missing or no string.</exception>
    public string GetString(string key) => AsString(Required(key, "a string"));

    /// <summary>A string, or <paramref name="fallback"/> where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no string.</exception>
    [return: NotNullIfNotNull(nameof(fallback))]
    public string? GetStringOr(string key, string? fallback) => FindEntry(key) is { } entry ? AsString(entry) : fallback;

    /// <summary>A string; false where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no string.</exception>
    public bool TryGetString(string key, [NotNullWhen(true)] out string? value) => (value = GetStringOr(key, null)) is not null;

    /// <summary>An integer of any type that fits 32 unsigned bits.</summary>
    /// <exception cref="GgufFormatException">The key is missing, no integer or out of range.</exception>
    public uint GetUInt32(string key) => (uint)AsInteger(Required(key, "an unsigned integer"), uint.MinValue, uint.MaxValue);

    /// <summary>The same, or <paramref name="fallback"/> where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no integer or out of range.</exception>
    public uint GetUInt32Or(string key, uint fallback) =>
        FindEntry(key) is { } entry ? (uint)AsInteger(entry, uint.MinValue, uint.MaxValue) : fallback;

    /// <summary>An integer of any type that fits 32 signed bits.</summary>
    /// <exception cref="GgufFormatException">The key is missing, no integer or out of range.</exception>
    public int GetInt32(string key) => (int)AsInteger(Required(key, "an integer"), int.MinValue, int.MaxValue);

    /// <summary>The same, or <paramref name="fallback"/> where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no integer or out of range.</exception>
    public int GetInt32Or(string key, int fallback) => FindEntry(key) is { } entry ? (int)AsInteger(entry, int.MinValue, int.MaxValue) : fallback;

    /// <summary>An integer of any type that fits 64 signed bits.</summary>
    /// <exception cref="GgufFormatException">The key is missing, no integer or out of range.</exception>
    public long GetInt64(string key) => (long)AsInteger(Required(key, "an integer"), long.MinValue, long.MaxValue);

    /// <summary>The same, or <paramref name="fallback"/> where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no integer or out of range.</exception>
    public long GetInt64Or(string key, long fallback) => FindEntry(key) is { } entry ? (long)AsInteger(entry, long.MinValue, long.MaxValue) : fallback;

    /// <summary>A floating-point number; a binary64 is rounded.</summary>
    /// <exception cref="GgufFormatException">The key is missing or no floating-point number.</exception>
    public float GetSingle(string key) => AsSingle(Required(key, "a floating-point number"));

    /// <summary>The same, or <paramref name="fallback"/> where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no floating-point number.</exception>
    public float GetSingleOr(string key, float fallback) => FindEntry(key) is { } entry ? AsSingle(entry) : fallback;

    /// <summary>A bool.</summary>
    /// <exception cref="GgufFormatException">The key is missing or no bool.</exception>
    public bool GetBool(string key) => AsBool(Required(key, "a bool"));

    /// <summary>The same, or <paramref name="fallback"/> where the file lacks the key.</summary>
    /// <exception cref="GgufFormatException">The value is no bool.</exception>
    public bool GetBoolOr(string key, bool fallback) => FindEntry(key) is { } entry ? AsBool(entry) : fallback;

    private GgufEntry Required(string key, string expected) => FindEntry(key)
        ?? throw new GgufFormatException(Path, $"metadata key {GgufFormatException.Quote(key)}", -1, $"the file does not have it; expected {expected}");

    private string AsString(GgufEntry entry) => entry.Type == GgufValueType.String ? (string)entry.Read() : throw Unexpected(entry, "a string");

    private bool AsBool(GgufEntry entry) => entry.Type == GgufValueType.Bool ? (bool)entry.Read() : throw Unexpected(entry, "a bool");

    private float AsSingle(GgufEntry entry) => entry.Type switch
    {
        GgufValueType.Float32 => (float)entry.Read(),
        GgufValueType.Float64 => (float)(double)entry.Read(),
        _ => throw Unexpected(entry, "a floating-point number"),
    };

    private Int128 AsInteger(GgufEntry entry, long smallest, long largest)
    {
        if (!IsInteger(entry.Type)) throw Unexpected(entry, $"an integer from {smallest} to {largest}");
        Int128 value = ToInt128(entry.Read());
        return value >= smallest && value <= largest ? value : throw OutOfRange(entry, value, smallest, largest);
    }

    private static bool IsInteger(GgufValueType? type) =>
        type is GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.UInt16 or GgufValueType.Int16
            or GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.UInt64 or GgufValueType.Int64;

    private static Int128 ToInt128(object boxed) => boxed is ulong large ? large : Convert.ToInt64(boxed, null);

    private GgufFormatException Unexpected(GgufEntry entry, string expected) =>
        new(Path, $"metadata key {GgufFormatException.Quote(entry.Key)}", entry.Offset, $"its type is {entry.TypeName}; expected {expected}");

    private GgufFormatException OutOfRange(GgufEntry entry, Int128 value, long smallest, long largest) =>
        new(Path, $"metadata key {GgufFormatException.Quote(entry.Key)}", entry.Offset, $"it holds {value}; expected {smallest} to {largest}");
}
