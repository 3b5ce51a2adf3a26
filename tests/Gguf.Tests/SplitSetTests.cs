namespace Quern.Gguf.Tests;

/// <summary>Models in several files.</summary>
public sealed class SplitSetTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AllPartsOpenByTheFirst()
    {
        IReadOnlyList<string> paths = WriteThree();
        Assert.Equal(["model-00001-of-00003.gguf", "model-00002-of-00003.gguf", "model-00003-of-00003.gguf"], paths.Select(Path.GetFileName));
        using GgufFile file = GgufFile.Open(paths[0]);
        Assert.Equal(["a", "b", "c", "d"], file.Tensors.Select(tensor => tensor.Name));
        Assert.Equal([0, 1, 1, 2], file.Tensors.Select(tensor => tensor.Part));
        Assert.Equal([1, 2, 3, 4], file.Tensors.Select(tensor => (int)tensor.Bytes[0]));
        Assert.Equal(paths.Sum(path => new FileInfo(path).Length), file.FileBytes);
        Assert.Equal("llama", file.Metadata.GetString("general.architecture"));
        Assert.Equal(4, file.Metadata.GetInt32("split.tensors.count"));
    }

    [Fact]
    public void AnotherPartNamesTheFirst()
    {
        GgufFormatException error = Assert.Throws<GgufFormatException>(() => GgufFile.Open(WriteThree()[1]));
        Assert.Contains("this is part 2 of 3; open the first part, model-00001-of-00003.gguf", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingPartIsNamed()
    {
        IReadOnlyList<string> paths = WriteThree();
        File.Delete(paths[2]);
        Assert.Equal($"{paths[2]}: no such file", Assert.Throws<FileNotFoundException>(() => GgufFile.Open(paths[0])).Message);
    }

    [Fact]
    public void ARenamedSetIsRefused()
    {
        IReadOnlyList<string> paths = WriteThree();
        File.Move(paths[0], _folder.File("model.gguf"));
        AssertRefused(_folder.File("model.gguf"), "this is one of 3 parts; expected a file name that ends in -00001-of-00003.gguf");
        File.Move(_folder.File("model.gguf"), _folder.File("model-00001-of-00004.gguf"));
        AssertRefused(_folder.File("model-00001-of-00004.gguf"), "this is part 1 of 3; expected a file name that ends in -00001-of-00003.gguf");
    }

    [Fact]
    public void ANameWithoutMetadataIsRefused()
    {
        string path = Part("model-00001-of-00002.gguf", null, null, null, "a");
        AssertRefused(path, "the file's name says part 00001 of 00002, its metadata does not; expected split.count");
    }

    [Fact]
    public void PartsOfDifferentSetsAreRefused()
    {
        string first = Part("model-00001-of-00002.gguf", 0, 2, 2, "a");
        Part("model-00002-of-00002.gguf", 0, 2, 2, "b");
        AssertRefused(first, "model-00002-of-00002.gguf: metadata key 'split.no' at offset 44: it is 0; expected 1");
        Part("model-00002-of-00002.gguf", 1, 3, 2, "b");
        AssertRefused(first, "it is 3; the first part says 2");
        Part("model-00002-of-00002.gguf", 1, 2, 2, "a");
        AssertRefused(first, "tensor 'a': part 1 of the split set has it already");
        Part("model-00002-of-00002.gguf", 1, 2, 2, "b", "c");
        AssertRefused(first, "metadata key 'split.tensors.count' at offset 106: it is 2; the 2 parts have 3 tensors");
        Part("model-00002-of-00002.gguf", null, null, null, "b");
        AssertRefused(first, "metadata key 'split.no': the file does not have it");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(100_000)]
    public void ACountOutOfRangeIsRefused(int count) =>
        AssertRefused(Part("model.gguf", 0, count, 1, "a"), $"it is {count}; expected 0 to 99999");

    [Fact]
    public void AWholeFileInMemoryIsNotASet()
    {
        byte[] bytes = File.ReadAllBytes(WriteThree()[0]);
        GgufFormatException error = Assert.Throws<GgufFormatException>(() => GgufFile.FromBytes(bytes, "memory"));
        Assert.Contains("opened by the path of its first part", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OnePartIsAWholeModel()
    {
        GgufWriter writer = new();
        writer.AddTensor("a", 0, [4], new byte[16]);
        string path = Assert.Single(writer.WriteSplit(_folder.File("model"), 1000));
        Assert.Equal("model-00001-of-00001.gguf", Path.GetFileName(path));
        using GgufFile file = GgufFile.Open(path);
        Assert.Equal("a", Assert.Single(file.Tensors).Name);
    }

    private static void AssertRefused(string path, string problem) =>
        Assert.Contains(problem, Assert.Throws<GgufFormatException>(() => GgufFile.Open(path)).Message, StringComparison.Ordinal);

    private IReadOnlyList<string> WriteThree()
    {
        GgufWriter writer = new();
        writer.Set("general.architecture", "llama");
        int[] lengths = [100, 10, 10, 15];
        for (int i = 0; i < lengths.Length; i++)
        {
            byte[] data = new byte[4 * lengths[i]];
            data[0] = (byte)(i + 1);
            writer.AddTensor($"{(char)('a' + i)}", 0, [lengths[i]], data);
        }

        return writer.WriteSplit(_folder.File("model"), 100);
    }

    private string Part(string name, int? number, int? count, int? tensorCount, params string[] tensors)
    {
        GgufWriter writer = new();
        if (number is int no) writer.Set("split.no", no);
        if (count is int parts) writer.Set("split.count", parts);
        if (tensorCount is int all) writer.Set("split.tensors.count", all);
        foreach (string tensor in tensors) writer.AddTensor(tensor, 0, [1], new byte[4]);
        writer.Write(_folder.File(name));
        return _folder.File(name);
    }
}
