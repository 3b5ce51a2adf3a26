namespace Quern.Kernels.Cpu;

/// <summary>Where a recurrent operation keeps what it knows of a sequence: see <see cref="KvLayer.StateLength"/>.</summary>
/// <param name="Layer">Layer number.</param>
/// <param name="First">The first value of the layer's state that is the operation's.</param>
public readonly record struct LayerState(int Layer, int First)
{
    /// <summary>The most taps of a <see cref="Backend.CausalConvolution"/>.</summary>
    public const int MostTaps = 16;
}
