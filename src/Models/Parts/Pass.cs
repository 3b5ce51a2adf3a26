using Quern.Kernels.Cpu;

namespace Quern.Models.Parts;

/// <summary>What the tensors of a pass have to hold, of the widest layer.</summary>
/// <param name="Width">Residual stream.</param>
/// <param name="Qkv">Queries, keys and values of a token.</param>
/// <param name="Attended">Result of all heads.</param>
/// <param name="FeedForward">Inner width of a dense network or a shared expert, 0 without.</param>
/// <param name="Experts">Number of experts, 0 without.</param>
/// <param name="TopK">Experts that compute a token.</param>
/// <param name="ExpertFeedForward">Inner width of an expert.</param>
/// <param name="Latent">What latent attention keeps of a token, 0 without.</param>
internal readonly record struct PassSizes(int Width, int Qkv, int Attended, int FeedForward, int Experts, int TopK, int ExpertFeedForward, int Latent)
{
    /// <summary>What a recurrent layer keeps of a token while it runs, 0 without.</summary>
    public int Recurrent { get; init; }

    public static PassSizes Of(ModelConfig config)
    {
        int kvHeads = 0;
        foreach (int heads in config.KvHeadCounts) kvHeads = Math.Max(kvHeads, heads);
        return new PassSizes(
            config.Width,
            checked((config.HeadCount * config.KeyLength) + (kvHeads * (config.KeyLength + config.ValueLength))),
            checked(config.HeadCount * config.ValueLength),
            config.Experts is { } some ? Math.Max(some.SharedFeedForwardLength, some.LeadingDenseLayers == 0 ? 0 : config.FeedForwardLength) : config.FeedForwardLength,
            config.Experts?.Count ?? 0,
            config.Experts?.UsedCount ?? 0,
            config.Experts?.FeedForwardLength ?? 0,
            config.Latent is { } latent ? LatentAttention.ScratchWidth(latent, config.HeadCount, config.Rope.Dimensions) : 0);
    }
}

/// <summary>
/// One forward pass while it runs: what it computes, and the tensors that every layer uses again. All have one row for each token of the
/// batch, those of experts one for each pair of a token and an expert that computes it.
/// </summary>
internal readonly struct Pass
{
    public Pass(Batch batch, KvCache cache, Backend backend, PassSizes sizes, Tensor[] angles, ExpertRoutes? routes)
    {
        (Batch, Cache, Backend, Angles, Routes) = (batch, cache, backend, angles, routes);
        int rows = batch.TokenCount, pairs = rows * sizes.TopK;
        X = backend.Take(rows, sizes.Width);
        Normed = backend.Take(rows, sizes.Width);
        Branch = backend.Take(rows, sizes.Width);
        Qkv = backend.Take(rows, sizes.Qkv);
        Attended = backend.Take(rows, sizes.Attended);
        if (sizes.Latent != 0) Latent = backend.Take(rows, sizes.Latent);
        if (sizes.Recurrent != 0) Recurrent = backend.Take(rows, sizes.Recurrent);
        if (sizes.FeedForward != 0) Inner = backend.Take(rows, 2 * sizes.FeedForward);
        if (sizes.Experts == 0) return;
        RouterLogits = backend.Take(rows, sizes.Experts);
        ExpertInner = backend.Take(pairs, 2 * sizes.ExpertFeedForward);
        ExpertOut = backend.Take(pairs, sizes.Width);
    }

    /// <summary>The same pass with the rows of the outputs only, for what comes after the last attention.</summary>
    private Pass(in Pass all, int rows)
    {
        this = all;
        X = all.Branch.FirstRows(rows);
        Normed = all.X.FirstRows(rows);
        Branch = all.Normed.FirstRows(rows);
    }

    public Batch Batch { get; }

    public KvCache Cache { get; }

    public Backend Backend { get; }

    /// <summary>Cosines and sines, one tensor for each table of the model.</summary>
    public Tensor[] Angles { get; }

    /// <summary>Which experts compute which tokens, in the layer that is running.</summary>
    public ExpertRoutes? Routes { get; }

    /// <summary>The residual stream [n, width].</summary>
    public Tensor X { get; }

    /// <summary>A norm of it [n, width].</summary>
    public Tensor Normed { get; }

    /// <summary>What a branch adds to it [n, width].</summary>
    public Tensor Branch { get; }

    /// <summary>Queries, keys and values side by side.</summary>
    public Tensor Qkv { get; }

    /// <summary>Result of all heads.</summary>
    public Tensor Attended { get; }

    /// <summary>Latent vectors, and what comes of them before it is keys and values.</summary>
    public Tensor Latent { get; }

    /// <summary>The inside of a recurrent layer.</summary>
    public Tensor Recurrent { get; }

    /// <summary>Gate and up products side by side.</summary>
    public Tensor Inner { get; }

    /// <summary>The router's output [n, experts].</summary>
    public Tensor RouterLogits { get; }

    /// <summary>Gate and up products of every pair, side by side.</summary>
    public Tensor ExpertInner { get; }

    /// <summary>Down products of every pair [pairs, width].</summary>
    public Tensor ExpertOut { get; }

    /// <summary>Keeps the rows whose logits are wanted, of the residual stream and its norm; three tensors change places.</summary>
    public Pass KeepOutputs()
    {
        if (Batch.OutputCount == Batch.TokenCount) return this;
        Pass outputs = new(this, Batch.OutputCount);
        Backend.GatherRows(X, Batch.Outputs, outputs.X);
        Backend.GatherRows(Normed, Batch.Outputs, outputs.Normed);
        return outputs;
    }
}
