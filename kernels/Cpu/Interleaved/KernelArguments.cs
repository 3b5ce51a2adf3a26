using System.Runtime.InteropServices;

namespace Quern.Kernels.Cpu.Interleaved;

/// <summary>
/// What a kernel over interleaved rows gets, by address: <c>y[t, r] += Σ_k x[t, k] · w[r, k]</c> for the 16 rows r of each stream's group and every token t.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct KernelArguments
{
    /// <summary>The first stream's blocks.</summary>
    public byte* Weights;

    /// <summary>Bytes from a stream's blocks to the next one's.</summary>
    public long StreamBytes;

    /// <summary>Blocks of <see cref="InterleavedActivations"/>, [steps, tokens].</summary>
    public byte* Activations;

    /// <summary>Weight blocks to multiply, at least 1.</summary>
    public long Blocks;

    /// <summary>[tokens, 16] of the first stream.</summary>
    public float* Y;

    /// <summary>Bytes from a stream's outputs to the next one's.</summary>
    public long YStreamBytes;

    /// <summary>Bytes from a token's outputs to the next one's.</summary>
    public long YTokenBytes;
}
