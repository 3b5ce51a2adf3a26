using Quern.Engine;
using Quern.Engine.Sampling;
using Quern.TestKit;

namespace Quern.Kernels.Gpu.Tests.Golden;

/// <summary>Texts whose tokens the card selects are those that all its logits give.</summary>
public sealed class TextTests : DeviceTests
{
    private static readonly int Tokens = DeviceUnderTest.IsSimulated ? 2 : 20;

    public static TheoryData<string, float, int> Samplings
    {
        get
        {
            TheoryData<string, float, int> data = new() { { "llama", 1.3f, 4 } };
            if (DeviceUnderTest.IsSimulated) return data;
            data.Add("llama", 0, 40);
            data.Add("mix-qwen2-q4_k", 0.8f, 40);
            data.Add("mix-qwen2-q4_k", 3, 60);
            return data;
        }
    }

    [SharedTheory]
    [MemberData(nameof(Samplings))]
    public void SelectedTokensAreThoseOfAllLogits(string name, float temperature, int topK)
    {
        using QuernModel model = QuernModel.Load(SharedData.Path("golden", name, "model.gguf"), new ModelOptions { Threads = 1, ContextLength = 64, BatchTokens = 8, Device = Devices.Compute() });
        SamplingOptions sampling = new() { Seed = 4, Temperature = temperature, TopK = topK };
        int[] text = Write(model, sampling, Tokens);

        // A bias that adds nothing wants all logits.
        Assert.Equal(Write(model, sampling with { LogitBias = new Dictionary<int, float> { [5] = 0 } }, 0), text);
    }

    private static int[] Write(QuernModel model, SamplingOptions sampling, int selected)
    {
        using Session session = model.CreateSession();
        Generation generation = session.Start([7], new GenerationOptions { MaxTokens = Tokens, IgnoreEos = true, Sampling = sampling });
        int[] text = [.. Enumerable.Range(0, Tokens).Select(_ => generation.Step())];
        Assert.Equal(selected, generation.Statistics.SelectedTokens);
        return text;
    }
}
