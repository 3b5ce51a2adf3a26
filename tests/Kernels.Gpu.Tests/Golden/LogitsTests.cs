using Quern.Engine;
using Quern.TestKit;

namespace Quern.Kernels.Gpu.Tests.Golden;

/// <summary>Tiny models of several families on the card's kernels, simulated: the logits of the processor's back end, as an engine reads them.</summary>
public sealed class LogitsTests
{
    private const int Tokens = 5;

    [SharedTheory]
    [InlineData("llama", GpuComputeDevice.All)]
    [InlineData("llama-tied", 1)]
    [InlineData("gemma2", GpuComputeDevice.All)]
    [InlineData("llama-moe", 1)]
    [InlineData("qwen3moe", GpuComputeDevice.All)]
    [InlineData("mamba", GpuComputeDevice.All)]
    [InlineData("rwkv6", 1)]
    [InlineData("gpt-oss", GpuComputeDevice.All)]
    public void ExactLogitsAreThoseOfTheProcessor(string name, int layers) => Assert.InRange(Difference(name, layers, exact: true), 0, 2e-4);

    [SharedTheory]
    [InlineData("mix-qwen2-q4_k", GpuComputeDevice.All)]
    [InlineData("mix-gemma2-q5_k", 1)]
    public void FastLogitsAreNearThoseOfTheProcessor(string name, int layers) => Assert.InRange(Difference(name, layers, exact: false), 0, 0.1);

    /// <summary>The largest difference of logits behind a prompt and behind single tokens, in their standard deviation.</summary>
    private static double Difference(string name, int layers, bool exact)
    {
        string path = SharedData.Path("golden", name, "model.gguf");
        ModelOptions options = new() { Exact = exact, Threads = 1, ContextLength = 64, BatchTokens = 8 };
        using QuernModel processor = QuernModel.Load(path, options);
        using QuernModel card = QuernModel.Load(path, options with { Device = new GpuComputeDevice { Kind = GpuKind.Simulated, Layers = layers, MemoryBytes = 256 << 20 } });
        Assert.Contains("simulated", card.BackendDescription, StringComparison.Ordinal);
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
