using System.Diagnostics;
using System.Text.RegularExpressions;
using Quern.Gguf;
using Quern.TestKit;

namespace Quern.GgufFuzz;

/// <summary>
/// Opens damaged files one after another and reads everything in them. Each lies directly before an inaccessible page, so that reading one byte
/// too far ends the process. Only <see cref="GgufFormatException"/> may be thrown.
/// </summary>
public sealed unsafe partial class MutationRun : IDisposable
{
    private readonly HeaderMutator _mutator;
    private readonly GuardedMemory _memory;
    private readonly byte[] _image;
    private readonly Dictionary<string, long> _refused = [];
    private long _checksum;

    public MutationRun(int seed)
    {
        _mutator = new HeaderMutator(seed, SeedImages.Make());
        _memory = new GuardedMemory(_mutator.LargestImage);
        _image = new byte[_mutator.LargestImage];
        Open(0);
        ResetMeasures();
    }

    public long Accepted { get; private set; }

    /// <summary>Depends on every value that was read.</summary>
    public long Checksum => _checksum;

    /// <summary>How often each kind of error occurred; names and numbers are taken out of the messages.</summary>
    public IReadOnlyDictionary<string, long> Refused => _refused;

    /// <summary>The most managed bytes that one file took to open and read, or to refuse.</summary>
    public long MostAllocatedBytes { get; private set; }

    /// <summary>The most managed bytes for each byte of a file, above a fixed 16 KiB.</summary>
    public double MostAllocatedPerByte { get; private set; }

    /// <summary>The longest time that one file took.</summary>
    public TimeSpan Longest { get; private set; }

    /// <summary>Damages and opens so many files.</summary>
    /// <exception cref="MutationException">A file raised another exception than the reader's own, or a message of several lines.</exception>
    public void Step(int count)
    {
        for (int i = 0; i < count; i++) Open(_mutator.Next(_image));
    }

    public void Dispose() => _memory.Dispose();

    private void Open(int length)
    {
        byte* start = _memory.Start + (_memory.Length - length);
        _image.AsSpan(0, length).CopyTo(new Span<byte>(start, length));
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        long begun = Stopwatch.GetTimestamp();
        string? problem = null;
        try
        {
            using GgufFile file = GgufFile.Parse((nint)start, length, "damaged.gguf");
            ReadAll(file);
        }
        catch (GgufFormatException error)
        {
            problem = error.Problem;
            if (error.Message.AsSpan().ContainsAny('\r', '\n') || error.Message.Length > 600) throw new MutationException(_image[..length], error);
        }
        catch (Exception error)
        {
            throw new MutationException(_image[..length], error);
        }

        TimeSpan time = Stopwatch.GetElapsedTime(begun);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        if (time > Longest) Longest = time;
        MostAllocatedBytes = Math.Max(MostAllocatedBytes, allocated);
        MostAllocatedPerByte = Math.Max(MostAllocatedPerByte, Math.Max(0, allocated - 16384) / (double)Math.Max(1, length));
        if (problem is null)
        {
            Accepted++;
            return;
        }

        string kind = NumbersAndNames().Replace(problem, "…");
        _refused[kind] = _refused.GetValueOrDefault(kind) + 1;
    }

    private void ReadAll(GgufFile file)
    {
        foreach (GgufEntry entry in file.Metadata.Entries) _checksum += entry.Read().GetHashCode() + entry.TypeName.Length;
        foreach (GgufTensor tensor in file.Tensors)
        {
            foreach (byte value in tensor.Bytes) _checksum += value;
            _checksum += tensor.ToString().Length;
        }
    }

    private void ResetMeasures()
    {
        _refused.Clear();
        (Accepted, MostAllocatedBytes, MostAllocatedPerByte, Longest) = (0, 0, 0, TimeSpan.Zero);
    }

    [GeneratedRegex("(?<=bytes )[0-9A-F]{2,8}(?=;)|'[^']*'|[0-9]+( \\([A-Z0-9_]+\\))?|(?<=of |; )[A-Z]+[0-9][A-Z0-9_]*|arr\\[[^]]*\\]")]
    private static partial Regex NumbersAndNames();
}

/// <summary>A damaged file did what no file may do.</summary>
public sealed class MutationException(byte[] image, Exception inner)
    : Exception($"a damaged file raised {inner.GetType().Name}: {inner.Message}", inner)
{
    /// <summary>The file, to be kept and tested.</summary>
    public byte[] Image { get; } = image;
}
