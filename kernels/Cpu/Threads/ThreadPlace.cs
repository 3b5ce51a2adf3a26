using System.Runtime.InteropServices;

namespace Quern.Kernels.Cpu;

/// <summary>Keeps the calling thread on one processor. Source: Linux man-pages, sched_setaffinity(2); Microsoft, SetThreadAffinityMask.</summary>
internal static unsafe partial class ThreadPlace
{
    /// <summary>One behind the largest number of a processor.</summary>
    public const int MostProcessors = 8192;

    /// <summary>Whether this system lets threads be kept on a processor.</summary>
    public static bool IsKnown => OperatingSystem.IsLinux() || OperatingSystem.IsWindows();

    /// <summary>Keeps this thread on a processor.</summary>
    /// <exception cref="ArgumentException">The system refuses: there is no such processor, or the process may not use it.</exception>
    public static void Keep(int processor)
    {
        bool isKept;
        if (OperatingSystem.IsLinux())
        {
            byte* mask = stackalloc byte[MostProcessors / 8];
            new Span<byte>(mask, MostProcessors / 8).Clear();
            mask[processor / 8] = (byte)(1 << (processor % 8));
            isKept = SchedSetAffinity(0, MostProcessors / 8, mask) == 0;
        }
        else
        {
            // Beyond 64 processors Windows has groups, and this mask is one of the thread's own.
            isKept = processor < 64 && SetThreadAffinityMask(GetCurrentThread(), (nuint)1 << processor) != 0;
        }

        if (!isKept) throw new ArgumentException($"a thread cannot be kept on processor {processor}: there is none of this number, or this process may not use it", nameof(processor));
    }

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SchedSetAffinity(int thread, nuint bytes, byte* mask);

    [LibraryImport("kernel32")]
    private static partial nuint SetThreadAffinityMask(nint thread, nuint mask);

    [LibraryImport("kernel32")]
    private static partial nint GetCurrentThread();
}
