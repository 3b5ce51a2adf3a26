namespace Quern.Gguf;

/// <summary>One file, read: the whole of a model, or a part of a split set.</summary>
internal sealed record GgufPart(
    FileMap Map, int Version, int Alignment, IReadOnlyList<GgufEntry> Entries, Dictionary<string, GgufEntry> ByKey, IReadOnlyList<GgufTensor> Tensors);
