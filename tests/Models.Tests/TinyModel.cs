using Quern.Gguf;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Models.Tests;

/// <summary>A small model file with random weights, made in memory. Change <see cref="Metadata"/> and <see cref="Tensors"/> before it is opened.</summary>
public sealed class TinyModel
{
    public const int Width = 32, Heads = 4, KvHeads = 2, HeadLength = 8, FeedForward = 48, Vocabulary = 64, Layers = 3, Context = 256;
    public const int Experts = 5, ExpertsUsed = 2, ExpertFeedForward = 24;
    private readonly Random _random;
    private readonly string _architecture;

    public TinyModel(string architecture, int seed = 1)
    {
        (_architecture, _random) = (architecture, new Random(seed));
        Metadata["general.architecture"] = architecture;
        Set("context_length", (uint)Context);
        Set("embedding_length", (uint)Width);
        Set("block_count", (uint)Layers);
        Set("feed_forward_length", (uint)FeedForward);
        Set("attention.head_count", (uint)Heads);
        Set("attention.head_count_kv", (uint)KvHeads);
        Set("attention.layer_norm_rms_epsilon", 1e-5f);
        Matrix("token_embd.weight", Vocabulary, Width);
        Gain("output_norm.weight", Width);
        for (int layer = 0; layer < Layers; layer++) AddLayer($"blk.{layer}.");
    }

    /// <summary>Metadata by key; the type of a value is the type in the file.</summary>
    public Dictionary<string, object> Metadata { get; } = [];

    /// <summary>Tensors by name: the shape as GGUF writes it, and the values.</summary>
    public Dictionary<string, (long[] Shape, float[] Values)> Tensors { get; } = [];

    /// <summary>The ggml type of every tensor that is not stored as binary32, by name; of a type without a format the bytes mean nothing.</summary>
    public Dictionary<string, int> OtherTypes { get; } = [];

    /// <summary>Sets a key of the architecture.</summary>
    public void Set(string suffix, object value) => Metadata[$"{_architecture}.{suffix}"] = value;

    public void Matrix(string name, int rows, int cols, int count = 1) =>
        Add(name, count == 1 ? [cols, rows] : [cols, rows, count], rows * cols * count, 0, 1 / Math.Sqrt(cols));

    public void Gain(string name, int length) => Add(name, [length], length, 1, 0.2);

    public void Bias(string name, int length) => Add(name, [length], length, 0, 0.3);

    /// <summary>Stores every matrix whose rows are whole blocks in a format.</summary>
    public TinyModel Quantise(WeightFormat format)
    {
        foreach ((string name, (long[] shape, float[] _)) in Tensors)
            if (shape.Length > 1 && shape[0] % format.Info.BlockLength == 0) OtherTypes[name] = format.Info.TypeId;
        return this;
    }

    public GgufFile Open()
    {
        GgufWriter writer = new();
        foreach ((string key, object value) in Metadata) writer.Set(key, value);
        foreach ((string name, (long[] shape, float[] values)) in Tensors)
        {
            int type = OtherTypes.GetValueOrDefault(name);
            byte[] bytes = new byte[GgmlTypes.Find(type)!.Bytes(values.Length)];
            FormatTable.Find(type)?.Quantize(values, [], bytes);
            writer.AddTensor(name, type, shape, bytes);
        }

        using MemoryStream stream = new();
        writer.Write(stream);
        return GgufFile.FromBytes(stream.ToArray(), "tiny.gguf");
    }

    private void AddLayer(string prefix)
    {
        Gain(prefix + "attn_norm.weight", Width);
        Gain(prefix + "ffn_norm.weight", Width);
        Matrix(prefix + "attn_output.weight", Width, Heads * HeadLength);
        bool fused = _architecture == "phi3", experts = _architecture == "qwen3moe";
        if (fused)
        {
            Matrix(prefix + "attn_qkv.weight", (Heads + (2 * KvHeads)) * HeadLength, Width);
            Matrix(prefix + "ffn_up.weight", 2 * FeedForward, Width);
        }
        else
        {
            Matrix(prefix + "attn_q.weight", Heads * HeadLength, Width);
            Matrix(prefix + "attn_k.weight", KvHeads * HeadLength, Width);
            Matrix(prefix + "attn_v.weight", KvHeads * HeadLength, Width);
        }

        if (!fused && !experts)
        {
            Matrix(prefix + "ffn_gate.weight", FeedForward, Width);
            Matrix(prefix + "ffn_up.weight", FeedForward, Width);
        }

        if (experts) AddExperts(prefix);
        else Matrix(prefix + "ffn_down.weight", Width, FeedForward);
        AddExtras(prefix);
    }

    private void AddExperts(string prefix)
    {
        Set("expert_count", (uint)Experts);
        Set("expert_used_count", (uint)ExpertsUsed);
        Set("expert_feed_forward_length", (uint)ExpertFeedForward);
        Matrix(prefix + "ffn_gate_inp.weight", Experts, Width);
        Matrix(prefix + "ffn_gate_exps.weight", ExpertFeedForward, Width, Experts);
        Matrix(prefix + "ffn_up_exps.weight", ExpertFeedForward, Width, Experts);
        Matrix(prefix + "ffn_down_exps.weight", Width, ExpertFeedForward, Experts);
    }

    private void AddExtras(string prefix)
    {
        if (_architecture == "qwen2")
        {
            Bias(prefix + "attn_q.bias", Heads * HeadLength);
            Bias(prefix + "attn_k.bias", KvHeads * HeadLength);
            Bias(prefix + "attn_v.bias", KvHeads * HeadLength);
        }

        if (_architecture is "qwen3" or "qwen3moe" or "gemma3")
        {
            Gain(prefix + "attn_q_norm.weight", HeadLength);
            Gain(prefix + "attn_k_norm.weight", HeadLength);
        }

        if (_architecture is not ("gemma2" or "gemma3")) return;
        Set("attention.sliding_window", 6u);
        Gain(prefix + "post_attention_norm.weight", Width);
        Gain(prefix + "post_ffw_norm.weight", Width);
    }

    private void Add(string name, long[] shape, int count, double mean, double deviation)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            // Box and Muller's normal deviate.
            double normal = Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
            values[i] = (float)(mean + (deviation * normal));
        }

        Tensors[name] = (shape, values);
    }
}
