using static Quern.Text.PreTokenizers.ClassScanners;
using static Quern.Text.PreTokenizers.RarePatterns;
using static Quern.Text.PreTokenizers.WordScanners;

namespace Quern.Text.PreTokenizers;

/// <summary>
/// All pre-tokenizers, under the names that the converters to GGUF write. The expressions are those of the models' own
/// tokenizer.json; where llama.cpp simplifies one (o200k, kimi-k2: its std::regex knows neither upper case nor scripts), ours is the model's.
/// Source: llama.cpp, src/llama-vocab.cpp and src/unicode.cpp, 2026.
/// </summary>
internal static class PreTokenizerTable
{
    public static readonly PreTokenizer[] All =
    [
        new(["default"], DefaultPunctuation, Gpt2, NumberRun, ThreeDigits),
        new(["gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum", "modern-bert", "exaone4",
            "mpt", "olmo", "jais", "trillion", "granite-docling"], Gpt2),
        new(["jina-v1-en", "jina-v2-code", "roberta-bpe"], Gpt2) { AddSep = true },
        new(["starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"], SingleNumber, Gpt2),
        new(["falcon"], FalconPunctuation, Gpt2, ThreeDigits),
        new(["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm", "midm-2.0", "lfm2", "jina-v5-nano"], Cl100k(3))
        {
            IgnoreMerges = true,
            AddBos = true,
        },
        new(["dbrx", "smaug-bpe"], Cl100k(3)),
        new(["chatglm-bpe", "glm4"], Cl100k(3)) { NoDefaultBos = true },
        new(["qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2",
            "bailingmoe", "bailingmoe2", "llada-moe"], Cl100k(1)),
        new(["qwen35"], Cl100k(1, marks: true)),
        new(["seed-coder"], Cl100k(1, newlinesAfterPunctuation: false)),
        new(["ufakzeka"], Cl100k(1, contractions: false)),
        new(["laguna"], Lines, Cl100k(1)),
        new(["minicpm5"], NumbersByThree, Cl100k(0)) { IgnoreMerges = true },
        new(["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], O200k(3, contractions: true)),
        new(["granite-embed-multi-97m"], O200k(3, contractions: true)) { IgnoreMerges = true },
        new(["tekken"], O200k(1, contractions: false)) { IgnoreMerges = true, AddBos = true },
        new(["tiny_aya", "cohere2moe"], NumberGroupSplit.BeforeNoLetter, O200k(3, contractions: true)),
        new(["youtu"], YoutuScripts, O200k(1, contractions: true)) { IgnoreMerges = true },
        new(["kimi-k2"], KimiWords) { MergesOptional = true },
        new(["deepseek-llm"], Newline, DeepSeekCasedLetters, DeepSeekPunctuation, TrailingSpace, DeepSeekEastAsian, NumberRun),
        new(["deepseek-coder"], Newline, SpacedLetters, SpacedPunctuation, DeepSeekEastAsian, SingleNumber),
        new(["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"], NumbersByThree, HanAndKana, DeepSeekWords(newlinesAfterPunctuation: true)),
        new(["spark2_5"], NumbersByThree, HanAndKana, DeepSeekWords(newlinesAfterPunctuation: false), SingleNumber),
        new(["afmoe"], NumberGroupSplit.All, AfmoeScripts, DeepSeekWords(newlinesAfterPunctuation: true)),
        new(["poro-chat", "bloom", "gpt3-finnish"], BloomWords),
        new(["viking"], BloomWords, SingleNumber),
        new(["superbpe"], NumberRun, NumberGroupSplit.Between),
        new(["exaone-moe"], ExaoneWords),
        new(["jais-2"], JaisWords),
        new(["chameleon"], ChameleonSentinel, ChameleonImage, ChameleonSpace, SingleNumber, ChameleonPunctuation, Gpt2) { AddBos = true },
        new(["gemma4", "granite-embed-multi-311m"], Lines) { PlainCharacters = true, ForcedBos = true, WholeNewlines = true },
        new(["sarvam-moe"], Lines) { PlainCharacters = true },
    ];

    private static readonly Dictionary<string, PreTokenizer> ByName =
        All.SelectMany(p => p.Names, (p, name) => (name, p)).ToDictionary(x => x.name, x => x.p, StringComparer.Ordinal);

    /// <exception cref="NotSupportedException">No pre-tokenizer of this name.</exception>
    public static PreTokenizer Find(string name) => ByName.TryGetValue(name, out PreTokenizer? found) ? found : throw new NotSupportedException(
        $"tokenizer.ggml.pre is '{name}', and this library has no such pre-tokenizer. If the model splits text like one that it has, "
        + $"name that one as the pre-tokenizer override: {string.Join(", ", ByName.Keys.Order(StringComparer.Ordinal))}");
}
