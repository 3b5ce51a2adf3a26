using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu;

/// <summary>A set of instructions that kernels are written for. Each tier contains what the ones before it use.</summary>
public enum IsaTier
{
    /// <summary>Plain loops, no vector instruction named.</summary>
    Scalar,

    /// <summary>256-bit AVX2 with FMA.</summary>
    Avx2,

    /// <summary>The same with 256-bit byte products (AVX-VNNI).</summary>
    AvxVnni,

    /// <summary>512-bit AVX-512 F, BW, DQ, VL.</summary>
    Avx512,

    /// <summary>The same with 512-bit byte products (AVX-512 VNNI), by code that is assembled at run time: .NET 10 has no intrinsic for them.</summary>
    Avx512Vnni,

    /// <summary>The same with tiles of bfloat16 numbers and of bytes (AMX), by assembled code. Linux.</summary>
    Amx,
}

/// <summary>
/// The tier that kernels use in this process: what the processor and the runtime grant, lowered by the environment variable
/// <c>QUERN_ISA</c> (<c>scalar</c>, <c>avx2</c>, <c>avxvnni</c>, <c>avx512</c>, <c>avx512vnni</c> or <c>amx</c>). The values never change after start, so that the JIT
/// folds them. <c>QUERN_ISA=amxsimulated</c> runs kernels of tiles without a tile unit, for tests: slowly, on any processor with AVX-512 VNNI.
/// </summary>
public static partial class Isa
{
    private const string Simulated = "amxsimulated";
    private static readonly string? Request = Environment.GetEnvironmentVariable("QUERN_ISA");

    /// <summary>What the processor and the runtime grant, before <c>QUERN_ISA</c> is read.</summary>
    public static readonly IsaTier Detected = Detect();

    /// <summary>The tier in use.</summary>
    /// <exception cref="InvalidOperationException"><c>QUERN_ISA</c> is unknown, or asks for more than this machine has.</exception>
    public static readonly IsaTier Tier = Choose(Request);

    /// <summary>True where 256-bit kernels may run.</summary>
    public static readonly bool HasAvx2 = Tier >= IsaTier.Avx2;

    /// <summary>True where 256-bit byte products may be used: not every processor with AVX-512 has them.</summary>
    public static readonly bool HasAvxVnni = Tier >= IsaTier.AvxVnni && AvxVnni.IsSupported;

    /// <summary>True where 512-bit kernels may run.</summary>
    public static readonly bool HasAvx512 = Tier >= IsaTier.Avx512;

    /// <summary>True where assembled 256-bit kernels may run: they widen binary16 numbers (F16C), and need memory for code.</summary>
    public static readonly bool HasAssembledAvx2 = HasAvx2 && HasF16C() && Assembled.ExecutableMemory.IsGranted;

    /// <summary>True where assembled 512-bit kernels with byte products may run.</summary>
    public static readonly bool HasAvx512Vnni = Tier >= IsaTier.Avx512Vnni;

    /// <summary>True where assembled kernels may use the tile unit.</summary>
    public static readonly bool HasAmx = Tier >= IsaTier.Amx;

    /// <summary>True where tiles lie in memory and ordinary instructions do what the tile unit would.</summary>
    internal static readonly bool TilesAreSimulated = HasAmx && IsSimulated(Request);

    /// <summary>The tier in use, for people.</summary>
    public static string Name => TilesAreSimulated ? Simulated : Tier.ToString().ToLowerInvariant();

    /// <summary>The names that <c>QUERN_ISA</c> takes.</summary>
    public static IEnumerable<string> Names => Enum.GetValues<IsaTier>().Select(tier => tier.ToString().ToLowerInvariant());

    internal static IsaTier Choose(string? request)
    {
        if (string.IsNullOrEmpty(request)) return Detected;
        if (IsSimulated(request))
            return Detected >= IsaTier.Avx512Vnni ? IsaTier.Amx : throw new InvalidOperationException($"QUERN_ISA asks for {request}, which needs {nameof(IsaTier.Avx512Vnni).ToLowerInvariant()}, but this machine grants only {Detected.ToString().ToLowerInvariant()}");
        if (!Enum.TryParse(request, ignoreCase: true, out IsaTier tier) || !Names.Contains(request.ToLowerInvariant()))
            throw new InvalidOperationException($"QUERN_ISA is '{request}'; expected one of {string.Join(", ", Names)}");
        return Grants(tier)
            ? tier
            : throw new InvalidOperationException($"QUERN_ISA asks for {request}, but this machine grants only {Detected.ToString().ToLowerInvariant()}");
    }

    /// <summary>Whether this process has everything that a tier uses.</summary>
    internal static bool Grants(IsaTier tier) => (tier <= Detected || (tier == IsaTier.Amx && TilesAreSimulated)) && (tier != IsaTier.AvxVnni || AvxVnni.IsSupported);

    private static bool IsSimulated(string? request) => Simulated.Equals(request, StringComparison.OrdinalIgnoreCase);

    private static IsaTier Detect()
    {
        if (!Avx2.IsSupported || !Fma.IsSupported) return IsaTier.Scalar;
        if (!Avx512BW.IsSupported || !Avx512BW.VL.IsSupported || !Avx512DQ.IsSupported) return AvxVnni.IsSupported ? IsaTier.AvxVnni : IsaTier.Avx2;
        if (!HasVnni512() || !Assembled.ExecutableMemory.IsGranted) return IsaTier.Avx512;
        return HasAmxTiles() ? IsaTier.Amx : IsaTier.Avx512Vnni;
    }

    // AVX512_VNNI is bit 11 of ECX in leaf 7. That the system saves the wide registers is known from AVX-512 itself.
    // Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, CPUID.
    private static bool HasVnni512() =>
        RuntimeInformation.ProcessArchitecture == Architecture.X64 && (X86Base.CpuId(7, 0).Ecx & (1 << 11)) != 0;

    // F16C is bit 29 of ECX in leaf 1. That the system saves the registers is known from AVX2.
    private static bool HasF16C() => (X86Base.CpuId(1, 0).Ecx & (1 << 29)) != 0;

    // AMX-BF16, AMX-TILE and AMX-INT8 are bits 22, 24 and 25 of EDX in leaf 7. A process has to ask before its threads may use tiles: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA), which fails where
    // the system does not save them. Source: Linux, Documentation/arch/x86/xstate.rst.
    private static bool HasAmxTiles()
    {
        const int ArchPrctl = 158, RequestPermission = 0x1023, TileData = 18, Needed = (1 << 22) | (1 << 24) | (1 << 25);
        return OperatingSystem.IsLinux() && (X86Base.CpuId(7, 0).Edx & Needed) == Needed && SystemCall(ArchPrctl, RequestPermission, TileData) == 0;
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, nint first, nint second);
}
