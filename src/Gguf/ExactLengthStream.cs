namespace Quern.Gguf;

/// <summary>Passes on exactly the bytes of one tensor, and refuses more.</summary>
internal sealed class ExactLengthStream(Stream target, string tensor, long length) : Stream
{
    private long _written;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => length;

    public override long Position { get => _written; set => throw new NotSupportedException(); }

    public void CheckComplete()
    {
        if (_written != length) throw new InvalidOperationException($"tensor '{tensor}' takes {length} bytes; its callback wrote {_written}");
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.Length > length - _written)
            throw new InvalidOperationException($"tensor '{tensor}' takes {length} bytes; its callback wrote {_written + buffer.Length} or more");
        target.Write(buffer);
        _written += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() => target.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
