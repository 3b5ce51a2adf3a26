using Quern.Gguf;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Models.Tests;

/// <summary>A small model file with random weights, made in memory. Change <see cref="Metadata"/> and <see cref="Tensors"/> before it is opened.</summary>
public sealed class TinyModel
{
    public const int Width = 32, Heads = 4, KvHeads = 2, HeadLength = 8, FeedForward = 48, Vocabulary = 64, Layers = 3, Context = 256;
    public const int Experts = 5, ExpertsUsed = 2, ExpertFeedForward = 24, SharedFeedForward = 40;
    public const int Buckets = 8;
    public const int QueryRank = 20, Rank = 12, Turned = 4;
    public const int Inner = 40, Taps = 4, State = 16;
    private readonly Random _random;
    private readonly string _architecture;
    private readonly TinyTraits _traits;

    public TinyModel(string architecture, int seed = 1)
    {
        (_architecture, _traits, _random) = (architecture, TinyTraits.Of(architecture), new Random(seed));
        Metadata["general.architecture"] = architecture;
        Set("context_length", (uint)Context);
        Set("embedding_length", (uint)Width);
        Set("block_count", (uint)Layers);
        Set("feed_forward_length", (uint)FeedForward);
        Set("attention.head_count", (uint)Heads);
        Set("attention.head_count_kv", (uint)KvHeads);
        Set("attention.layer_norm_rms_epsilon", 1e-5f);
        Matrix("token_embd.weight", Vocabulary, Width);
        foreach ((string key, object value) in _traits.Keys) Set(key, value);
        if (_traits.Task == ModelTask.EncoderDecoder)
        {
            AddStack("enc.", crosses: false);
            AddStack("dec.", crosses: true);
            return;
        }

        if (_traits.Task == ModelTask.Encoder) Matrix("token_types.weight", 2, Width);
        else Norm("output_norm");
        if (_traits.Positions) Matrix("position_embd.weight", Context, Width);
        if (_traits.EmbeddingNorm) Norm("token_embd_norm");
        if (_traits.LogitBias) Bias("output.bias", Vocabulary);
        for (int layer = 0; layer < Layers; layer++) AddLayer(layer);
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

    private void AddStack(string stack, bool crosses)
    {
        Norm(stack + "output_norm");
        for (int layer = 0; layer < Layers; layer++)
        {
            string prefix = $"{stack}blk.{layer}.";
            if (layer == 0) Matrix(prefix + "attn_rel_b.weight", Buckets, Heads);
            foreach (string attention in crosses ? ["attn", "cross_attn"] : new[] { "attn" })
            {
                Norm($"{prefix}{attention}_norm");
                Matrix($"{prefix}{attention}_q.weight", Heads * HeadLength, Width);
                Matrix($"{prefix}{attention}_k.weight", KvHeads * HeadLength, Width);
                Matrix($"{prefix}{attention}_v.weight", KvHeads * HeadLength, Width);
                Matrix($"{prefix}{attention}_o.weight", Width, Heads * HeadLength);
            }

            Norm(prefix + "ffn_norm");
            AddFeedForward(prefix + "ffn_", "", TinyFeedForward.Gated, FeedForward);
        }
    }

    private void AddLayer(int layer)
    {
        string prefix = $"blk.{layer}.";
        foreach (string norm in _traits.Norms) Norm(prefix + norm);
        switch (_traits.Mixing)
        {
            case TinyMixing.Latent:
                AddLatentAttention(prefix + "attn_");
                break;
            case TinyMixing.StateSpace:
                AddStateSpace(prefix + "ssm_");
                break;
            case TinyMixing.TimeMix:
                AddTimeMix(prefix + "time_mix_");
                AddChannelMix(prefix + "channel_mix_");
                break;
            default:
                AddAttention(prefix + "attn_");
                break;
        }

        TinyFeedForward kind = layer < _traits.DenseLayers ? TinyFeedForward.Gated : _traits.FeedForward;
        if (kind == TinyFeedForward.Experts) AddExperts(prefix + "ffn_");
        else if (kind != TinyFeedForward.None) AddFeedForward(prefix + "ffn_", "", kind, FeedForward);
    }

    private void AddAttention(string prefix)
    {
        int queries = Heads * HeadLength, keys = KvHeads * HeadLength;
        foreach ((string name, int rows) in _traits.FusedQkv ? [("qkv", queries + (2 * keys))] : new[] { ("q", queries), ("k", keys), ("v", keys) })
        {
            Matrix($"{prefix}{name}.weight", rows, Width);
            if (_traits.QkvBias) Bias($"{prefix}{name}.bias", rows);
        }

        if (_traits.HeadNorms || _traits.WidthNorms)
        {
            Gain(prefix + "q_norm.weight", _traits.HeadNorms ? HeadLength : queries);
            Gain(prefix + "k_norm.weight", _traits.HeadNorms ? HeadLength : keys);
        }

        if (_traits.Sinks) Bias(prefix + "sinks.weight", Heads);
        Matrix(prefix + "output.weight", Width, queries);
        if (_traits.OutputBias) Bias(prefix + "output.bias", Width);
    }

    private void AddLatentAttention(string prefix)
    {
        Matrix(prefix + "q_a.weight", QueryRank, Width);
        Gain(prefix + "q_a_norm.weight", QueryRank);
        Matrix(prefix + "q_b.weight", Heads * HeadLength, QueryRank);
        Matrix(prefix + "kv_a_mqa.weight", Rank + Turned, Width);
        Gain(prefix + "kv_a_norm.weight", Rank);
        Matrix(prefix + "kv_b.weight", Heads * (HeadLength - Turned + HeadLength), Rank);
        Matrix(prefix + "output.weight", Width, Heads * HeadLength);
    }

    private void AddStateSpace(string prefix)
    {
        Matrix(prefix + "in.weight", 2 * Inner, Width);
        Matrix(prefix + "conv1d.weight", Inner, Taps);
        Bias(prefix + "conv1d.bias", Inner);
        Matrix(prefix + "x.weight", Rank + (2 * State), Inner);
        Matrix(prefix + "dt.weight", Inner, Rank);
        Bias(prefix + "dt.bias", Inner);
        // Negative, so that states fade.
        Add(prefix + "a", [State, Inner], State * Inner, -1, 0.2);
        Gain(prefix + "d", Inner);
        Matrix(prefix + "out.weight", Width, Inner);
    }

    private void AddTimeMix(string prefix)
    {
        Bias(prefix + "lerp_x.weight", Width);
        Add(prefix + "lerp_fused.weight", [Width, 5], Width * 5, 0.5, 0.3);
        Matrix(prefix + "w1.weight", 5 * Rank, Width);
        Matrix(prefix + "w2.weight", Width, Rank, 5);
        Matrix(prefix + "decay_w1.weight", QueryRank, Width);
        Matrix(prefix + "decay_w2.weight", Width, QueryRank);
        Bias(prefix + "decay.weight", Width);
        Matrix(prefix + "first.weight", Width / HeadLength, HeadLength);
        foreach (string name in new[] { "receptance", "key", "value", "gate", "output" }) Matrix($"{prefix}{name}.weight", Width, Width);
        Gain(prefix + "ln.weight", Width);
        Bias(prefix + "ln.bias", Width);
    }

    private void AddChannelMix(string prefix)
    {
        Bias(prefix + "lerp_k.weight", Width);
        Bias(prefix + "lerp_r.weight", Width);
        Matrix(prefix + "key.weight", FeedForward, Width);
        Matrix(prefix + "value.weight", Width, FeedForward);
        Matrix(prefix + "receptance.weight", Width, Width);
    }

    private void AddFeedForward(string prefix, string suffix, TinyFeedForward kind, int length)
    {
        int up = kind == TinyFeedForward.FusedGate ? 2 * length : length;
        if (kind == TinyFeedForward.Gated) Matrix($"{prefix}gate{suffix}.weight", length, Width);
        Matrix($"{prefix}up{suffix}.weight", up, Width);
        Matrix($"{prefix}down{suffix}.weight", Width, length);
        if (!_traits.FeedForwardBias) return;
        Bias($"{prefix}up{suffix}.bias", up);
        Bias($"{prefix}down{suffix}.bias", Width);
    }

    private void AddExperts(string prefix)
    {
        Set("expert_count", (uint)Experts);
        Set("expert_used_count", (uint)ExpertsUsed);
        Set("expert_feed_forward_length", (uint)ExpertFeedForward);
        Matrix(prefix + "gate_inp.weight", Experts, Width);
        if (_traits.FeedForwardBias) Bias(prefix + "gate_inp.bias", Experts);
        foreach ((string name, int rows, int cols) in new[] { ("gate", ExpertFeedForward, Width), ("up", ExpertFeedForward, Width), ("down", Width, ExpertFeedForward) })
        {
            Matrix($"{prefix}{name}_exps.weight", rows, cols, Experts);
            if (_traits.FeedForwardBias) Add($"{prefix}{name}_exps.bias", [rows, Experts], rows * Experts, 0, 0.3);
        }

        if (!_traits.SharedExpert.Shared) return;
        Set("expert_shared_feed_forward_length", (uint)SharedFeedForward);
        AddFeedForward(prefix, "_shexp", TinyFeedForward.Gated, SharedFeedForward);
        if (_traits.SharedExpert.Gate) Matrix(prefix + "gate_inp_shexp.weight", 1, Width);
    }

    private void Norm(string name)
    {
        if (_traits.Norm == TinyNorm.None) return;
        Gain(name + ".weight", Width);
        if (_traits.Norm == TinyNorm.GainAndBias) Bias(name + ".bias", Width);
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
