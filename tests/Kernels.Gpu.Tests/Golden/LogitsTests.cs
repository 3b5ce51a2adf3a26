using Quern.Engine;
using Quern.Kernels.Cpu;
using Quern.TestKit;

namespace Quern.Kernels.Gpu.Tests.Golden;

/// <summary>Tiny models of several families on the card's kernels: the logits of the processor's back end, as an engine reads them.</summary>
public sealed class LogitsTests : DeviceTests
{
    /// <summary>Tokens of the prompt: on a card enough for its tensor cores.</summary>
    private static readonly int Tokens = DeviceUnderTest.IsSimulated ? 3 : 40;

    /// <summary>Models of which a part of the layers stays on the processor, and of which one is simulated.</summary>
    private static readonly (string Name, int Layers)[] Divided =
        [("llama", GpuComputeDevice.All), ("llama-moe", 1), ("rwkv6", 1), ("llama-tied", 1), ("gemma3", 1), ("falcon", 1), ("mpt", 1), ("mix-qwen2-q4_k", 1), ("mix-deepseek2-q3_k", 1)];

    /// <summary>Encoders have no logits, and the models of encoder and decoder run on the processor.</summary>
    private static readonly string[] Others = ["bert", "nomic-bert", "jina-bert", "mix-bert", "t5", "mix-t5", "quants"];

    public static TheoryData<string, int> Models
    {
        get
        {
            TheoryData<string, int> data = [];
            foreach ((string name, int layers) in Divided.Take(DeviceUnderTest.IsSimulated ? 1 : Divided.Length)) data.Add(name, layers);
            if (DeviceUnderTest.IsSimulated || SharedData.Root is null) return data;
            foreach (string name in Directory.GetDirectories(SharedData.Path("golden")).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal))
                if (File.Exists(SharedData.Path("golden", name, "model.gguf")) && !Array.Exists(Others, other => name.StartsWith(other, StringComparison.Ordinal))) data.Add(name, GpuComputeDevice.All);
            return data;
        }
    }

    public static TheoryData<string, KvType, double> Caches
    {
        get
        {
            // Blocks need heads of 32 values, of which only larger models have some.
            string name = DeviceUnderTest.IsSimulated ? "llama" : "mix-qwen2-q4_k";
            TheoryData<string, KvType, double> data = new() { { name, KvType.F16, 2e-3 } };
            if (DeviceUnderTest.IsSimulated) return data;
            data.Add(name, KvType.BF16, 2e-2);
            data.Add(name, KvType.Q8_0, 2e-2);
            data.Add(name, KvType.Q4_0, 0.2);
            return data;
        }
    }

    [SharedTheory]
    [MemberData(nameof(Models))]
    public void ExactLogitsAreThoseOfTheProcessor(string name, int layers) => Assert.InRange(Difference(name, layers, exact: true, KvType.F32), 0, 2e-4);

    [SharedTheory]
    [MemberData(nameof(Models))]
    public void FastLogitsAreNearThoseOfTheProcessor(string name, int layers)
    {
        // Where a choice of experts hangs on a rounding, the processor's own results are as far apart, with a cache of binary16 and with one of binary32: the card's are near the latter then.
        double difference = Difference(name, layers, exact: false, KvType.F16);
        if (difference > 0.1 && OfCaches(name) > 0.1) difference = Difference(name, layers, exact: false, KvType.F16, KvType.F32);
        Assert.InRange(difference, 0, 0.1);
    }

    [SharedTheory]
    [MemberData(nameof(Caches))]
    public void ACacheOfAnyTypeGivesTheProcessorsLogits(string name, KvType type, double tolerance) => Assert.InRange(Difference(name, GpuComputeDevice.All, exact: true, type), 0, tolerance);

    /// <summary>The largest difference of logits behind a prompt and behind single tokens, in their standard deviation.</summary>
    private double Difference(string name, int layers, bool exact, KvType type, KvType? ofProcessor = null)
    {
        using QuernModel processor = Load(name, exact, ofProcessor ?? type), card = Load(name, exact, type, layers);
        Assert.NotEqual(processor.BackendDescription, card.BackendDescription);
        return Difference(processor, card);
    }

    // Of the processor's own results with caches of two types.
    private double OfCaches(string name)
    {
        using QuernModel binary32 = Load(name, exact: false, KvType.F32), binary16 = Load(name, exact: false, KvType.F16);
        return Difference(binary32, binary16);
    }

    private QuernModel Load(string name, bool exact, KvType type, int? layers = null)
    {
        ModelOptions options = new() { Exact = exact, Threads = 1, ContextLength = 64, BatchTokens = 48, KvType = type };
        return QuernModel.Load(SharedData.Path("golden", name, "model.gguf"), layers is { } count ? options with { Device = Devices.Compute(count) } : options);
    }

    private static double Difference(QuernModel one, QuernModel other)
    {
        using Session expected = one.CreateSession(), found = other.CreateSession();
        int[] prompt = [.. Enumerable.Range(0, Tokens).Select(i => ((i * 37) + 11) % one.VocabularySize)];
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
