using System.Runtime.InteropServices;

namespace Quern.TestKit;

/// <summary>
/// Native memory with an inaccessible page directly before and directly behind it, so that a kernel that reads or writes one byte
/// too far stops the test run instead of passing. Linux only; elsewhere <see cref="IsGuarded"/> is false and the memory is plain.
/// </summary>
public sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int PageBytes = 4096;
    private readonly byte* _map;
    private readonly nuint _mapBytes;

    /// <param name="bytes">Length of the usable memory in bytes.</param>
    /// <param name="atEnd">True places the memory so that it ends where the guard page begins; false so that it begins where the guard page ends.</param>
    public GuardedMemory(int bytes, bool atEnd = true)
    {
        Length = bytes;
        nuint body = (nuint)((bytes + PageBytes - 1) / PageBytes * PageBytes);
        _mapBytes = body + (2 * PageBytes);
        if (OperatingSystem.IsLinux())
        {
            nint map = Mmap(0, _mapBytes, 3, 0x22, -1, 0);
            if (map == -1 || Mprotect(map, PageBytes, 0) != 0 || Mprotect(map + PageBytes + (nint)body, PageBytes, 0) != 0)
                throw new InvalidOperationException("cannot map guarded memory");
            _map = (byte*)map;
            IsGuarded = true;
        }
        else
        {
            _map = (byte*)NativeMemory.AlignedAlloc(_mapBytes, 64);
        }

        Start = _map + PageBytes + (atEnd ? body - (nuint)bytes : 0);
    }

    /// <summary>First usable byte.</summary>
    public byte* Start { get; }

    /// <summary>Usable length in bytes.</summary>
    public int Length { get; }

    /// <summary>True where the guard pages exist.</summary>
    public bool IsGuarded { get; }

    /// <summary>The usable memory.</summary>
    public Span<byte> Span => new(Start, Length);

    public void Dispose()
    {
        if (IsGuarded) _ = Munmap((nint)_map, _mapBytes);
        else NativeMemory.AlignedFree(_map);
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Mmap(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Mprotect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Munmap(nint address, nuint length);
}
