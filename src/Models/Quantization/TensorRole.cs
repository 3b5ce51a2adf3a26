namespace Quern.Models.Quantization;

/// <summary>What a weight does in a model, as far as the choice of its type depends on it.</summary>
public enum TensorRole
{
    /// <summary>Anything else that is a matrix.</summary>
    Other,

    /// <summary>The table of token embeddings.</summary>
    TokenEmbedding,

    /// <summary>The matrix that makes logits.</summary>
    Output,

    /// <summary>Queries.</summary>
    AttentionQ,

    /// <summary>Keys.</summary>
    AttentionK,

    /// <summary>Values; the weights that suffer most from few bits.</summary>
    AttentionV,

    /// <summary>Queries, keys and values in one.</summary>
    AttentionQkv,

    /// <summary>The second factor of compressed keys and values (MLA).</summary>
    AttentionKvB,

    /// <summary>After attention.</summary>
    AttentionOutput,

    /// <summary>Into the hidden layer.</summary>
    FfnUp,

    /// <summary>The gate of the hidden layer.</summary>
    FfnGate,

    /// <summary>Out of the hidden layer.</summary>
    FfnDown,
}

/// <summary>Reads roles from the names that GGUF gives to tensors.</summary>
internal static class TensorRoles
{
    /// <summary>Parts of the names of matrices that are too small or too delicate to quantise: they stay as they are stored.</summary>
    private static readonly string[] Kept =
    [
        "_norm.weight", "ffn_gate_inp.weight", "altup", "laurel", "per_layer_model_proj", "ssm_conv1d", "shortconv.conv.weight",
        "time_mix_first", "time_mix_w0", "time_mix_w1", "time_mix_w2", "time_mix_v0", "time_mix_v1", "time_mix_v2", "time_mix_a0",
        "time_mix_a1", "time_mix_a2", "time_mix_g1", "time_mix_g2", "time_mix_decay_w1", "time_mix_decay_w2", "time_mix_lerp_fused",
        "attn_rel_b.weight", "rope_freqs", "rope_factors",
    ];

    private static readonly string[] KeptWhole = ["position_embd.weight", "token_types.weight"];

    public static bool IsQuantizable(string name, int dimensions) =>
        dimensions >= 2 && name.EndsWith("weight", StringComparison.Ordinal)
        && !KeptWhole.Contains(name) && !Kept.Any(part => name.Contains(part, StringComparison.Ordinal));

    public static TensorRole Of(string name)
    {
        if (name == "output.weight") return TensorRole.Output;
        if (name is "token_embd.weight" or "per_layer_token_embd.weight") return TensorRole.TokenEmbedding;
        ReadOnlySpan<(string Part, TensorRole Role)> parts =
        [
            ("attn_qkv.weight", TensorRole.AttentionQkv), ("attn_kv_b.weight", TensorRole.AttentionKvB), ("attn_v.weight", TensorRole.AttentionV),
            ("attn_k.weight", TensorRole.AttentionK), ("attn_q.weight", TensorRole.AttentionQ), ("attn_output.weight", TensorRole.AttentionOutput),
            ("ffn_up", TensorRole.FfnUp), ("ffn_gate", TensorRole.FfnGate), ("ffn_down", TensorRole.FfnDown),
        ];
        foreach ((string part, TensorRole role) in parts)
            if (name.Contains(part, StringComparison.Ordinal)) return role;
        return TensorRole.Other;
    }

    /// <summary>Whether a tensor holds values (V), alone or among others.</summary>
    public static bool HoldsValues(TensorRole role) => role is TensorRole.AttentionV or TensorRole.AttentionQkv or TensorRole.AttentionKvB;

    /// <summary>The block of <c>blk.7.attn_v.weight</c>: 7; −1 for tensors outside of blocks.</summary>
    public static int Block(string name)
    {
        if (!name.StartsWith("blk.", StringComparison.Ordinal)) return -1;
        int end = name.IndexOf('.', 4);
        return end > 4 && int.TryParse(name.AsSpan(4, end - 4), out int block) ? block : -1;
    }
}
