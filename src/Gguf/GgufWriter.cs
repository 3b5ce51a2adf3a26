using System.Collections.Immutable;

namespace Quern.Gguf;

/// <summary>
/// Writes a GGUF 3 file. Collect metadata and tensors, then write: the header is made first, and each tensor's bytes are asked for in turn, so a
/// file of any size takes little memory. A file appears under its name only when it is whole.
/// </summary>
public sealed class GgufWriter
{
    private readonly List<string> _keys = [];
    private readonly Dictionary<string, object> _values = new(StringComparer.Ordinal);
    private readonly List<PlannedTensor> _tensors = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    /// <summary>Tensors begin at multiples of so many bytes: the metadata's <c>general.alignment</c>, or 32.</summary>
    public int Alignment => _values.TryGetValue(GgufParser.AlignmentKey, out object? value) ? (int)(uint)value : GgufParser.DefaultAlignment;

    /// <summary>The version number to write; versions 2 and 3 have the same layout.</summary>
    internal int Version { get; init; } = 3;

    /// <summary>
    /// Sets a metadata value; a key that is set again keeps its place. The .NET type decides the GGUF type, as in
    /// <see cref="GgufEntry.Read"/>: a primitive, a string, an array of those, or an array of arrays (<c>object[]</c>, <c>int[][]</c>, …). Arrays are
    /// not copied.
    /// </summary>
    /// <exception cref="ArgumentException">The key or the value cannot be written.</exception>
    public void Set(string key, object value)
    {
        GgufText.CheckName(key, nameof(key));
        ArgumentNullException.ThrowIfNull(value);
        GgufText.CheckValue(key, value, 0);
        if (key == GgufParser.AlignmentKey && !(value is uint alignment && GgufParser.IsAlignment(alignment)))
            throw new ArgumentException(
                $"{key} is {value} ({value.GetType().Name}); expected a UInt32, a power of two from {GgufParser.SmallestAlignment} to {GgufParser.LargestAlignment}",
                nameof(value));
        if (!_values.ContainsKey(key)) _keys.Add(key);
        _values[key] = value;
    }

    /// <summary>Sets every value of another file's metadata, except what says that it was a part of a split set.</summary>
    public void SetAll(GgufMetadata metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        foreach (GgufEntry entry in metadata.Entries)
            if (entry.Key is not (SplitSet.NumberKey or SplitSet.CountKey or SplitSet.TensorCountKey)) Set(entry.Key, entry.Read());
    }

    /// <summary>Removes a metadata value; false where there is none.</summary>
    public bool Remove(string key) => _values.Remove(key) && _keys.Remove(key);

    /// <summary>Adds a tensor whose bytes are written on demand.</summary>
    /// <param name="name">The name; each occurs once.</param>
    /// <param name="typeId">The number of the ggml type.</param>
    /// <param name="dimensions">One to four lengths, the one that varies fastest first.</param>
    /// <param name="write">Writes exactly the tensor's bytes to the stream that it is given.</param>
    /// <exception cref="ArgumentException">The name, type or dimensions cannot be written.</exception>
    public void AddTensor(string name, int typeId, ReadOnlySpan<long> dimensions, Action<Stream> write)
    {
        GgufText.CheckName(name, nameof(name));
        ArgumentNullException.ThrowIfNull(write);
        GgmlType type = GgmlTypes.Find(typeId) ?? throw new ArgumentException($"tensor '{name}': {GgmlTypes.WhyUnknown((uint)typeId)}", nameof(typeId));
        if (dimensions.Length is 0 or > GgufParser.MostDimensions)
            throw new ArgumentException($"tensor '{name}' has {dimensions.Length} dimensions; expected 1 to {GgufParser.MostDimensions}", nameof(dimensions));
        Int128 elementCount = 1;
        foreach (long dimension in dimensions)
        {
            if (dimension <= 0 || (elementCount *= dimension) > long.MaxValue)
                throw new ArgumentException($"tensor '{name}' has a dimension of {dimension}; expected a positive number, and a product that fits 63 bits", nameof(dimensions));
        }

        if (dimensions[0] % type.BlockLength != 0)
            throw new ArgumentException($"tensor '{name}' has rows of {dimensions[0]} values; {type.Name} takes multiples of {type.BlockLength}", nameof(dimensions));
        if (elementCount / type.BlockLength * type.BlockBytes > long.MaxValue)
            throw new ArgumentException($"tensor '{name}' has more bytes than a file can have", nameof(dimensions));
        if (!_names.Add(name)) throw new ArgumentException($"tensor '{name}' was added before", nameof(name));
        _tensors.Add(new PlannedTensor(name, type, [.. dimensions], type.Bytes((long)elementCount), write));
    }

    /// <summary>Adds a tensor whose bytes are in memory.</summary>
    /// <param name="name">The name; each occurs once.</param>
    /// <param name="typeId">The number of the ggml type.</param>
    /// <param name="dimensions">One to four lengths, the one that varies fastest first.</param>
    /// <param name="data">The tensor's bytes; not copied.</param>
    /// <exception cref="ArgumentException">The name, type or dimensions cannot be written, or the length is not theirs.</exception>
    public void AddTensor(string name, int typeId, ReadOnlySpan<long> dimensions, ReadOnlyMemory<byte> data)
    {
        AddTensor(name, typeId, dimensions, stream => stream.Write(data.Span));
        long expected = _tensors[^1].Bytes;
        if (data.Length == expected) return;
        _tensors.RemoveAt(_tensors.Count - 1);
        _names.Remove(name);
        throw new ArgumentException($"tensor '{name}' takes {expected} bytes, not {data.Length}", nameof(data));
    }

    /// <summary>
    /// Writes a file: first under another name in the same folder, then renamed, so that a failure leaves nothing and an older file stays whole.
    /// </summary>
    /// <exception cref="InvalidOperationException">A tensor's callback wrote too few or too many bytes.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using TemporaryFile file = new(path);
        Write(file.Stream);
        file.Commit();
    }

    /// <summary>Writes a file to a stream, which may be one that cannot seek.</summary>
    /// <exception cref="InvalidOperationException">A tensor's callback wrote too few or too many bytes.</exception>
    public void Write(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        GgufEncoder.Write(stream, Version, Alignment, [.. _keys.Select(key => (key, _values[key]))], _tensors);
    }

    /// <summary>
    /// Writes a split set as llama-gguf-split does: <c>prefix-00001-of-00003.gguf</c> and so on, all metadata in the first. None of the files
    /// appears before all are whole.
    /// </summary>
    /// <param name="prefix">The path up to the part numbers.</param>
    /// <param name="largestPartBytes">Tensor bytes of one part; a tensor that is larger gets a part of its own.</param>
    /// <returns>The paths of the parts.</returns>
    /// <exception cref="InvalidOperationException">A tensor's callback wrote too few or too many bytes, or there would be too many parts.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public IReadOnlyList<string> WriteSplit(string prefix, long largestPartBytes)
    {
        ArgumentException.ThrowIfNullOrEmpty(prefix);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(largestPartBytes);
        List<List<PlannedTensor>> parts = Divide(largestPartBytes);
        if (parts.Count > ushort.MaxValue) throw new InvalidOperationException($"{parts.Count} parts are more than {ushort.MaxValue}: let parts be larger");

        List<TemporaryFile> files = [];
        try
        {
            for (int i = 0; i < parts.Count; i++)
            {
                TemporaryFile file = new(SplitSet.PartPath(prefix, i, parts.Count));
                files.Add(file);
                List<(string Key, object Value)> metadata = i == 0 ? [.. _keys.Select(key => (key, _values[key]))]
                    : _values.TryGetValue(GgufParser.AlignmentKey, out object? alignment) ? [(GgufParser.AlignmentKey, alignment)] : [];
                metadata.RemoveAll(entry => entry.Key is SplitSet.NumberKey or SplitSet.CountKey or SplitSet.TensorCountKey);
                metadata.Add((SplitSet.NumberKey, (ushort)i));
                metadata.Add((SplitSet.CountKey, (ushort)parts.Count));
                metadata.Add((SplitSet.TensorCountKey, _tensors.Count));
                GgufEncoder.Write(file.Stream, Version, Alignment, metadata, parts[i]);
                file.Close();
            }

            foreach (TemporaryFile file in files) file.Commit();
            return [.. files.Select(file => file.Path)];
        }
        finally
        {
            foreach (TemporaryFile file in files) file.Dispose();
        }
    }

    private List<List<PlannedTensor>> Divide(long largestPartBytes)
    {
        List<List<PlannedTensor>> parts = [[]];
        long used = 0;
        foreach (PlannedTensor tensor in _tensors)
        {
            if (parts[^1].Count != 0 && tensor.Bytes > largestPartBytes - used)
            {
                parts.Add([]);
                used = 0;
            }

            parts[^1].Add(tensor);
            used += Math.Min(tensor.Bytes, largestPartBytes);
        }

        return parts;
    }
}

/// <summary>A tensor to write.</summary>
internal sealed record PlannedTensor(string Name, GgmlType Type, ImmutableArray<long> Dimensions, long Bytes, Action<Stream> Write);
