using System.Runtime.InteropServices;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// Machine code in memory of its own: written while it is writable, then made executable for good. It is never both. Linux and Windows.
/// </summary>
internal sealed partial class ExecutableMemory : SafeHandle
{
    private const int Failed = -1;
    private static readonly List<ExecutableMemory> Kept = [];
    private readonly nuint _bytes;

    private ExecutableMemory(nint address, nuint bytes)
        : base(0, ownsHandle: true)
    {
        _bytes = bytes;
        SetHandle(address);
    }

    /// <summary>Whether this process may run code that it wrote: some systems refuse it to every process, some to hardened ones.</summary>
    public static bool IsGranted { get; } = Try();

    /// <summary>Where the code begins.</summary>
    public nint Address => handle;

    public override bool IsInvalid => handle == 0;

    /// <summary>Takes memory for code.</summary>
    /// <exception cref="InvalidOperationException">The system refuses.</exception>
    public static ExecutableMemory Create(ReadOnlySpan<byte> code) =>
        TryCreate(code) ?? throw new InvalidOperationException("the system refuses memory for code; weights that are not repacked need none");

    /// <summary>The address of code that stays as long as the process.</summary>
    /// <exception cref="InvalidOperationException">The system refuses.</exception>
    public static nint Keep(ReadOnlySpan<byte> code)
    {
        ExecutableMemory memory = Create(code);
        lock (Kept) Kept.Add(memory);
        return memory.Address;
    }

    protected override bool ReleaseHandle() =>
        OperatingSystem.IsWindows() ? Windows.VirtualFree(handle, 0, Windows.Release) : Linux.Munmap(handle, _bytes) == 0;

    private static unsafe ExecutableMemory? TryCreate(ReadOnlySpan<byte> code)
    {
        nuint bytes = (nuint)((code.Length + Environment.SystemPageSize - 1) & -Environment.SystemPageSize);
        if (OperatingSystem.IsLinux())
        {
            nint address = Linux.Mmap(0, bytes, Linux.Read | Linux.Write, Linux.Private | Linux.Anonymous, -1, 0);
            if (address == Failed) return null;
            ExecutableMemory memory = new(address, bytes);
            code.CopyTo(new Span<byte>((void*)address, code.Length));
            if (Linux.Mprotect(address, bytes, Linux.Read | Linux.Execute) == 0) return memory;
            memory.Dispose();
        }
        else if (OperatingSystem.IsWindows())
        {
            nint address = Windows.VirtualAlloc(0, bytes, Windows.Reserve | Windows.Commit, Windows.ReadWrite);
            if (address == 0) return null;
            ExecutableMemory memory = new(address, bytes);
            code.CopyTo(new Span<byte>((void*)address, code.Length));
            if (Windows.VirtualProtect(address, bytes, Windows.ExecuteRead, out _) && Windows.FlushInstructionCache(Windows.GetCurrentProcess(), address, bytes))
                return memory;
            memory.Dispose();
        }

        return null;
    }

    private static unsafe bool Try()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64) return false;

        // mov eax, 42; ret
        using ExecutableMemory? memory = TryCreate([0xB8, 42, 0, 0, 0, 0xC3]);
        return memory is not null && ((delegate* unmanaged<int>)memory.Address)() == 42;
    }

    private static partial class Linux
    {
        public const int Read = 1, Write = 2, Execute = 4, Private = 2, Anonymous = 0x20;

        [LibraryImport("libc", EntryPoint = "mmap")]
        public static partial nint Mmap(nint address, nuint length, int protection, int flags, int file, nint offset);

        [LibraryImport("libc", EntryPoint = "mprotect")]
        public static partial int Mprotect(nint address, nuint length, int protection);

        [LibraryImport("libc", EntryPoint = "munmap")]
        public static partial int Munmap(nint address, nuint length);
    }

    private static partial class Windows
    {
        public const int Reserve = 0x2000, Commit = 0x1000, Release = 0x8000, ReadWrite = 4, ExecuteRead = 0x20;

        [LibraryImport("kernel32")]
        public static partial nint VirtualAlloc(nint address, nuint length, int kind, int protection);

        [LibraryImport("kernel32")]
        [return: MarshalAs(UnmanagedType.Bool)]
        public static partial bool VirtualProtect(nint address, nuint length, int protection, out int before);

        [LibraryImport("kernel32")]
        [return: MarshalAs(UnmanagedType.Bool)]
        public static partial bool VirtualFree(nint address, nuint length, int kind);

        [LibraryImport("kernel32")]
        public static partial nint GetCurrentProcess();

        [LibraryImport("kernel32")]
        [return: MarshalAs(UnmanagedType.Bool)]
        public static partial bool FlushInstructionCache(nint process, nint address, nuint length);
    }
}
