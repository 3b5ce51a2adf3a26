namespace Quern.Gguf;

/// <summary>Finds the bytes of each tensor: inside the file, and no two on the same bytes.</summary>
internal static class TensorPlacement
{
    /// <param name="map">The file.</param>
    /// <param name="partIndex">Which file of a split set this is.</param>
    /// <param name="entries">The tensor entries, in the order of the file.</param>
    /// <param name="headerEnd">Where the last tensor entry ends.</param>
    /// <param name="alignment">The tensor data begins at the next multiple of this.</param>
    public static IReadOnlyList<GgufTensor> Place(FileMap map, int partIndex, List<TensorEntry> entries, long headerEnd, int alignment)
    {
        long dataStart = (headerEnd + alignment - 1) / alignment * alignment;
        GgufTensor[] tensors = new GgufTensor[entries.Count];
        for (int i = 0; i < tensors.Length; i++)
        {
            TensorEntry entry = entries[i];
            long bytes = entry.Type.Bytes(entry.ElementCount);
            UInt128 end = (UInt128)dataStart + entry.Offset + (ulong)bytes;
            if (end > (UInt128)map.Length)
                throw Fail(map, entry, $"its {bytes} bytes end at {end}; the file has {map.Length}: it is truncated or damaged");
            tensors[i] = new GgufTensor(map, partIndex, entry.Name, entry.Type, entry.Dimensions, entry.ElementCount, dataStart + (long)entry.Offset);
        }

        RefuseOverlap(map, entries, tensors);
        return tensors;
    }

    private static void RefuseOverlap(FileMap map, List<TensorEntry> entries, GgufTensor[] tensors)
    {
        int[] order = new int[tensors.Length];
        bool sorted = true;
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
            sorted &= i == 0 || tensors[i].Offset > tensors[i - 1].Offset;
        }

        if (!sorted) Array.Sort(order, (a, b) => tensors[a].Offset.CompareTo(tensors[b].Offset));
        for (int i = 1; i < order.Length; i++)
        {
            GgufTensor before = tensors[order[i - 1]];
            if (before.Offset + before.ByteLength > tensors[order[i]].Offset)
                throw Fail(map, entries[order[i]], $"its data overlaps that of {GgufFormatException.Quote(before.Name)}");
        }
    }

    private static GgufFormatException Fail(FileMap map, TensorEntry entry, string problem) =>
        new(map.Path, $"tensor {GgufFormatException.Quote(entry.Name)}", entry.EntryOffset, problem);
}
