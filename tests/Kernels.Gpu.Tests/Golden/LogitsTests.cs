using Quern.Engine;
using Quern.TestKit;

namespace Quern.Kernels.Gpu.Tests.Golden;

/// <summary>Tiny models of several families on the card's kernels: the logits of the processor's back end, as an engine reads them.</summary>
public sealed class LogitsTests
{
    private const int Tokens = 3;

    /// <summary>Models, and layers on the card; the first is simulated, all are computed where there is a card.</summary>
    private static readonly (string Name, int Layers)[] All =
    [
        ("llama", GpuComputeDevice.All), ("llama-moe", 1), ("rwkv6", 1),
        ("llama-tied", 1), ("gemma2", GpuComputeDevice.All), ("gemma3", 1), ("qwen2", GpuComputeDevice.All), ("qwen3", GpuComputeDevice.All), ("qwen3moe", GpuComputeDevice.All),
        ("mamba", GpuComputeDevice.All), ("gpt-oss", GpuComputeDevice.All), ("deepseek2-mla", GpuComputeDevice.All), ("phi3", GpuComputeDevice.All), ("falcon", 1),
        ("gpt2", GpuComputeDevice.All), ("bloom", GpuComputeDevice.All), ("mpt", 1), ("chatglm", GpuComputeDevice.All), ("cohere2", GpuComputeDevice.All),
    ];

    private static readonly (string Name, int Layers)[] AllFast =
    [
        ("mix-qwen2-q4_k", 1),
        ("mix-gemma2-q5_k", 1), ("mix-llama-moe-q4_k", GpuComputeDevice.All), ("mix-qwen3moe-q8_0", GpuComputeDevice.All), ("mix-phi3-iq4_xs", GpuComputeDevice.All),
        ("mix-gpt-oss-mxfp4", GpuComputeDevice.All), ("mix-deepseek2-q3_k", 1), ("mix-starcoder2-q2_k", GpuComputeDevice.All),
    ];

    public static TheoryData<string, int> Exact => Of(All, 1);

    public static TheoryData<string, int> Fast => Of(AllFast, 1);

    [SharedTheory]
    [MemberData(nameof(Exact))]
    public void ExactLogitsAreThoseOfTheProcessor(string name, int layers) => Assert.InRange(Difference(name, layers, exact: true), 0, 2e-4);

    [SharedTheory]
    [MemberData(nameof(Fast))]
    public void FastLogitsAreNearThoseOfTheProcessor(string name, int layers) => Assert.InRange(Difference(name, layers, exact: false), 0, 0.1);

    private static TheoryData<string, int> Of((string Name, int Layers)[] models, int simulated)
    {
        TheoryData<string, int> data = [];
        foreach ((string name, int layers) in models.Take(DeviceUnderTest.IsSimulated ? simulated : models.Length)) data.Add(name, layers);
        return data;
    }

    /// <summary>The largest difference of logits behind a prompt and behind single tokens, in their standard deviation.</summary>
    private static double Difference(string name, int layers, bool exact)
    {
        string path = SharedData.Path("golden", name, "model.gguf");
        ModelOptions options = new() { Exact = exact, Threads = 1, ContextLength = 64, BatchTokens = 8 };
        using QuernModel processor = QuernModel.Load(path, options);
        using QuernModel card = QuernModel.Load(path, options with { Device = new GpuComputeDevice { Kind = DeviceUnderTest.Kind, Layers = layers, MemoryBytes = 256 << 20 } });
        Assert.NotEqual(processor.BackendDescription, card.BackendDescription);
        using Session expected = processor.CreateSession(), found = card.CreateSession();
        int[] prompt = [.. Enumerable.Range(0, Tokens).Select(i => ((i * 37) + 11) % processor.VocabularySize)];
        double worst = Compare(expected.Evaluate(prompt), found.Evaluate(prompt));
        return Math.Max(worst, Compare(expected.Evaluate([7]), found.Evaluate([7])));
    }

    private static double Compare(ReadOnlySpan<float> expected, ReadOnlySpan<float> found)
    {
        double mean = 0, squares = 0, worst = 0;
        foreach (float logit in expected) mean += (double)logit / expected.Length;
        for (int i = 0; i < expected.Length; i++)
        {
            squares += (expected[i] - mean) * (expected[i] - mean);
            Assert.True(float.IsFinite(found[i]), $"logit {i} is {found[i]}");
            worst = Math.Max(worst, Math.Abs((double)expected[i] - found[i]));
        }

        return worst / Math.Sqrt(squares / expected.Length);
    }
}
