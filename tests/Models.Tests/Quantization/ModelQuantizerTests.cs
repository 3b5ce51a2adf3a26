using System.Runtime.InteropServices;
using Quern.Gguf;
using Quern.Kernels.Cpu.Formats;
using Quern.Models.Quantization;

namespace Quern.Models.Tests.Quantization;

public sealed class ModelQuantizerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("quern-quantize-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string> Mixes => [.. QuantizationTable.All.Select(mix => mix.Name)];

    [Theory]
    [MemberData(nameof(Mixes))]
    public void Every_mix_writes_a_file_with_the_types_of_its_plan_and_values_close_to_the_source(string mix)
    {
        using GgufFile source = GgufFile.Open(Source());
        ModelQuantizer quantizer = Quantizer(source, mix);
        string path = Path.Combine(_folder, "out.gguf");
        quantizer.Write(path);
        using GgufFile result = GgufFile.Open(path);
        Assert.Equal((uint)QuantizationTable.Find(mix)!.FileType, result.Metadata.GetUInt32("general.file_type"));
        Assert.Equal("kept", result.Metadata.GetString("general.name"));
        IReadOnlyList<TensorPlan> plans = quantizer.Plan();
        for (int i = 0; i < plans.Count; i++)
        {
            GgufTensor tensor = result.Tensors[i];
            Assert.Equal((plans[i].Name, plans[i].To, plans[i].Bytes), (tensor.Name, tensor.TypeName, tensor.ByteLength));
            float[] expected = Values(source.Tensors[i]);
            float[] got = Values(tensor);
            double error = Math.Sqrt(expected.Zip(got, (a, b) => (double)(a - b) * (a - b)).Sum() / expected.Sum(a => (double)a * a));
            // Two bits of uniform random values lose about a third of their energy at most.
            Assert.InRange(error, 0, tensor.TypeName == "F32" ? 0 : tensor.TypeName is "F16" or "BF16" ? 0.004 : tensor.TypeName == "Q2_K" ? 0.4 : 0.25);
        }

        Assert.Equal("F32", result.Tensors.Single(tensor => tensor.Name == "output_norm.weight").TypeName);
    }

    [Fact]
    public void The_number_of_threads_does_not_change_a_byte()
    {
        using GgufFile source = GgufFile.Open(Source());
        foreach (int threads in new[] { 1, 3 })
            new ModelQuantizer(source, Recipe(source, "Q4_K_M")) { Threads = threads }.Write(Path.Combine(_folder, $"{threads}.gguf"));
        Assert.Equal(File.ReadAllBytes(Path.Combine(_folder, "1.gguf")), File.ReadAllBytes(Path.Combine(_folder, "3.gguf")));
    }

    [Fact]
    public void Quantised_weights_are_quantised_again_only_on_request()
    {
        using GgufFile source = GgufFile.Open(Source());
        string once = Path.Combine(_folder, "once.gguf");
        Quantizer(source, "Q8_0").Write(once);
        using GgufFile quantised = GgufFile.Open(once);
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(() => Quantizer(quantised, "Q4_0").Plan());
        Assert.Contains("is Q8_0 already", e.Message, StringComparison.Ordinal);
        Assert.Contains("--allow-requantize", e.Message, StringComparison.Ordinal);
        string twice = Path.Combine(_folder, "twice.gguf");
        new ModelQuantizer(quantised, Recipe(quantised, "Q4_0")) { AllowRequantize = true }.Write(twice);
        using GgufFile result = GgufFile.Open(twice);
        Assert.Contains(result.Tensors, tensor => tensor.TypeName == "Q4_0");
    }

    [Fact]
    public void A_weight_that_is_no_number_is_refused_by_name_and_place()
    {
        using GgufFile source = GgufFile.Open(Source(poison: (3 * 256) + 7));
        string path = Path.Combine(_folder, "poisoned.gguf");
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(() => Quantizer(source, "Q8_0").Write(path));
        Assert.Contains("'blk.0.attn_q.weight' holds NaN in row 3, column 7", e.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void Cancelling_leaves_nothing_behind()
    {
        using GgufFile source = GgufFile.Open(Source());
        string path = Path.Combine(_folder, "cancelled.gguf");
        string[] before = Directory.GetFiles(_folder);
        using CancellationTokenSource cancel = new();
        Assert.ThrowsAny<OperationCanceledException>(() => Quantizer(source, "Q8_0").Write(path, new CancelAt(cancel, 2), cancel.Token));
        Assert.Equal(before, Directory.GetFiles(_folder));
    }

    [Fact]
    public void Progress_only_grows()
    {
        using GgufFile source = GgufFile.Open(Source());
        Fractions progress = new();
        Quantizer(source, "Q4_K_M").Write(Path.Combine(_folder, "out.gguf"), progress);
        Assert.Equal(source.Tensors.Count, progress.Values.Count);
        Assert.Equal(progress.Values.Order(), progress.Values);
        Assert.All(progress.Values, value => Assert.InRange(value, 0, 1));
    }

    private string Source(int? poison = null)
    {
        Random random = new(8);
        GgufWriter writer = new();
        writer.Set("general.architecture", "llama");
        writer.Set("general.name", "kept");
        writer.Set("llama.block_count", 1u);
        writer.Set("llama.attention.head_count", 4u);
        void Add(string name, params long[] dimensions)
        {
            float[] values = new float[dimensions.Aggregate(1L, (a, b) => a * b)];
            for (int i = 0; i < values.Length; i++) values[i] = (float)(random.NextDouble() - 0.5);
            if (poison is int at && name == "blk.0.attn_q.weight") values[at] = float.NaN;
            writer.AddTensor(name, 0, dimensions, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
        }

        Add("token_embd.weight", 256, 20);
        Add("blk.0.attn_norm.weight", 256);
        Add("blk.0.attn_q.weight", 256, 9);
        Add("blk.0.attn_v.weight", 256, 9);
        Add("blk.0.ffn_down.weight", 96, 8);
        Add("blk.0.ffn_down_exps.weight", 256, 4, 3);
        Add("blk.0.ffn_up.weight", 250, 4);
        Add("output_norm.weight", 256);
        Add("output.weight", 256, 20);
        string path = Path.Combine(_folder, "source.gguf");
        writer.Write(path);
        return path;
    }

    private static ModelQuantizer Quantizer(GgufFile source, string mix) => new(source, Recipe(source, mix));

    private static QuantizationRecipe Recipe(GgufFile source, string mix) =>
        new(QuantizationTable.Find(mix)!, ModelShape.Of(source), source.Tensors.Select(tensor => tensor.Name));

    private static float[] Values(GgufTensor tensor)
    {
        float[] values = new float[tensor.ElementCount];
        FormatTable.Find(tensor.TypeId)!.Decode(tensor.Address, values);
        return values;
    }

    private sealed class CancelAt(CancellationTokenSource cancel, int index) : IProgress<QuantizationProgress>
    {
        public void Report(QuantizationProgress value)
        {
            if (value.Index == index) cancel.Cancel();
        }
    }

    private sealed class Fractions : IProgress<QuantizationProgress>
    {
        public List<double> Values { get; } = [];

        public void Report(QuantizationProgress value) => Values.Add(value.Fraction);
    }
}
