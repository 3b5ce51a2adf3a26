using Quern.Kernels.Cpu.Formats;
using Quern.Models.Quantization;

namespace Quern.ModelMaker;

/// <summary>Which type each matrix gets: a mix as <c>quern quantize</c> knows it, or one weight format for all.</summary>
internal sealed class WeightTypes
{
    private readonly QuantizationMix? _mix;
    private readonly WeightFormat? _format;

    private WeightTypes(QuantizationMix? mix, WeightFormat? format) => (_mix, _format) = (mix, format);

    /// <summary>All names, mixes first.</summary>
    public static IEnumerable<string> Names => QuantizationTable.All.Select(mix => mix.Name).Union(FormatTable.All.Select(format => format.Info.Name));

    /// <summary>The mix's name, or the format's.</summary>
    public string Name => _mix?.Name ?? _format!.Info.Name;

    /// <summary>What <c>general.file_type</c> says, or null where it has no number for this.</summary>
    public int? FileType => _mix?.FileType;

    /// <summary>The types with a name, or null.</summary>
    public static WeightTypes? Find(string name) =>
        QuantizationTable.Find(name) is { } mix ? new WeightTypes(mix, null) : FormatTable.Find(name) is { } format ? new WeightTypes(null, format) : null;

    /// <summary>The type of a matrix by its name and the length of its rows; rows that are no multiple of a block are F16.</summary>
    public Func<string, int, string> For(PublishedShape shape, IEnumerable<string> tensors)
    {
        if (_format is not null) return (_, cols) => cols % _format.Info.BlockLength == 0 ? _format.Info.Name : "F16";
        QuantizationRecipe recipe = new(_mix!, new ModelShape(shape.Architecture, shape.Layers, shape.Heads, shape.KvHeads, 0, shape.TiedOutput), tensors);
        return (name, cols) => recipe.Choose(name, "F32", [cols, cols]).Type; // how many rows there are makes no difference
    }
}
