using Quern.Gguf;
using Quern.TestKit.Oracle;

namespace Quern.Models.Tests;

/// <summary>What a file must have, and the message when it has not.</summary>
public class LoadTests
{
    [Fact]
    public void AnUnknownArchitectureIsAnErrorThatListsTheKnownOnes()
    {
        TinyModel tiny = new("llama");
        tiny.Metadata["general.architecture"] = "mamba9";
        string message = Error(tiny);
        Assert.StartsWith("tiny.gguf: metadata key 'general.architecture': 'mamba9' is not known; expected one of llama, qwen2", message, StringComparison.Ordinal);
        foreach (ArchitectureEntry entry in ArchitectureTable.All) Assert.Contains(entry.Name, message, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryMissingTensorIsNamed()
    {
        foreach (ArchitectureEntry entry in ArchitectureTable.All)
        {
            foreach (string name in new TinyModel(entry.Name).Tensors.Keys)
            {
                TinyModel tiny = new(entry.Name);
                tiny.Tensors.Remove(name);

                // Q, K and V may lie in one tensor or in three, so the first of three is asked for.
                string asked = name.Replace("attn_qkv.weight", "attn_q.weight", StringComparison.Ordinal);

                // A segment is optional: later encoders have none.
                if (name == "token_types.weight") continue;

                // Some tell two forms apart, so that the rest of its form is too much or of another shape.
                string expected = (entry.Name, name) switch
                {
                    ("stablelm", "blk.0.ffn_norm.weight") => "stablelm has no use for 'blk.0.ffn_norm.bias'",
                    ("t5", "enc.blk.0.ffn_gate.weight") => "t5 has no use for 'enc.blk.1.ffn_gate.weight'",
                    ("jina-bert-v2", "blk.0.ffn_gate.weight") => "tensor 'blk.0.ffn_up.weight': its shape is [32, 48]; expected [32, 96]",
                    _ => $"tensor '{asked}': the file does not have it; expected",
                };
                Assert.Contains(expected, Error(tiny), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void EveryTensorOfAnotherShapeIsNamed()
    {
        foreach (ArchitectureEntry entry in ArchitectureTable.All)
        {
            foreach (string name in new TinyModel(entry.Name).Tensors.Keys)
            {
                TinyModel tiny = new(entry.Name);
                (long[] shape, float[] values) = tiny.Tensors[name];
                string expected = string.Join(", ", shape);
                tiny.Tensors[name] = ([shape[0] + 1, .. shape[1..]], new float[values.Length / shape[0] * (shape[0] + 1)]);
                string found = string.Join(", ", tiny.Tensors[name].Shape);
                Assert.Contains($"tensor '{name}': its shape is [{found}]; expected [{expected}]", Error(tiny), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void TensorsThatNobodyReadsAreAnError()
    {
        TinyModel tiny = new("llama");
        for (int i = 0; i < 7; i++) tiny.Gain($"blk.0.extra_{i}.weight", 4);
        string message = Error(tiny);
        Assert.Contains("llama has no use for 'blk.0.extra_0.weight', ", message, StringComparison.Ordinal);
        Assert.Contains("'blk.0.extra_4.weight' and 2 more", message, StringComparison.Ordinal);
    }

    [Fact]
    public void BiasesThatAnArchitectureHasMustBeThere()
    {
        TinyModel tiny = new("qwen2");
        tiny.Tensors.Remove("blk.1.attn_k.bias");
        Assert.Contains("tensor 'blk.1.attn_k.bias'", Error(tiny), StringComparison.Ordinal);
    }

    [Fact]
    public void AnUnknownFormatIsNamed()
    {
        TinyModel tiny = new("llama");
        tiny.OtherTypes["blk.2.ffn_down.weight"] = 24;
        Assert.Contains("tensor 'blk.2.ffn_down.weight': its type is I8; expected one of F32, ", Error(tiny), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("attention.head_count", 0u, "'llama.attention.head_count': it holds 0; expected at least 1")]
    [InlineData("attention.head_count_kv", 3u, "'llama.attention.head_count_kv': it holds 3; expected a divisor of 4")]
    [InlineData("block_count", 4_000_000u, "'llama.block_count': it holds 4000000; the file has only")]
    [InlineData("rope.dimension_count", 10u, "'llama.rope.dimension_count': it holds 10; expected an even number of at most 8")]
    [InlineData("rope.scaling.type", "spiral", "'llama.rope.scaling.type': 'spiral' is not known; expected none, linear, yarn or longrope")]
    [InlineData("rope.freq_base", 1f, "'llama.rope.freq_base': it holds 1; expected more than 1")]
    [InlineData("attention.layer_norm_rms_epsilon", float.NaN, "it holds NaN; expected a finite number of at least 0")]
    public void AValueOutOfRangeIsNamed(string key, object value, string message)
    {
        TinyModel tiny = new("llama");
        tiny.Set(key, value);
        Assert.Contains(message, Error(tiny), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mamba", "ssm.conv_kernel", 17u, "'mamba.ssm.conv_kernel': it holds 17; expected 2 to 16")]
    [InlineData("mamba", "ssm.conv_kernel", 1u, "'mamba.ssm.conv_kernel': it holds 1; expected 2 to 16")]
    [InlineData("mamba", "ssm.inner_size", 0u, "'mamba.ssm.inner_size': it holds 0; expected at least 1")]
    [InlineData("mamba", "ssm.dt_b_c_rms", true, "'mamba.ssm.dt_b_c_rms': it holds true; a state space with norms inside is not supported")]
    [InlineData("mamba", "ssm.state_size", null, "'mamba.attention.head_count': it holds 0; expected at least 1")]
    [InlineData("rwkv6", "wkv.head_size", 5u, "'rwkv6.wkv.head_size': it holds 5; expected a divisor of 32")]
    [InlineData("rwkv6", "rescale_every_n_layers", -1, "'rwkv6.rescale_every_n_layers': it holds -1; expected at least 0")]
    public void AValueOfARecurrentModelOutOfRangeIsNamed(string architecture, string key, object? value, string message)
    {
        TinyModel tiny = new(architecture);
        if (value is null) tiny.Metadata.Remove($"{architecture}.{key}");
        else tiny.Set(key, value);
        Assert.Contains(message, Error(tiny), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mamba", "rwkv6", "'mamba.ssm.state_size': the file does not have it")]
    [InlineData("rwkv6", "mamba", "'rwkv6.wkv.head_size': the file does not have it")]
    public void AStateOfAnotherKindIsRefused(string architecture, string other, string message)
    {
        TinyModel tiny = new(other);
        foreach ((string key, object value) in tiny.Metadata.ToArray()) tiny.Metadata[key.Replace(other + '.', architecture + '.', StringComparison.Ordinal)] = value;
        tiny.Metadata["general.architecture"] = architecture;
        Assert.Contains(message, Error(tiny), StringComparison.Ordinal);
    }

    [Fact]
    public void AStateDoesNotMakeAModelWithAttentionOneWithout()
    {
        foreach (ArchitectureEntry entry in ArchitectureTable.All.Where(entry => entry.Name is not ("mamba" or "rwkv6")))
        {
            TinyModel tiny = new(entry.Name);
            tiny.Set("wkv.head_size", 8u);
            tiny.Set("time_mix_extra_dim", 8u);
            tiny.Set("time_decay_extra_dim", 8u);
            tiny.Set("attention.head_count", 0u);
            // What is turned of a head is looked at first where the file says it.
            Assert.Matches($"'{entry.Name}.(attention.head_count': it holds 0|rope.dimension_count': it holds 4; expected an even number of at most 0)", Error(tiny));
        }
    }

    [Fact]
    public void MoreExpertsForATokenThanThereAreIsAnError()
    {
        TinyModel tiny = new("qwen3moe");
        tiny.Set("expert_used_count", 6u);
        Assert.Contains("'qwen3moe.expert_used_count': it holds 6; expected at most 5", Error(tiny), StringComparison.Ordinal);
    }

    [Fact]
    public void LayersOfDifferentWidthAreRefused()
    {
        TinyModel tiny = new("llama");
        tiny.Set("feed_forward_length", new[] { 48, 48, 64 });
        Assert.Contains("'llama.feed_forward_length': its values differ from layer to layer", Error(tiny), StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingKeyIsNamed()
    {
        TinyModel tiny = new("llama");
        tiny.Metadata.Remove("llama.embedding_length");
        using GgufFile file = tiny.Open();
        Assert.Contains("'llama.embedding_length'", Assert.Throws<GgufFormatException>(() => ModelConfig.Read(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ProgressReachesTheEnd()
    {
        using GgufFile file = new TinyModel("llama").Open();
        using OracleBackend backend = new();
        Steps steps = new();
        Model model = ArchitectureTable.Load(file, backend, TinyModel.Context, steps);
        Assert.Equal(file.Tensors.Count, steps.All.Count);
        Assert.Equal(new LoadProgress(file.Tensors.Count, file.Tensors.Count, model.WeightBytes, model.WeightBytes), steps.All[^1]);
        Assert.Equal(file.Tensors.Sum(tensor => tensor.ByteLength), model.WeightBytes);
    }

    private static string Error(TinyModel tiny)
    {
        using GgufFile file = tiny.Open();
        using OracleBackend backend = new();
        return Assert.Throws<ModelFormatException>(() => ArchitectureTable.Load(file, backend, TinyModel.Context)).Message;
    }

    private sealed class Steps : IProgress<LoadProgress>
    {
        public List<LoadProgress> All { get; } = [];

        public void Report(LoadProgress value) => All.Add(value);
    }
}
