using Quern.Kernels.Cpu;

namespace Quern.Models;

/// <summary>The sizes of a selective state space. Source: Gu and Dao 2023, arXiv 2312.00752, section 3.</summary>
public sealed record StateSpaceConfig
{
    /// <summary>Channels of its inside.</summary>
    public required int InnerWidth { get; init; }

    /// <summary>Taps of the convolution before it.</summary>
    public required int Taps { get; init; }

    /// <summary>Values of the state of a channel.</summary>
    public required int StateLength { get; init; }

    /// <summary>Values that a token's time steps come from.</summary>
    public required int TimeStepRank { get; init; }

    internal static StateSpaceConfig? Read(ConfigReader keys)
    {
        if (!keys.Has("ssm.state_size")) return null;
        int taps = keys.Positive("ssm.conv_kernel");
        if (taps is < 2 or > LayerState.MostTaps) throw keys.Error("ssm.conv_kernel", $"it holds {taps}; expected 2 to {LayerState.MostTaps}");
        if (keys.Has("ssm.dt_b_c_rms") && keys.Metadata.GetBool(keys.Key("ssm.dt_b_c_rms")))
            throw keys.Error("ssm.dt_b_c_rms", "it holds true; a state space with norms inside is not supported");
        return new StateSpaceConfig
        {
            InnerWidth = keys.Positive("ssm.inner_size"),
            Taps = taps,
            StateLength = keys.Positive("ssm.state_size"),
            TimeStepRank = keys.Positive("ssm.time_step_rank"),
        };
    }
}
