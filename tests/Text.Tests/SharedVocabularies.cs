using System.Text.Json;
using Quern.Gguf;
using Quern.TestKit;

namespace Quern.Text.Tests;

/// <summary>Tokenizers of the GGUF files beside the checkout, each read once.</summary>
internal static class SharedVocabularies
{
    public static readonly string[] Names = ["bert-bge", "deepseek-coder", "gpt-2", "llama-spm", "phi-3", "starcoder"];

    private static readonly Dictionary<string, Tokenizer> Read = [];

    public static Tokenizer Get(string name) => Open(SharedData.Path("tokenizers", $"ggml-vocab-{name}.gguf"));

    public static Tokenizer Open(string path)
    {
        lock (Read)
        {
            if (Read.TryGetValue(path, out Tokenizer? tokenizer)) return tokenizer;
            using GgufFile file = GgufFile.Open(path);
            return Read[path] = Tokenizer.Create(Vocabulary.Read(file.Metadata.Find));
        }
    }

    public static IEnumerable<(string Text, int[] Ids)> Cases(JsonElement cases) => cases.EnumerateArray()
        .Select(c => (c.GetProperty("text").GetString()!, c.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).ToArray()));
}
