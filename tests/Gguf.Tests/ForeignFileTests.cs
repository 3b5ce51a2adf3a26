using System.Text;

namespace Quern.Gguf.Tests;

/// <summary>What people open instead of a model.</summary>
public sealed class ForeignFileTests
{
    [Theory]
    [InlineData("", "the file is empty")]
    [InlineData("GG", "the file ends after 2 bytes")]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer")]
    [InlineData("<!DOCTYPE html><html></html>", "HTML")]
    [InlineData("\n  <html>", "HTML")]
    [InlineData("PK\u0003\u0004rest of the archive", "zip archive")]
    [InlineData("\u0010\0\0\0\0\0\0\0{\"__metadata__\":{}}", "safetensors")]
    [InlineData("tjgg\u0003\0\0\0", "before GGUF")]
    [InlineData("\u001f\u008bxxxx", "gzip")]
    [InlineData("{\"error\":\"not found\"}", "JSON")]
    [InlineData("\0\0\0\0\0\0\0\0", "zeros")]
    [InlineData("MZ\u0090\0", "the bytes 4D5A9000")]
    public void AForeignFileIsNamed(string content, string expected)
    {
        using TemporaryFolder folder = new();
        string path = folder.File("model.gguf", Encoding.Latin1.GetBytes(content));
        GgufFormatException error = Assert.Throws<GgufFormatException>(() => GgufFile.Open(path));
        Assert.StartsWith("model.gguf: magic number at offset 0: not a GGUF file, ", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void APathThatIsNoFileIsNamed()
    {
        using TemporaryFolder folder = new();
        Assert.Contains("is a folder", Assert.Throws<IOException>(() => GgufFile.Open(folder.Path)).Message, StringComparison.Ordinal);
        string missing = folder.File("missing.gguf");
        Assert.Equal($"{missing}: no such file", Assert.Throws<FileNotFoundException>(() => GgufFile.Open(missing)).Message);
        Assert.Throws<ArgumentException>(() => GgufFile.Open(""));
    }

    [Fact]
    public void ARefusedFileIsClosed()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("model.gguf", "not a model"u8);
        Assert.Throws<GgufFormatException>(() => GgufFile.Open(path));
        using FileStream exclusive = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Assert.Equal(11, exclusive.Length);
    }

    [Fact]
    public void AClosedFileRefusesItsValues()
    {
        using TemporaryFolder folder = new();
        GgufWriter writer = new();
        writer.Set("k", "v");
        writer.AddTensor("t", 0, [1], new byte[4]);
        writer.Write(folder.File("model.gguf"));
        GgufFile file = GgufFile.Open(folder.File("model.gguf"));
        Assert.NotEqual(0, file.Tensors[0].Address);
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Metadata.GetString("k"));
        Assert.Throws<ObjectDisposedException>(() => file.Tensors[0].Address);
        Assert.Throws<ObjectDisposedException>(() => file.Tensors[0].Bytes.Length);
    }
}
