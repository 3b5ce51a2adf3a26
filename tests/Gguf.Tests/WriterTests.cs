namespace Quern.Gguf.Tests;

/// <summary>What the writer refuses, and what a failure leaves: nothing.</summary>
public sealed class WriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AFailedWriteLeavesTheOldFile()
    {
        string path = _folder.File("model.gguf", "old"u8);
        GgufWriter writer = new();
        writer.AddTensor("t", 0, [2], stream =>
        {
            stream.Write(new byte[4]);
            throw new IOException("no space");
        });
        Assert.Equal("no space", Assert.Throws<IOException>(() => writer.Write(path)).Message);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(_folder.Path));
        Assert.Throws<IOException>(() => writer.WriteSplit(_folder.File("split"), 4));
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void AFileReplacesAnOlderOne()
    {
        string path = _folder.File("model.gguf", "old"u8);
        GgufWriter writer = new();
        writer.Set("k", 1);
        writer.Set("k", "again");
        writer.Set("gone", 1);
        Assert.True(writer.Remove("gone"));
        Assert.False(writer.Remove("gone"));
        writer.Write(path);
        using GgufFile file = GgufFile.Open(path);
        Assert.Equal("again", file.Metadata.GetString("k"));
        Assert.Single(file.Metadata.Entries);
    }

    [Theory]
    [InlineData(7)]
    [InlineData(9)]
    public void ACallbackWritesExactlyItsBytes(int bytes)
    {
        GgufWriter writer = new();
        writer.AddTensor("t", 0, [2], stream => stream.Write(new byte[bytes]));
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => writer.Write(Stream.Null));
        Assert.StartsWith($"tensor 't' takes 8 bytes; its callback wrote {bytes}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TensorsThatCannotBeReadAreNotWritten()
    {
        GgufWriter writer = new();
        writer.AddTensor("t", 0, [1], new byte[4]);
        AssertRefused(() => writer.AddTensor("t", 0, [1], new byte[4]), "was added before");
        AssertRefused(() => writer.AddTensor("", 0, [1], new byte[4]), "empty");
        AssertRefused(() => writer.AddTensor("u", 31, [32], new byte[18]), "Q4_0_4_4");
        AssertRefused(() => writer.AddTensor("u", -1, [32], new byte[18]), "not known");
        AssertRefused(() => writer.AddTensor("u", 0, [], new byte[4]), "0 dimensions");
        AssertRefused(() => writer.AddTensor("u", 0, [1, 1, 1, 1, 1], new byte[4]), "5 dimensions");
        AssertRefused(() => writer.AddTensor("u", 0, [0], Array.Empty<byte>()), "a dimension of 0");
        AssertRefused(() => writer.AddTensor("u", 0, [1L << 40, 1L << 40], Array.Empty<byte>()), "63 bits");
        AssertRefused(() => writer.AddTensor("u", 0, [long.MaxValue], Array.Empty<byte>()), "more bytes");
        AssertRefused(() => writer.AddTensor("u", 2, [16], new byte[9]), "multiples of 32");
        AssertRefused(() => writer.AddTensor("u", 0, [2], new byte[4]), "takes 8 bytes, not 4");
        writer.AddTensor("u", 0, [1], new byte[4]);
    }

    [Fact]
    public void ValuesThatCannotBeReadAreNotWritten()
    {
        GgufWriter writer = new();
        AssertRefused(() => writer.Set("", 1), "empty");
        AssertRefused(() => writer.Set(new string('k', 65536), 1), "65536 bytes");
        AssertRefused(() => writer.Set("k", 1m), "System.Decimal");
        AssertRefused(() => writer.Set("k", 'c'), "System.Char");
        AssertRefused(() => writer.Set("k", new int[1, 1]), "rank 2");
        AssertRefused(() => writer.Set("k", new object[] { 1 }), "an array with 1 in it");
        AssertRefused(() => writer.Set("k", new string?[] { null }), "null in it");
        AssertRefused(() => writer.Set("k", "\ud800"), "surrogate");
        AssertRefused(() => writer.Set("k", new[] { "\ud800" }), "surrogate");
        AssertRefused(() => writer.Set("general.alignment", 33u), "a power of two");
        AssertRefused(() => writer.Set("general.alignment", 32), "UInt32");
        object nested = 1;
        nested = new[] { 1 };
        for (int i = 0; i < 8; i++) nested = new[] { nested };
        AssertRefused(() => writer.Set("k", nested), "8 deep");
    }

    [Fact]
    public void TensorsBeginAtTheAlignment()
    {
        GgufWriter writer = new();
        writer.Set("general.alignment", 4096u);
        Assert.Equal(4096, writer.Alignment);
        for (int i = 0; i < 3; i++) writer.AddTensor($"t{i}", 24, [i + 1], Enumerable.Repeat((byte)i, i + 1).ToArray());
        writer.Write(_folder.File("model.gguf"));
        using GgufFile file = GgufFile.Open(_folder.File("model.gguf"));
        Assert.Equal([4096L, 8192, 12288], file.Tensors.Select(tensor => tensor.Offset));
        Assert.Equal(16384, file.FileBytes);
        Assert.All(file.Tensors, tensor => Assert.Equal(0, tensor.Address % 4096));
    }

    [Fact]
    public void ALargeTensorIsStreamed()
    {
        // 96 MiB through a buffer of 64 KiB, and the writer keeps none of it.
        const int Chunks = 1536;
        byte[] chunk = new byte[1 << 16];
        GgufWriter writer = new();
        writer.AddTensor("t", 24, [chunk.Length, Chunks], stream =>
        {
            for (int i = 0; i < Chunks; i++) stream.Write(chunk);
        });
        long before = GC.GetAllocatedBytesForCurrentThread();
        writer.Write(Stream.Null);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 17);
    }

    private static void AssertRefused(Action action, string problem) =>
        Assert.Contains(problem, Assert.ThrowsAny<ArgumentException>(action).Message, StringComparison.Ordinal);
}
