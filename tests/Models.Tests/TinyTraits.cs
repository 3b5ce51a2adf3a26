namespace Quern.Models.Tests;

/// <summary>Which norm weights a family's files have.</summary>
public enum TinyNorm
{
    Gain,
    GainAndBias,
    None,
}

/// <summary>How a family's feed-forward networks are built.</summary>
public enum TinyFeedForward
{
    Gated,
    FusedGate,
    Plain,
    Experts,
    None,
}

/// <summary>In which form a family's layers look at what came before.</summary>
public enum TinyMixing
{
    Attention,
    Latent,
    StateSpace,
    TimeMix,
}

/// <summary>What the files of an architecture hold beyond that of Llama, so that a small model of it can be made.</summary>
public sealed record TinyTraits
{
    private static readonly TinyTraits WithBiases = new()
    {
        Norm = TinyNorm.GainAndBias,
        QkvBias = true,
        OutputBias = true,
        FeedForward = TinyFeedForward.Plain,
        FeedForwardBias = true,
    };

    private static readonly TinyTraits Fused = WithBiases with { FusedQkv = true };

    private static readonly TinyTraits Latent = new()
    {
        Mixing = TinyMixing.Latent,
        Keys =
        {
            ["attention.head_count_kv"] = (uint)TinyModel.Heads, ["attention.q_lora_rank"] = (uint)TinyModel.QueryRank, ["attention.kv_lora_rank"] = (uint)TinyModel.Rank,
            ["rope.dimension_count"] = (uint)TinyModel.Turned,
        },
    };

    private static readonly TinyTraits Encoder = new()
    {
        Task = ModelTask.Encoder,
        Norm = TinyNorm.GainAndBias,
        Norms = ["attn_output_norm", "layer_output_norm"],
        EmbeddingNorm = true,
        Keys = { ["attention.causal"] = false, ["pooling_type"] = 1u },
    };

    private static readonly string[] BothSides = ["attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm"];

    private static readonly Dictionary<string, TinyTraits> Known = new(StringComparer.Ordinal)
    {
        ["qwen2"] = new() { QkvBias = true },
        ["qwen3"] = new() { HeadNorms = true },
        ["qwen3moe"] = new() { HeadNorms = true, FeedForward = TinyFeedForward.Experts },
        ["gemma2"] = new() { Norms = BothSides, Keys = { ["attention.sliding_window"] = 6u } },
        ["gemma3"] = new() { Norms = BothSides, HeadNorms = true, Keys = { ["attention.sliding_window"] = 6u } },
        ["phi3"] = new() { FusedQkv = true, FeedForward = TinyFeedForward.FusedGate },
        ["gpt2"] = Fused with { Positions = true },
        ["starcoder"] = Fused with { Positions = true },
        ["starcoder2"] = WithBiases,
        ["bloom"] = Fused with { EmbeddingNorm = true },
        ["mpt"] = new() { FusedQkv = true, FeedForward = TinyFeedForward.Plain, Keys = { ["attention.max_alibi_bias"] = 8f, ["attention.clamp_kqv"] = 1.5f } },
        ["falcon"] = new() { Norm = TinyNorm.GainAndBias, Norms = ["attn_norm"], FusedQkv = true, FeedForward = TinyFeedForward.Plain },
        ["gptneox"] = Fused,
        ["phi2"] = Fused with { Norms = ["attn_norm"], LogitBias = true },
        ["stablelm"] = new() { Norm = TinyNorm.GainAndBias },
        ["orion"] = new() { Norm = TinyNorm.GainAndBias },
        ["qwen"] = new() { FusedQkv = true, QkvBias = true, Keys = { ["feed_forward_length"] = 2u * TinyModel.FeedForward } },
        ["granite"] = new() { Keys = { ["embedding_scale"] = 3f, ["residual_scale"] = 0.6f, ["logit_scale"] = 2f, ["attention.scale"] = 0.25f } },
        ["granitemoe"] = new() { FeedForward = TinyFeedForward.Experts, Keys = { ["embedding_scale"] = 3f } },
        ["olmo"] = new() { Norm = TinyNorm.None, Keys = { ["attention.clamp_kqv"] = 1.5f } },
        ["olmo2"] = new() { Norms = ["post_attention_norm", "post_ffw_norm"], WidthNorms = true },
        ["olmoe"] = new() { WidthNorms = true, FeedForward = TinyFeedForward.Experts },
        ["nemotron"] = new() { Norm = TinyNorm.GainAndBias, FeedForward = TinyFeedForward.Plain },
        ["command-r"] = new() { Norms = ["attn_norm"], Keys = { ["logit_scale"] = 0.5f } },
        ["cohere2"] = new() { Norms = ["attn_norm"], Keys = { ["attention.sliding_window"] = 6u, ["logit_scale"] = 0.5f } },
        ["mamba"] = new()
        {
            Norms = ["attn_norm"],
            Mixing = TinyMixing.StateSpace,
            FeedForward = TinyFeedForward.None,
            Keys =
            {
                ["attention.head_count"] = 0u, ["feed_forward_length"] = 0u, ["ssm.conv_kernel"] = (uint)TinyModel.Taps, ["ssm.inner_size"] = (uint)TinyModel.Inner,
                ["ssm.state_size"] = (uint)TinyModel.State, ["ssm.time_step_rank"] = (uint)TinyModel.Rank,
            },
        },
        ["rwkv6"] = new()
        {
            Norm = TinyNorm.GainAndBias,
            Norms = ["attn_norm", "attn_norm_2"],
            EmbeddingNorm = true,
            Mixing = TinyMixing.TimeMix,
            FeedForward = TinyFeedForward.None,
            Keys =
            {
                ["attention.head_count"] = 0u, ["wkv.head_size"] = (uint)TinyModel.HeadLength, ["time_mix_extra_dim"] = (uint)TinyModel.Rank,
                ["time_decay_extra_dim"] = (uint)TinyModel.QueryRank, ["rescale_every_n_layers"] = 2u,
            },
        },
        ["chatglm"] = new() { FusedQkv = true, QkvBias = true, FeedForward = TinyFeedForward.FusedGate },
        ["glm4"] = new() { Norms = BothSides, FeedForward = TinyFeedForward.FusedGate },
        ["qwen2moe"] = new() { QkvBias = true, FeedForward = TinyFeedForward.Experts, SharedExpert = (true, true) },
        ["phimoe"] = new() { Norm = TinyNorm.GainAndBias, QkvBias = true, OutputBias = true, FeedForward = TinyFeedForward.Experts, LogitBias = true },
        ["deepseek"] = new() { FeedForward = TinyFeedForward.Experts, SharedExpert = (true, false), DenseLayers = 1, Keys = { ["leading_dense_block_count"] = 1u } },
        ["deepseek2"] = Latent with
        {
            FeedForward = TinyFeedForward.Experts,
            SharedExpert = (true, false),
            DenseLayers = 1,
            Keys = new(Latent.Keys) { ["leading_dense_block_count"] = 1u, ["expert_gating_func"] = 2u, ["expert_weights_norm"] = true, ["expert_weights_scale"] = 1.5f },
        },
        ["minicpm3"] = Latent,
        ["bert"] = Encoder with { Positions = true, QkvBias = true, OutputBias = true, FeedForward = TinyFeedForward.Plain, FeedForwardBias = true },
        ["nomic-bert"] = Encoder with { FusedQkv = true },
        ["jina-bert-v2"] = Encoder with { QkvBias = true, OutputBias = true },
        ["t5"] = new() { Task = ModelTask.EncoderDecoder, Keys = { ["attention.relative_buckets_count"] = (uint)TinyModel.Buckets, ["decoder_start_token_id"] = 0u } },
        ["gpt-oss"] = new()
        {
            Norms = ["attn_norm", "post_attention_norm"],
            QkvBias = true,
            OutputBias = true,
            Sinks = true,
            FeedForward = TinyFeedForward.Experts,
            FeedForwardBias = true,
            Keys = { ["attention.sliding_window"] = 6u },
        },
    };

    /// <summary>What the model makes of a text.</summary>
    public ModelTask Task { get; init; }

    /// <summary>The norms' weights.</summary>
    public TinyNorm Norm { get; init; }

    /// <summary>The norms of a layer that have them.</summary>
    public IReadOnlyList<string> Norms { get; init; } = ["attn_norm", "ffn_norm"];

    /// <summary>Whether Q, K and V are one matrix.</summary>
    public bool FusedQkv { get; init; }

    /// <summary>How tokens look at what came before.</summary>
    public TinyMixing Mixing { get; init; }

    public bool QkvBias { get; init; }

    public bool OutputBias { get; init; }

    /// <summary>Whether the heads of Q and K are normed.</summary>
    public bool HeadNorms { get; init; }

    /// <summary>Whether all heads of Q, and of K, are normed together.</summary>
    public bool WidthNorms { get; init; }

    public bool Sinks { get; init; }

    public TinyFeedForward FeedForward { get; init; }

    public bool FeedForwardBias { get; init; }

    /// <summary>Whether all tokens share an expert, and whether that has a gate.</summary>
    public (bool Shared, bool Gate) SharedExpert { get; init; }

    public bool Positions { get; init; }

    public bool EmbeddingNorm { get; init; }

    /// <summary>Whether the logits have a bias.</summary>
    public bool LogitBias { get; init; }

    /// <summary>Layers at the beginning that have a gated network instead of experts.</summary>
    public int DenseLayers { get; init; }

    /// <summary>Keys of the architecture beside those that all have.</summary>
    public Dictionary<string, object> Keys { get; init; } = [];

    /// <summary>The architectures that do one thing with a text, by name.</summary>
    public static IEnumerable<string> Names(ModelTask task) => ArchitectureTable.All.Select(entry => entry.Name).Where(name => Of(name).Task == task);

    public static TinyTraits Of(string architecture) => Known.GetValueOrDefault(architecture) ?? new TinyTraits();
}
