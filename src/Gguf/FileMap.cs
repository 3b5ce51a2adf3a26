using System.IO.MemoryMappedFiles;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quern.Gguf;

/// <summary>
/// The bytes of a file in memory: mapped, copied, or lent by the caller. The only unsafe code of this room; every slice is checked.
/// A file that another process shortens while it is mapped raises a bus error on access, as with every memory map.
/// </summary>
internal sealed unsafe partial class FileMap : IDisposable
{
    private readonly MemoryMappedViewAccessor? _view;
    private readonly MemoryMappedFile? _mapping;
    private readonly bool _owned;
    private byte* _start;

    private FileMap(string path, byte* start, long length, bool owned)
    {
        Path = path;
        Length = length;
        _start = start;
        _owned = owned;
    }

    private FileMap(string path, MemoryMappedFile mapping, MemoryMappedViewAccessor view, long length)
    {
        Path = path;
        Length = length;
        _mapping = mapping;
        _view = view;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _start += view.PointerOffset;
    }

    /// <summary>The file's path, or the name that the caller gave to memory.</summary>
    public string Path { get; }

    /// <summary>Bytes in the file.</summary>
    public long Length { get; }

    /// <summary>The address of the first byte; 0 for an empty file.</summary>
    /// <exception cref="ObjectDisposedException">The file was closed.</exception>
    public nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_start == null && Length != 0, typeof(GgufFile));
            return (nint)_start;
        }
    }

    /// <summary>Maps a file for reading.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The path is a folder, or the file cannot be opened.</exception>
    public static FileMap Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path)) throw new IOException($"{path}: is a folder; expected a GGUF file");
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: no such file", path);
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
            long length = stream.Length;
            if (length == 0) return new FileMap(path, null, 0, owned: false);
            MemoryMappedFile mapping = MemoryMappedFile.CreateFromFile(
                stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            try
            {
                return new FileMap(path, mapping, mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read), length);
            }
            catch
            {
                mapping.Dispose();
                throw;
            }
        }
        catch (NotSupportedException error)
        {
            throw new IOException($"{path}: is not a regular file; expected a GGUF file", error);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new IOException($"{path}: permission denied", error);
        }
        catch (IOException error) when (!error.Message.Contains(path, StringComparison.Ordinal))
        {
            throw new IOException($"{path}: cannot be mapped: {error.Message}", error);
        }
    }

    /// <summary>Copies bytes to native memory, aligned to 64.</summary>
    public static FileMap Copy(ReadOnlySpan<byte> bytes, string name)
    {
        if (bytes.IsEmpty) return new FileMap(name, null, 0, owned: false);
        byte* start = (byte*)NativeMemory.AlignedAlloc((nuint)bytes.Length, 64);
        bytes.CopyTo(new Span<byte>(start, bytes.Length));
        return new FileMap(name, start, bytes.Length, owned: true);
    }

    /// <summary>Reads memory of the caller, who keeps it until this object is disposed.</summary>
    public static FileMap Borrow(nint address, long length, string name) => new(name, (byte*)address, length, owned: false);

    /// <summary>A part of the file.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<byte> Slice(long offset, int length)
    {
        ObjectDisposedException.ThrowIf(_start == null && Length != 0, typeof(GgufFile));
        if (offset < 0 || length < 0 || offset > Length - length) ThrowOutside(offset, length);
        return new ReadOnlySpan<byte>(_start + offset, length);
    }

    /// <summary>
    /// Tells the system that a part is not needed for now: its whole pages leave this process's memory, and are read from the file again if they are touched.
    /// Says nothing where the bytes are not mapped from a file, or the system is not Linux. Source: Linux man-pages, madvise(2).
    /// </summary>
    public void Release(long offset, long length)
    {
        const int DontNeed = 4;
        Advise(offset, length, DontNeed);
    }

    /// <summary>Has the system bring a part into this process's memory at once, instead of page by page as they are touched. As far as it can, and on Linux; see <see cref="Release"/>.</summary>
    public void Populate(long offset, long length)
    {
        const int PopulateRead = 22;
        Advise(offset, length, PopulateRead);
    }

    private void Advise(long offset, long length, int advice)
    {
        if (_view is null || !OperatingSystem.IsLinux()) return;
        ObjectDisposedException.ThrowIf(_start == null, typeof(GgufFile));
        nint page = Environment.SystemPageSize, first = (Address + (nint)offset + page - 1) & -page, end = (Address + (nint)(offset + length)) & -page;
        if (end > first) _ = Madvise(first, (nuint)(end - first), advice);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Madvise(nint address, nuint length, int advice);

    private void ThrowOutside(long offset, int length) =>
        throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{length} bytes do not fit in a file of {Length}");

    public void Dispose()
    {
        if (_start == null) return;
        _view?.SafeMemoryMappedViewHandle.ReleasePointer();
        _view?.Dispose();
        _mapping?.Dispose();
        if (_owned) NativeMemory.AlignedFree(_start);
        _start = null;
    }
}
