namespace Quern.Gguf;

/// <summary>A file that is written beside its place and takes it when it is whole; disposing it before that leaves nothing.</summary>
internal sealed class TemporaryFile : IDisposable
{
    private const int BufferBytes = 1 << 18;
    private readonly string _temporaryPath;
    private bool _committed;

    public TemporaryFile(string path)
    {
        Path = path;
        _temporaryPath = $"{path}.{System.IO.Path.GetRandomFileName()}.tmp";
        Stream = new FileStream(_temporaryPath, FileMode.CreateNew, FileAccess.Write, FileShare.None, BufferBytes);
    }

    public string Path { get; }

    public FileStream Stream { get; }

    /// <summary>Brings the bytes to the disk and closes the file, which keeps its temporary name.</summary>
    public void Close()
    {
        if (Stream.SafeFileHandle.IsClosed) return;
        Stream.Flush(flushToDisk: true);
        Stream.Dispose();
    }

    /// <summary>Gives the file its name, replacing an older one.</summary>
    public void Commit()
    {
        Close();
        File.Move(_temporaryPath, Path, overwrite: true);
        _committed = true;
    }

    public void Dispose()
    {
        if (_committed) return;
        try
        {
            Stream.Dispose();
        }
        finally
        {
            File.Delete(_temporaryPath);
        }
    }
}
