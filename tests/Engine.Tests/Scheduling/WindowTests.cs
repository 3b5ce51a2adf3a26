using Quern.Engine.Sampling;
using Quern.TestKit;

namespace Quern.Engine.Tests.Scheduling;

public sealed class WindowTests
{
    [SharedFact]
    public async Task A_model_whose_layers_all_have_a_window_keeps_the_pages_of_the_window_only()
    {
        using QuernModel model = QuernModel.Load(SharedData.Path("golden", "phi3-swa", "model.gguf"), new ModelOptions { Exact = true, Threads = 1, ContextLength = 400, CacheTokens = 400 });
        int window = Assert.NotNull(model.Window);
        GenerationOptions options = new() { MaxTokens = 300, IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0 } };
        int[] prompt = [.. Enumerable.Range(3, 40)];
        using Session session = model.CreateSession();
        Generation generation = session.Start(prompt, options);
        List<int> expected = [];
        int held = 0;
        while (generation.Step() is var token and not Generation.None) expected.Add(token);
        session.Truncate(0);

        await using InferenceEngine engine = new(model);
        List<int> tokens = [];
        await foreach (GeneratedText piece in engine.Submit(prompt, options).ReadAsync())
        {
            if (piece.Token != Generation.None) tokens.Add(piece.Token);
            held = Math.Max(held, engine.Statistics.PagesHeld);
        }

        Assert.Equal(expected, tokens);
        Assert.InRange(held, 1, Kernels.Cpu.KvLayout.PagesFor(Math.Max(window, prompt.Length)) + 1);
    }
}
