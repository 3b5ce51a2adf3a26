using System.Text.Json;
using Quern.TestKit;

namespace Quern.Text.Tests;

/// <summary>The ids that Hugging Face's tokenizers and llama.cpp give for the same texts.</summary>
public sealed class SharedVectorTests
{
    public static TheoryData<string> Vocabularies => [.. SharedVocabularies.Names];

    public static TheoryData<string> GoldenModels => SharedData.Root is null
        ? ["absent"]
        : [.. Directory.GetDirectories(SharedData.Path("golden")).Where(d => File.Exists(Path.Combine(d, "tokens.json"))).Select(d => Path.GetFileName(d)!).Order()];

    [SharedTheory]
    [MemberData(nameof(Vocabularies))]
    public void HuggingFacesVectors(string name)
    {
        string path = SharedData.Path("tokenizers", $"ggml-vocab-{name}.gguf");
        string[] texts = File.ReadAllText(path + ".inp").Split("\n__ggml_vocab_test__\n");
        string[] expected = File.ReadAllLines(path + ".out");
        Tokenizer tokenizer = SharedVocabularies.Get(name);
        int compared = 0;
        for (int i = 0; i < expected.Length; i++, compared++)
        {
            string ids = string.Join(' ', tokenizer.Encode(texts[i], addSpecial: false, parseSpecial: false));
            Assert.True(expected[i].Trim() == ids, $"{name} #{i} '{texts[i]}'\nexpected {expected[i]}\nfound    {ids}");
        }

        Assert.True(compared > 40, $"only {compared} texts");
    }

    [SharedTheory]
    [MemberData(nameof(Vocabularies))]
    public void LlamaCppsFuzzVectors(string name)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(SharedData.Path("tokenizers", $"{name}.fuzz.json")));
        Assert.Equal(json.RootElement.GetArrayLength(), Check(SharedVocabularies.Get(name), name, json.RootElement, parseSpecial: false));
    }

    [SharedTheory]
    [MemberData(nameof(GoldenModels))]
    public void GoldenModelsTexts(string model)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(SharedData.Path("golden", model, "tokens.json")));
        if (!json.RootElement.TryGetProperty("tokenize", out JsonElement cases)) return;
        string path = SharedData.Path("golden", model, "model.gguf");
        Assert.Equal(cases.GetArrayLength(), Check(SharedVocabularies.Open(path), model, cases, parseSpecial: true));
    }

    private static int Check(Tokenizer tokenizer, string name, JsonElement cases, bool parseSpecial)
    {
        int count = 0;
        foreach ((string text, int[] ids) in SharedVocabularies.Cases(cases))
        {
            int[] found = tokenizer.Encode(text, addSpecial: true, parseSpecial);
            Assert.True(ids.AsSpan().SequenceEqual(found), $"{name} #{count} '{text}'\nexpected {string.Join(' ', ids)}\nfound    {string.Join(' ', found)}");
            count++;
        }

        return count;
    }
}
