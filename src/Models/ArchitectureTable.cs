using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.Models.Architectures;
using Quern.Models.Parts;

namespace Quern.Models;

/// <summary>An architecture that Quern runs.</summary>
public sealed class ArchitectureEntry
{
    internal ArchitectureEntry(string name, string description, Func<WeightBinder, ModelConfig, int, Model> create, params string[] tested) =>
        (Name, Description, Create, Tested) = (name, description, create, tested.Length == 0 ? [name] : tested);

    /// <summary>The name as <c>general.architecture</c> of a GGUF file has it.</summary>
    public string Name { get; }

    /// <summary>The models that use it.</summary>
    public string Description { get; }

    /// <summary>Its models in the reference data, whose outputs are compared with those of independent engines: one variant of the architecture each.</summary>
    public IReadOnlyList<string> Tested { get; }

    /// <summary>Whether mixes of weight types have rules of their own for it, as llama.cpp has them.</summary>
    internal bool HasOwnMix { get; init; }

    /// <summary>Whether mixes give more bits to V where eight heads share one in 80 blocks, as llama.cpp does.</summary>
    internal bool WidensTinyValues { get; init; }

    /// <summary>Binds the tensors, for a runtime context length.</summary>
    internal Func<WeightBinder, ModelConfig, int, Model> Create { get; }
}

/// <summary>Every architecture. A new one is a file in the folder Architectures and a line here; tests enumerate the table.</summary>
public static class ArchitectureTable
{
    /// <summary>The architectures.</summary>
    public static IReadOnlyList<ArchitectureEntry> All { get; } =
    [
        new("llama", "Llama 1-3, Mistral, Mixtral, SmolLM, TinyLlama and others of that form", (w, c, n) => new Llama(w, c, n),
            "llama", "llama-bias", "llama-linear", "llama-moe", "llama-ropefreqs", "llama-tied", "llama-yarn", "mistral-nemo", "mix-llama-moe-q4_k", "stories260K") { WidensTinyValues = true },
        new("qwen2", "Qwen 2 and 2.5", (w, c, n) => new Qwen2(w, c, n), "qwen2", "qwen2-tied", "mix-qwen2-q4_k") { WidensTinyValues = true },
        new("qwen3", "Qwen 3", (w, c, n) => new Qwen3(w, c, n)),
        new("qwen3moe", "Qwen 3 with experts", (w, c, n) => new Qwen3(w, c, n), "qwen3moe", "mix-qwen3moe-q8_0"),
        new("gemma", "Gemma 1", (w, c, n) => new Gemma(w, c, n)),
        new("gemma2", "Gemma 2", (w, c, n) => new Gemma2(w, c, n), "gemma2", "gemma2-26l", "gemma2-46l", "mix-gemma2-q5_k"),
        new("gemma3", "Gemma 3, text", (w, c, n) => new Gemma3(w, c, n)),
        new("phi3", "Phi 3, 3.5 and 4", (w, c, n) => new Phi3(w, c, n), "phi3", "phi3-longrope-long", "phi3-longrope-short", "phi3-swa", "mix-phi3-iq4_xs"),
        new("gpt2", "GPT-2", (w, c, _) => new Gpt2(w, c)),
        new("starcoder", "SantaCoder and StarCoder 1", (w, c, _) => new StarCoder(w, c)),
        new("starcoder2", "StarCoder 2", (w, c, n) => new StarCoder2(w, c, n), "starcoder2", "mix-starcoder2-q2_k"),
        new("bloom", "BLOOM", (w, c, _) => new Bloom(w, c)),
        new("mpt", "MPT", (w, c, _) => new Mpt(w, c)),
        new("refact", "Refact", (w, c, _) => new Refact(w, c)),
        new("falcon", "Falcon 7B, 40B and 180B", (w, c, n) => new Falcon(w, c, n), "falcon", "falcon-40b") { HasOwnMix = true },
        new("gptneox", "GPT-NeoX, Pythia", (w, c, n) => new GptNeoX(w, c, n), "gptneox", "gptneox-seq"),
        new("phi2", "Phi 1, 1.5 and 2", (w, c, n) => new Phi2(w, c, n)),
        new("stablelm", "StableLM 3B, StableLM 2", (w, c, n) => new StableLm(w, c, n), "stablelm", "stablelm-12b"),
        new("baichuan", "Baichuan 1 and 2", (w, c, n) => new Baichuan(w, c, n), "baichuan-7b", "baichuan-13b"),
        new("internlm2", "InternLM 2", (w, c, n) => new InternLm2(w, c, n)),
        new("xverse", "XVERSE", (w, c, n) => new Xverse(w, c, n)),
        new("orion", "Orion", (w, c, n) => new Orion(w, c, n)),
        new("qwen", "Qwen 1", (w, c, n) => new Qwen(w, c, n)),
        new("exaone", "EXAONE 3 and 3.5", (w, c, n) => new Exaone(w, c, n)),
        new("ernie4_5", "ERNIE 4.5, dense", (w, c, n) => new Ernie45(w, c, n)),
        new("smollm3", "SmolLM 3", (w, c, n) => new SmolLm3(w, c, n)),
        new("granite", "Granite 3", (w, c, n) => new Granite(w, c, n)),
        new("granitemoe", "Granite 3 with experts", (w, c, n) => new Granite(w, c, n)),
        new("minicpm", "MiniCPM 1 and 2", (w, c, n) => new MiniCpm(w, c, n)),
        new("olmo", "OLMo 1", (w, c, n) => new Olmo(w, c, n)),
        new("olmo2", "OLMo 2", (w, c, n) => new Olmo2(w, c, n)),
        new("olmoe", "OLMoE", (w, c, n) => new OlmoE(w, c, n)),
        new("nemotron", "Nemotron 4, Minitron", (w, c, n) => new Nemotron(w, c, n)),
        new("command-r", "Command R and R+", (w, c, n) => new CommandR(w, c, n)),
        new("cohere2", "Command R7B, Command A", (w, c, n) => new Cohere2(w, c, n)),
        new("chatglm", "ChatGLM 2 and 3, GLM 4 (9B)", (w, c, n) => new ChatGlm(w, c, n)),
        new("glm4", "GLM 4 0414, GLM Z1", (w, c, n) => new Glm4(w, c, n)),
        new("qwen2moe", "Qwen 1.5 and 2 with experts", (w, c, n) => new Qwen2Moe(w, c, n)),
        new("phimoe", "Phi 3.5 with experts", (w, c, n) => new PhiMoe(w, c, n)),
        new("deepseek", "DeepSeek MoE", (w, c, n) => new DeepSeek(w, c, n)),
        new("deepseek2", "DeepSeek 2, 2.5, 3 and R1", (w, c, n) => new DeepSeek2(w, c, n), "deepseek2", "deepseek2-lite", "deepseek2-mla", "deepseek2-v3", "mix-deepseek2-q3_k"),
        new("minicpm3", "MiniCPM 3", (w, c, n) => new MiniCpm3(w, c, n)),
        new("mamba", "Mamba 1", (w, c, _) => new Mamba(w, c)),
        new("rwkv6", "RWKV 6 (Finch)", (w, c, _) => new Rwkv6(w, c)),
        new("bert", "BERT, MiniLM, BGE, E5, GTE and other encoders of that form", (w, c, _) => new Bert(w, c), "bert-mean", "bert-cls", "mix-bert-q4_0"),
        new("nomic-bert", "Nomic Embed 1 and 1.5, encoder", (w, c, n) => new NomicBert(w, c, n)),
        new("jina-bert-v2", "Jina Embeddings 2, encoder", (w, c, _) => new JinaBert2(w, c)),
        new("t5", "T5, Flan-T5, mT5 and others of that form, encoder and decoder", (w, c, _) => new T5(w, c), "t5-gated", "t5-relu", "mix-t5-q4_1"),
        new("gpt-oss", "gpt-oss", (w, c, n) => new GptOss(w, c, n), "gpt-oss", "mix-gpt-oss-mxfp4"),
    ];

    /// <summary>The architecture with a name, or null.</summary>
    public static ArchitectureEntry? Find(string name)
    {
        foreach (ArchitectureEntry entry in All)
            if (entry.Name == name) return entry;
        return null;
    }

    /// <summary>Reads the configuration of a file and binds its tensors to a back end.</summary>
    /// <param name="file">The model; it stays open as long as the result is used.</param>
    /// <param name="backend">The back end that computes.</param>
    /// <param name="contextLength">Most tokens of a sequence at run time; it chooses between long and short rope factors.</param>
    /// <param name="progress">Told after every tensor.</param>
    /// <exception cref="ModelFormatException">The architecture is not known, or a tensor or value is not what it expects.</exception>
    /// <exception cref="GgufFormatException">A metadata key is missing or of another type.</exception>
    public static Model Load(GgufFile file, Backend backend, int contextLength, IProgress<LoadProgress>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 1);
        string name = file.Metadata.GetString("general.architecture");
        ArchitectureEntry entry = Find(name) ?? throw new ModelFormatException(
            file.Path, "metadata key 'general.architecture'", $"'{name}' is not known; expected one of {string.Join(", ", All.Select(known => known.Name))}");
        WeightBinder weights = new(file, backend, progress);
        Model model = entry.Create(weights, ModelConfig.Read(file), contextLength);
        weights.Finish(name);
        model.WeightBytes = weights.WeightBytes;
        return model;
    }
}
