using Quern.Kernels.Cpu;

namespace Quern.Models;

/// <summary>The sizes and constants of a mixture of experts.</summary>
public sealed record ExpertConfig
{
    /// <summary>Experts of a layer.</summary>
    public required int Count { get; init; }

    /// <summary>Experts that compute a token.</summary>
    public required int UsedCount { get; init; }

    /// <summary>Inner width of an expert.</summary>
    public required int FeedForwardLength { get; init; }

    /// <summary>Inner width of the expert that all tokens share; 0 without.</summary>
    public int SharedFeedForwardLength { get; init; }

    /// <summary>Layers at the beginning that have a dense network instead.</summary>
    public int LeadingDenseLayers { get; init; }

    /// <summary>How a router's logits become scores.</summary>
    public RouterScore Score { get; init; }

    /// <summary>Whether the weights of a token's experts are divided by their sum; null where the file leaves it to the architecture.</summary>
    public bool? WeightsNorm { get; init; }

    /// <summary>Factor on the weights.</summary>
    public float WeightsScale { get; init; } = 1;

    internal static ExpertConfig? Read(ConfigReader keys, int feedForward)
    {
        int count = keys.CountOr("expert_count", 0);
        if (count == 0) return null;
        int used = keys.Positive("expert_used_count");
        if (used > count) throw keys.Error("expert_used_count", $"it holds {used}; expected at most {count}, the number of experts");
        int length = keys.PositiveOr("expert_feed_forward_length", feedForward);
        return new ExpertConfig
        {
            Count = count,
            UsedCount = used,
            FeedForwardLength = length,
            SharedFeedForwardLength = keys.CountOr("expert_shared_feed_forward_length", checked(keys.CountOr("expert_shared_count", 0) * length)),
            LeadingDenseLayers = keys.CountOr("leading_dense_block_count", 0),
            Score = keys.CountOr("expert_gating_func", 0) switch
            {
                0 or 1 => RouterScore.Softmax,
                2 => RouterScore.Sigmoid,
                int other => throw keys.Error("expert_gating_func", $"it holds {other}; expected 1 (softmax) or 2 (sigmoid)"),
            },
            WeightsNorm = keys.Has("expert_weights_norm") ? keys.Metadata.GetBool(keys.Key("expert_weights_norm")) : null,
            WeightsScale = keys.NumberOr("expert_weights_scale", 1) is var scale and not 0 ? scale : 1,
        };
    }
}
