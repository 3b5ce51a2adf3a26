using System.Globalization;
using System.Text.RegularExpressions;

namespace Quern.Gguf;

/// <summary>
/// A model in several files, as llama-gguf-split writes it: names end in <c>-00001-of-00003.gguf</c>; each part says <c>split.no</c> (from 0)
/// and <c>split.count</c>; the first has the metadata of the model and <c>split.tensors.count</c>, the number of tensors in all parts.
/// </summary>
internal sealed partial class SplitSet
{
    public const string NumberKey = "split.no";
    public const string CountKey = "split.count";
    public const string TensorCountKey = "split.tensors.count";

    /// <summary>What five digits hold.</summary>
    public const int MostParts = 99999;

    private readonly GgufPart _first;
    private readonly string _prefix;

    private SplitSet(GgufPart first, string prefix, int count)
    {
        _first = first;
        _prefix = prefix;
        Count = count;
    }

    /// <summary>The number of parts.</summary>
    public int Count { get; }

    /// <summary>The path of a part, counted from 0.</summary>
    public string PartPath(int index) => PartPath(_prefix, index, Count);

    public static string PartPath(string prefix, int index, int count) =>
        string.Create(CultureInfo.InvariantCulture, $"{prefix}-{index + 1:D5}-of-{count:D5}.gguf");

    /// <summary>The set that a file begins, or null where it stands alone.</summary>
    /// <param name="part">The file that was opened.</param>
    /// <param name="hasNeighbours">False for a file in memory.</param>
    public static SplitSet? Find(GgufPart part, bool hasNeighbours)
    {
        GgufMetadata metadata = new(part.Map.Path, part.Entries, part.ByKey);
        Match name = NamePattern().Match(part.Map.Path);
        int count = metadata.GetInt32Or(CountKey, 0);
        int number = metadata.GetInt32Or(NumberKey, 0);
        if (count is < 0 or > MostParts) throw Fail(part, CountKey, $"it is {count}; expected 0 to {MostParts}");
        if (count <= 1)
        {
            if (hasNeighbours && name.Success && name.Groups["count"].ValueSpan is not "00001")
                throw Fail(part, CountKey, $"the file's name says part {name.Groups["no"].Value} of {name.Groups["count"].Value}, its metadata does not; expected {CountKey}");
            return null;
        }

        if (number < 0 || number >= count) throw Fail(part, NumberKey, $"it is {number}; expected 0 to {count - 1}");
        if (!hasNeighbours) throw Fail(part, CountKey, $"this is one of {count} parts; a split set is opened by the path of its first part");
        if (!name.Success)
            throw Fail(part, CountKey, $"this is one of {count} parts; expected a file name that ends in {PartPath("", number, count)}");
        string prefix = name.Groups["prefix"].Value;
        if (number != 0)
            throw Fail(part, NumberKey, $"this is part {number + 1} of {count}; open the first part, {Path.GetFileName(PartPath(prefix, 0, count))}");
        return part.Map.Path == PartPath(prefix, 0, count)
            ? new SplitSet(part, prefix, count)
            : throw Fail(part, CountKey, $"this is part 1 of {count}; expected a file name that ends in {PartPath("", 0, count)}");
    }

    /// <summary>Checks that a part is the one that its name says, of this set.</summary>
    public void Check(GgufPart part, int index)
    {
        GgufMetadata metadata = new(part.Map.Path, part.Entries, part.ByKey);
        int number = metadata.GetInt32(NumberKey);
        if (number != index) throw Fail(part, NumberKey, $"it is {number}; expected {index}");
        int count = metadata.GetInt32(CountKey);
        if (count != Count) throw Fail(part, CountKey, $"it is {count}; the first part says {Count}");
    }

    /// <summary>Checks the number of tensors of all parts, where the first part says it.</summary>
    public void CheckTensorCount(int found)
    {
        long expected = new GgufMetadata(_first.Map.Path, _first.Entries, _first.ByKey).GetInt64Or(TensorCountKey, found);
        if (expected != found) throw Fail(_first, TensorCountKey, $"it is {expected}; the {Count} parts have {found} tensors");
    }

    private static GgufFormatException Fail(GgufPart part, string key, string problem) =>
        new(part.Map.Path, $"metadata key '{key}'", part.ByKey.TryGetValue(key, out GgufEntry? entry) ? entry.Offset : -1, problem);

    [GeneratedRegex(@"^(?<prefix>.*)-(?<no>[0-9]{5})-of-(?<count>[0-9]{5})\.gguf$", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex NamePattern();
}
