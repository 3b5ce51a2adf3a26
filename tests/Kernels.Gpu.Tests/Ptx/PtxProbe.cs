using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu.Tests.Ptx;

/// <summary>What the assembler says of a kernel.</summary>
/// <param name="Registers">Registers of a thread.</param>
/// <param name="SpillBytes">Bytes of registers that did not fit.</param>
/// <param name="LocalBytes">Bytes of a thread's memory on its stack.</param>
/// <param name="SharedBytes">Bytes of shared memory known when it was assembled.</param>
internal readonly record struct Assembled(int Registers, int SpillBytes, int LocalBytes, int SharedBytes);

/// <summary>
/// Compiles a kernel to PTX for an H100 without a card, and assembles it where <c>ptxas</c> is found: on the PATH, in <c>CUDA_HOME/bin</c>, or named by <c>QUERN_PTXAS</c>.
/// </summary>
internal static partial class PtxProbe
{
    /// <summary>Path of the assembler, or null.</summary>
    public static string? Assembler { get; } = FindAssembler();

    private static readonly ConcurrentDictionary<MethodInfo, string> Compiled = [];

    /// <summary>The PTX of a method that is launched with explicit groups, compiled once. A context of its own for each: a failed compilation spoils the next ones.</summary>
    public static string Compile(Delegate kernel) => Compile(kernel.Method);

    /// <inheritdoc cref="Compile(Delegate)"/>
    public static string Compile(MethodInfo kernel) => Compiled.GetOrAdd(kernel, Fresh);

    private static string Fresh(MethodInfo kernel)
    {
        using Context context = Context.Create(builder => builder.EnableAlgorithms().Optimize(OptimizationLevel.O2));
        using PTXBackend backend = new(context, new CudaCapabilityContext(CudaArchitecture.SM_90), CudaArchitecture.SM_90, CudaInstructionSet.ISA_84, null);
        string ptx = KernelLoader.Compile(backend, kernel).Ptx;
        if (Environment.GetEnvironmentVariable("QUERN_PTX_OUT") is { Length: > 0 } folder) File.WriteAllText(Path.Combine(folder, $"{kernel.DeclaringType!.Name}.{string.Join('.', kernel.DeclaringType.GetGenericArguments().Select(Name))}.{kernel.Name}.ptx"), ptx);
        return ptx;
    }

    /// <summary>Assembles PTX for an H100; null where there is no assembler.</summary>
    public static Assembled? Assemble(string ptx)
    {
        if (Assembler is null) return null;
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, ptx);
            using Process process = Process.Start(new ProcessStartInfo(Assembler, ["-v", ptx.Contains("sm_90a", StringComparison.Ordinal) ? "-arch=sm_90a" : "-arch=sm_90", "-o", file + ".cubin", file]) { RedirectStandardError = true })!;
            string report = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, report);
            Assert.DoesNotContain("serializ", report, StringComparison.OrdinalIgnoreCase);
            File.Delete(file + ".cubin");
            return new Assembled(Number(Registers().Match(report)), Number(Spills().Match(report)), Number(Stack().Match(report)), Number(Shared().Match(report)));
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>How often a pattern is in a kernel.</summary>
    public static int Count(string ptx, string pattern) => Regex.Count(ptx, pattern);

    /// <summary>Bytes of shared memory that a kernel declares with their number.</summary>
    public static int StaticBytes(string ptx) => Declared().Matches(ptx).Sum(Number);

    private static string Name(Type type) => string.Join('-', type.GetGenericArguments().Select(Name).Prepend(type.Name));

    private static int Number(Match match) => match.Success ? int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) : 0;

    private static string? FindAssembler()
    {
        List<string> places = [];
        if (Environment.GetEnvironmentVariable("QUERN_PTXAS") is { Length: > 0 } named) places.Add(named);
        if (Environment.GetEnvironmentVariable("CUDA_HOME") is { Length: > 0 } home) places.Add(Path.Combine(home, "bin", "ptxas"));
        foreach (string folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)) places.Add(Path.Combine(folder, "ptxas"));
        return places.FirstOrDefault(File.Exists);
    }

    [GeneratedRegex(@"\.shared \.align \d+ \.b8 \w+\[(\d+)\];")]
    private static partial Regex Declared();

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex Registers();

    [GeneratedRegex(@"(\d+) bytes spill stores")]
    private static partial Regex Spills();

    [GeneratedRegex(@"(\d+) bytes stack frame")]
    private static partial Regex Stack();

    [GeneratedRegex(@"(\d+) bytes smem")]
    private static partial Regex Shared();
}

/// <summary>A theory that needs the assembler and says where it was looked for.</summary>
public sealed class AssemblerTheoryAttribute : TheoryAttribute
{
    public AssemblerTheoryAttribute()
    {
        if (PtxProbe.Assembler is null) Skip = "no ptxas on the PATH, in CUDA_HOME/bin or named by QUERN_PTXAS: registers and spills are not checked";
    }
}
