using System.Runtime.InteropServices;
using Quern.Gguf;
using Quern.Kernels.Cpu.Formats;

namespace Quern.ModelMaker;

/// <summary>
/// Writes a GGUF of a shape with random weights: what is multiplied is noise of the usual size, so that activations stay finite, and time, memory and file size are
/// those of the real model. Rows of a matrix are drawn from a pool of different random rows, because what costs time is quantising them.
/// </summary>
internal sealed class RandomModel(PublishedShape shape, WeightTypes types, int seed)
{
    private const int PoolRows = 512;
    private readonly Random _random = new(seed);
    private readonly Dictionary<(string Type, int Cols), byte[][]> _pools = [];

    /// <summary>Writes the file; <paramref name="progress"/> gets the name of each tensor.</summary>
    public void Write(string path, Action<string> progress)
    {
        GgufWriter writer = new();
        Describe(writer);
        ByteVocabulary.Write(writer, shape.Vocabulary, shape.PreTokenizer);
        List<(string Name, int Cols, int Rows)> tensors = [.. Tensors()];
        Func<string, int, string> typeOf = types.For(shape, tensors.Select(t => t.Name));
        foreach ((string name, int cols, int rows) in tensors)
        {
            long[] dimensions = rows == 0 ? [cols] : [cols, rows];
            WeightFormat format = FormatTable.Find(rows == 0 ? "F32" : typeOf(name, cols))!;
            writer.AddTensor(name, format.Info.TypeId, dimensions, stream =>
            {
                progress(name);
                if (rows == 0) stream.Write(MemoryMarshal.AsBytes<float>(Vector(name, cols)));
                else WriteRows(stream, format, cols, rows);
            });
        }

        writer.Write(path);
    }

    private void Describe(GgufWriter writer)
    {
        string a = shape.Architecture;
        writer.Set("general.architecture", a);
        writer.Set("general.name", $"{shape.Name} shape, random weights");
        if (types.FileType is { } fileType) writer.Set("general.file_type", (uint)fileType);
        writer.Set("general.quantization_version", 2u);
        writer.Set($"{a}.block_count", (uint)shape.Layers);
        writer.Set($"{a}.context_length", (uint)shape.Context);
        writer.Set($"{a}.embedding_length", (uint)shape.Width);
        writer.Set($"{a}.feed_forward_length", (uint)shape.Hidden);
        writer.Set($"{a}.attention.head_count", (uint)shape.Heads);
        writer.Set($"{a}.attention.head_count_kv", (uint)shape.KvHeads);
        writer.Set($"{a}.attention.layer_norm_rms_epsilon", 1e-5f);
        writer.Set($"{a}.rope.freq_base", shape.RopeBase);
        writer.Set($"{a}.rope.dimension_count", (uint)shape.HeadLength);
        writer.Set($"{a}.vocab_size", (uint)shape.Vocabulary);
    }

    private IEnumerable<(string Name, int Cols, int Rows)> Tensors()
    {
        int q = shape.Heads * shape.HeadLength, kv = shape.KvHeads * shape.HeadLength;
        yield return ("token_embd.weight", shape.Width, shape.Vocabulary);
        yield return ("output_norm.weight", shape.Width, 0);
        if (!shape.TiedOutput) yield return ("output.weight", shape.Width, shape.Vocabulary);
        if (shape.RopeFactors) yield return ("rope_freqs.weight", shape.HeadLength / 2, 0);
        for (int i = 0; i < shape.Layers; i++)
        {
            string b = $"blk.{i}.";
            yield return (b + "attn_norm.weight", shape.Width, 0);
            yield return (b + "attn_q.weight", shape.Width, q);
            yield return (b + "attn_k.weight", shape.Width, kv);
            yield return (b + "attn_v.weight", shape.Width, kv);
            if (shape.QkvBias)
            {
                yield return (b + "attn_q.bias", q, 0);
                yield return (b + "attn_k.bias", kv, 0);
                yield return (b + "attn_v.bias", kv, 0);
            }

            yield return (b + "attn_output.weight", q, shape.Width);
            yield return (b + "ffn_norm.weight", shape.Width, 0);
            yield return (b + "ffn_gate.weight", shape.Width, shape.Hidden);
            yield return (b + "ffn_up.weight", shape.Width, shape.Hidden);
            yield return (b + "ffn_down.weight", shape.Hidden, shape.Width);
        }
    }

    private float[] Vector(string name, int length)
    {
        float[] values = new float[length];
        if (name.StartsWith("rope_freqs", StringComparison.Ordinal)) FillRopeFactors(values);
        else if (name.EndsWith(".bias", StringComparison.Ordinal)) Fill(values, 0.1);
        else Array.Fill(values, 1f);
        return values;
    }

    // Llama 3.2's divisors: 1 for short waves, 32 for long ones, a ramp between, by the rule of its config (low 1, high 4, original context 8192).
    private void FillRopeFactors(float[] values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            double wavelength = 2 * Math.PI * Math.Pow(shape.RopeBase, (double)i / values.Length), turns = 8192 / wavelength;
            double smooth = Math.Clamp((turns - 1) / 3, 0, 1);
            values[i] = (float)(1 / (((1 - smooth) / 32) + smooth));
        }
    }

    private void WriteRows(Stream stream, WeightFormat format, int cols, int rows)
    {
        byte[][] pool = Pool(format, cols);
        for (int row = 0; row < rows; row++) stream.Write(pool[_random.Next(pool.Length)]);
    }

    private byte[][] Pool(WeightFormat format, int cols)
    {
        if (_pools.TryGetValue((format.Info.Name, cols), out byte[][]? pool)) return pool;
        pool = new byte[PoolRows][];
        float[] values = new float[cols];
        for (int i = 0; i < PoolRows; i++)
        {
            Fill(values, 1 / Math.Sqrt(cols));
            pool[i] = new byte[format.Info.RowBytes(cols)];
            format.Quantize(values, [], pool[i]);
        }

        _pools.Add((format.Info.Name, cols), pool);
        return pool;
    }

    // Normal values by Box and Muller 1958.
    private void Fill(float[] values, double deviation)
    {
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)(deviation * Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble()));
    }
}
