using System.Runtime.InteropServices;
using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Models.Parts;

/// <summary>
/// Hands the tensors of a file to a back end, by name, and refuses what an architecture does not expect: a tensor that is missing, has
/// another shape or an unknown format, and at the end tensors that nobody asked for. Shapes are written as GGUF does, the input's length first.
/// </summary>
internal sealed class WeightBinder(GgufFile file, Backend backend, IProgress<LoadProgress>? progress)
{
    private const int MostNames = 5;

    /// <summary>Tensors that llama.cpp's converter writes or wrote once and no architecture reads, not even in its authors' code, or reads only for some context lengths.</summary>
    private static readonly string[] Harmless = ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight", "attn_rot_embd", "cross_attn_rel_b.weight"];

    private readonly HashSet<string> _bound = new(StringComparer.Ordinal);
    private readonly long _fileBytes = file.Tensors.Sum(tensor => tensor.ByteLength);
    private WeightBinder? _all;
    private string _prefix = "";

    /// <summary>Bytes of the tensors bound.</summary>
    public long WeightBytes { get; private set; }

    public bool Has(string name) => file.TryGetTensor(_prefix + name, out _);

    /// <summary>The tensors whose names begin with a prefix, by what is behind it: those of one of two stacks of layers.</summary>
    public WeightBinder Below(string prefix) => new(file, backend, progress) { _all = this, _prefix = prefix };

    /// <summary>A matrix <c>[rows, cols]</c>.</summary>
    public WeightMatrix Matrix(string name, int rows, int cols) => Stack(1, rows, cols, Find(name, [cols, rows]), MatrixUse.Product);

    /// <summary>A matrix <c>[rows, cols]</c> whose rows are only looked up.</summary>
    public WeightMatrix Table(string name, int rows, int cols) => Stack(1, rows, cols, Find(name, [cols, rows]), MatrixUse.Lookup);

    /// <summary>The same, or null where the file lacks the tensor.</summary>
    public WeightMatrix? MatrixIfPresent(string name, int rows, int cols) => Has(name) ? Matrix(name, rows, cols) : null;

    /// <summary>A matrix <c>[any, cols]</c>.</summary>
    public WeightMatrix MatrixOfAnyRows(string name, int cols)
    {
        int rows = file.TryGetTensor(_prefix + name, out GgufTensor? tensor) && tensor.Dimensions.Length > 1 ? checked((int)tensor.Dimensions[1]) : 1;
        return Matrix(name, rows, cols);
    }

    /// <summary>The matrices of all experts: <c>[experts, rows, cols]</c>.</summary>
    public WeightMatrix Experts(string name, int experts, int rows, int cols) => Stack(experts, rows, cols, Find(name, [cols, rows, experts]), MatrixUse.Product);

    /// <summary>The matrices of all heads: <c>[heads, rows, cols]</c>.</summary>
    public WeightMatrix Heads(string name, int heads, int rows, int cols) => Stack(heads, rows, cols, Find(name, [cols, rows, heads]), MatrixUse.Product);

    /// <summary>A vector.</summary>
    public WeightVector Vector(string name, int length) => Vector(Find(name, [length]), length);

    /// <summary>Vectors of all heads or experts: <c>[count, length]</c>.</summary>
    public WeightVector Vectors(string name, int count, int length) => Vector(Find(name, [length, count]), checked(count * length));

    /// <summary>A bias that the file must have, or one that it may lack.</summary>
    public WeightVector? Bias(string name, int length, bool required) => required || Has(name) ? Vector(name, length) : null;

    /// <summary>The same for the biases of all experts: <c>[count, length]</c>.</summary>
    public WeightVector? Biases(string name, int count, int length, bool required) => required || Has(name) ? Vectors(name, count, length) : null;

    /// <summary>The same, or null where the file lacks the tensor.</summary>
    public WeightVector? VectorIfPresent(string name, int length) => Has(name) ? Vector(name, length) : null;

    /// <summary>The first row of a matrix <c>[any, cols]</c>, or null where the file lacks it.</summary>
    public WeightVector? FirstRowIfPresent(string name, int cols)
    {
        if (!file.TryGetTensor(_prefix + name, out GgufTensor? tensor)) return null;
        return Vector(Find(name, [cols, tensor.Dimensions.Length > 1 ? tensor.Dimensions[1] : 1]), cols);
    }

    /// <summary>The values of a tensor that is needed only while the model is loaded, or null where the file lacks it.</summary>
    public float[]? ValuesIfPresent(string name, int length)
    {
        return Has(name) ? Values(Find(name, [length]), length) : null;
    }

    /// <summary>The same of a matrix <c>[rows, cols]</c>, which may come under either of two names.</summary>
    public float[] Values(string name, string otherwise, int rows, int cols) => Values(Find(Has(name) ? name : otherwise, [cols, rows]), checked(rows * cols));

    /// <summary>A vector of values that were computed from others.</summary>
    public WeightVector Computed(string name, float[] values)
    {
        // A back end keeps vectors in memory of its own.
        GCHandle pinned = GCHandle.Alloc(values, GCHandleType.Pinned);
        try
        {
            return backend.BindVector(_prefix + name, FormatTable.Find("F32")!, values.Length, pinned.AddrOfPinnedObject());
        }
        finally
        {
            pinned.Free();
        }
    }

    /// <summary>Checks that every tensor was bound.</summary>
    /// <exception cref="ModelFormatException">Tensors are left over: the file is of another architecture than it says, or of a newer variant.</exception>
    public void Finish(string architecture)
    {
        string[] unused = [.. file.Tensors.Select(tensor => tensor.Name).Where(name => !_bound.Contains(name) && !IsHarmless(name))];
        if (unused.Length == 0) return;
        string names = string.Join(", ", unused.Take(MostNames).Select(name => $"'{name}'"));
        string more = unused.Length > MostNames ? $" and {unused.Length - MostNames} more" : "";
        throw new ModelFormatException(file.Path, "tensors", $"{architecture} has no use for {names}{more}; the model would compute something else");
    }

    /// <summary>An error about a key that an architecture needs and the file lacks.</summary>
    public ModelFormatException Lacks(string suffix) => KeyError(suffix, "the file does not have it");

    /// <summary>An error about a key of the architecture.</summary>
    public ModelFormatException KeyError(string suffix, string problem) =>
        new(file.Path, $"metadata key '{file.Metadata.GetString("general.architecture")}.{suffix}'", problem);

    private static bool IsHarmless(string name)
    {
        foreach (string harmless in Harmless)
            if (name.Contains(harmless, StringComparison.Ordinal)) return true;
        return false;
    }

    private GgufTensor Find(string name, ReadOnlySpan<long> expected)
    {
        name = _prefix + name;
        string shape = $"[{string.Join(", ", expected.ToArray())}]";
        if (!file.TryGetTensor(name, out GgufTensor? tensor)) throw Error(name, $"the file does not have it; expected the shape {shape}");

        // A dimension of 1 behind the first may be written or left out.
        ReadOnlySpan<long> found = tensor.Dimensions.AsSpan();
        return found[0] == expected[0] && Long(found).SequenceEqual(Long(expected))
            ? tensor
            : throw Error(name, $"its shape is [{string.Join(", ", tensor.Dimensions)}]; expected {shape}");
    }

    private static IEnumerable<long> Long(ReadOnlySpan<long> dimensions) => dimensions[1..].ToArray().Where(dimension => dimension != 1);

    private WeightVector Vector(GgufTensor tensor, int length)
    {
        WeightVector vector = backend.BindVector(tensor.Name, Format(tensor), length, tensor.Address);
        Bound(tensor);
        return vector;
    }

    private WeightMatrix Stack(int count, int rows, int cols, GgufTensor tensor, MatrixUse use)
    {
        WeightFormat format = Format(tensor);
        bool copies = backend.Copies(format, cols, use);
        if (copies) tensor.Populate();
        WeightMatrix matrix = backend.BindMatrix(tensor.Name, format, count, rows, cols, tensor.Address, use);
        if (copies) tensor.Release();
        Bound(tensor);
        return matrix;
    }

    private float[] Values(GgufTensor tensor, int length)
    {
        float[] values = new float[length];
        Format(tensor).Decode(tensor.Address, values);
        Bound(tensor);
        return values;
    }

    private WeightFormat Format(GgufTensor tensor) => FormatTable.Find(tensor.TypeId)
        ?? throw Error(tensor.Name, $"its type is {tensor.TypeName}; expected one of {string.Join(", ", FormatTable.All.Select(format => format.Info.Name))}");

    private void Bound(GgufTensor tensor)
    {
        if (_all is not null)
        {
            _all.Bound(tensor);
            return;
        }

        if (!_bound.Add(tensor.Name)) return;
        WeightBytes += tensor.ByteLength;
        progress?.Report(new LoadProgress(_bound.Count, file.Tensors.Count, WeightBytes, _fileBytes));
    }

    private ModelFormatException Error(string name, string problem) => new(file.Path, $"tensor '{name}'", problem);
}
