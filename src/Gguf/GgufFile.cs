using System.Diagnostics.CodeAnalysis;

namespace Quern.Gguf;

/// <summary>
/// A GGUF file of version 2 or 3, or all parts of a split one, mapped into memory. Opening reads and checks the header; the tensors' bytes
/// are left to the operating system. Keep the object while addresses of tensors are in use. The file must not be shortened while it is mapped.
/// Source: ggml/docs/gguf.md.
/// </summary>
public sealed class GgufFile : IDisposable
{
    private readonly IReadOnlyList<GgufPart> _parts;
    private readonly Dictionary<string, GgufTensor> _byName;

    private GgufFile(IReadOnlyList<GgufPart> parts, IReadOnlyList<GgufTensor> tensors, Dictionary<string, GgufTensor> byName)
    {
        _parts = parts;
        _byName = byName;
        Tensors = tensors;
        Metadata = new GgufMetadata(Path, parts[0].Entries, parts[0].ByKey);
    }

    /// <summary>The path that was opened: the first part of a split set.</summary>
    public string Path => _parts[0].Map.Path;

    /// <summary>The paths of all parts; one for a file that is not split.</summary>
    public IReadOnlyList<string> PartPaths => [.. _parts.Select(part => part.Map.Path)];

    /// <summary>The version of the format, 2 or 3.</summary>
    public int Version => _parts[0].Version;

    /// <summary>Tensors begin at multiples of so many bytes.</summary>
    public int Alignment => _parts[0].Alignment;

    /// <summary>The metadata, of the first part where there are several.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The tensors, in the order of the files.</summary>
    public IReadOnlyList<GgufTensor> Tensors { get; }

    /// <summary>Bytes of all parts.</summary>
    public long FileBytes => _parts.Sum(part => part.Map.Length);

    /// <summary>
    /// Maps a file and checks its header. Given the first file of a split set (<c>-00001-of-00003</c>), it opens all parts, which lie beside it.
    /// </summary>
    /// <exception cref="GgufFormatException">The file is no GGUF file, is damaged, or its parts do not belong together.</exception>
    /// <exception cref="FileNotFoundException">There is no such file, or a part is missing.</exception>
    /// <exception cref="IOException">The path is a folder, or the file cannot be opened.</exception>
    public static GgufFile Open(string path) => Assemble(FileMap.Open(path), partPath: FileMap.Open);

    /// <summary>Reads a GGUF file that is in memory: the bytes are copied. Split sets cannot be read this way.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="name">What to call it in errors.</param>
    /// <exception cref="GgufFormatException">The bytes are no GGUF file, or damaged.</exception>
    public static GgufFile FromBytes(ReadOnlySpan<byte> bytes, string name) => Assemble(FileMap.Copy(bytes, name), partPath: null);

    /// <summary>Reads a GGUF file from memory of the caller, who keeps it until the result is disposed.</summary>
    internal static GgufFile Parse(nint address, long length, string name) => Assemble(FileMap.Borrow(address, length, name), partPath: null);

    /// <summary>The tensor with a name.</summary>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out GgufTensor? tensor) => _byName.TryGetValue(name, out tensor);

    /// <summary>Unmaps the files: addresses of tensors are invalid from here on.</summary>
    public void Dispose()
    {
        foreach (GgufPart part in _parts) part.Map.Dispose();
    }

    private static GgufFile Assemble(FileMap first, Func<string, FileMap>? partPath)
    {
        List<FileMap> maps = [first];
        try
        {
            GgufPart head = GgufParser.Parse(first, 0);
            List<GgufPart> parts = [head];
            SplitSet? set = SplitSet.Find(head, hasNeighbours: partPath is not null);
            for (int i = 1; set is not null && i < set.Count; i++)
            {
                maps.Add(partPath!(set.PartPath(i)));
                GgufPart part = GgufParser.Parse(maps[i], i);
                set.Check(part, i);
                parts.Add(part);
            }

            List<GgufTensor> tensors = parts.Count == 1 ? [.. head.Tensors] : [.. parts.SelectMany(part => part.Tensors)];
            Dictionary<string, GgufTensor> byName = new(tensors.Count, StringComparer.Ordinal);
            foreach (GgufTensor tensor in tensors)
                if (!byName.TryAdd(tensor.Name, tensor))
                    throw new GgufFormatException(
                        maps[tensor.Part].Path, $"tensor {GgufFormatException.Quote(tensor.Name)}", -1,
                        $"part {byName[tensor.Name].Part + 1} of the split set has it already");
            set?.CheckTensorCount(tensors.Count);
            return new GgufFile(parts, tensors, byName);
        }
        catch
        {
            foreach (FileMap map in maps) map.Dispose();
            throw;
        }
    }
}
