using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu;

/// <summary>A width of vector code. Each tier contains the ones before it.</summary>
public enum IsaTier
{
    /// <summary>Plain loops, no vector instruction named.</summary>
    Scalar,

    /// <summary>256-bit AVX2 with FMA.</summary>
    Avx2,

    /// <summary>512-bit AVX-512 F, BW, DQ, VL.</summary>
    Avx512,
}

/// <summary>
/// The tier that kernels use in this process: what the processor and the runtime grant, lowered by the environment variable
/// <c>QUERN_ISA</c> (<c>scalar</c>, <c>avx2</c> or <c>avx512</c>). The values never change after start, so that the JIT folds them.
/// </summary>
public static class Isa
{
    /// <summary>What the processor and the runtime grant, before <c>QUERN_ISA</c> is read.</summary>
    public static readonly IsaTier Detected = Detect();

    /// <summary>The tier in use.</summary>
    /// <exception cref="InvalidOperationException"><c>QUERN_ISA</c> is unknown, or asks for more than this machine has.</exception>
    public static readonly IsaTier Tier = Choose(Environment.GetEnvironmentVariable("QUERN_ISA"));

    /// <summary>True where 256-bit kernels may run.</summary>
    public static readonly bool HasAvx2 = Tier >= IsaTier.Avx2;

    /// <summary>True where 512-bit kernels may run.</summary>
    public static readonly bool HasAvx512 = Tier >= IsaTier.Avx512;

    internal static IsaTier Choose(string? request)
    {
        if (string.IsNullOrEmpty(request)) return Detected;
        IsaTier tier = request.ToLowerInvariant() switch
        {
            "scalar" => IsaTier.Scalar,
            "avx2" => IsaTier.Avx2,
            "avx512" => IsaTier.Avx512,
            _ => throw new InvalidOperationException($"QUERN_ISA is '{request}'; expected scalar, avx2 or avx512"),
        };
        return tier <= Detected
            ? tier
            : throw new InvalidOperationException($"QUERN_ISA asks for {request}, but this machine grants only {Detected.ToString().ToLowerInvariant()}");
    }

    private static IsaTier Detect()
    {
        if (!Avx2.IsSupported || !Fma.IsSupported) return IsaTier.Scalar;
        return Avx512BW.IsSupported && Avx512BW.VL.IsSupported && Avx512DQ.IsSupported ? IsaTier.Avx512 : IsaTier.Avx2;
    }
}
