using System.Text.Json;
using Quern.TestKit;

namespace Quern.Gguf.Tests;

/// <summary>Files that other programs wrote: every reference model and vocabulary opens, and says what its records say.</summary>
public sealed class GoldenFileTests
{
    [SharedFact]
    public void EveryFileOpens()
    {
        string[] paths = [.. Directory.EnumerateFiles(SharedData.Root!, "*.gguf", SearchOption.AllDirectories)];
        Assert.True(paths.Length > 100);
        foreach (string path in paths)
        {
            using GgufFile file = GgufFile.Open(path);
            Assert.Equal(new FileInfo(path).Length, file.FileBytes);
            Assert.InRange(file.Version, 2, 3);
            Assert.NotEmpty(file.Metadata.GetString("general.architecture"));
            Assert.All(file.Metadata.Entries, entry => Assert.NotNull(entry.Read()));
            long end = 0;
            foreach (GgufTensor tensor in file.Tensors)
            {
                Assert.True(file.TryGetTensor(tensor.Name, out GgufTensor? found));
                Assert.Same(tensor, found);
                Assert.Equal(0, tensor.Address % file.Alignment);
                Assert.Equal(tensor.ByteLength, tensor.Bytes.Length);
                end = Math.Max(end, tensor.Offset + tensor.ByteLength);
            }

            if (file.Tensors.Count != 0) Assert.InRange(file.FileBytes - end, 0, file.Alignment - 1);
        }
    }

    [SharedFact]
    public void TypesHaveTheRecordedNumbersAndBlocks()
    {
        foreach (string folder in Directory.EnumerateDirectories(SharedData.Path("golden", "quants")))
        {
            using JsonDocument meta = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "meta.json")));
            GgmlType? type = GgmlTypes.Find(meta.RootElement.GetProperty("type").GetString()!);
            Assert.NotNull(type);
            Assert.Equal(meta.RootElement.GetProperty("ggml_type_id").GetInt32(), type.Id);
            Assert.Equal(meta.RootElement.GetProperty("block_elements").GetInt32(), type.BlockLength);
            Assert.Equal(meta.RootElement.GetProperty("block_bytes").GetInt32(), type.BlockBytes);
            using GgufFile file = GgufFile.Open(Path.Combine(folder, "model.gguf"));
            Assert.Contains(file.Tensors, tensor => tensor.TypeId == type.Id);
        }
    }

    [SharedFact]
    public void AVocabularyHasItsTokens()
    {
        using GgufFile file = GgufFile.Open(SharedData.Path("tokenizers", "ggml-vocab-gpt-2.gguf"));
        string[] tokens = file.Metadata.GetStringArray("tokenizer.ggml.tokens");
        Assert.Equal(50257, tokens.Length);
        Assert.Equal("!", tokens[0]);
        Assert.Equal("<|endoftext|>", tokens[50256]);
        Assert.Equal("gpt2", file.Metadata.GetString("tokenizer.ggml.model"));
        Assert.Equal("arr[str,50257]", file.Metadata.FindEntry("tokenizer.ggml.tokens")!.TypeName);
    }
}
