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
        while (generation.Step() is var token and not Generation.None) expected.Add(token);

        // The window's pages, and the one that is written.
        using QuernModel small = QuernModel.Load(model.File.Path, model.Options with { CacheTokens = Kernels.Cpu.KvLayout.PageTokens * (Kernels.Cpu.KvLayout.PagesFor(Math.Max(window, prompt.Length)) + 1) });
        Assert.InRange(small.Pages.Count, 2, 6);
        await using InferenceEngine engine = new(small);
        List<int> tokens = [];
        await foreach (GeneratedText piece in engine.Submit(prompt, options).ReadAsync())
            if (piece.Token != Generation.None) tokens.Add(piece.Token);
        Assert.Equal(expected, tokens);
        Assert.Equal(0, engine.Statistics.Preemptions);
    }

    [SharedFact]
    public async Task Sequences_of_a_model_with_windows_in_some_layers_find_room_for_more_tokens_than_whole_pages_hold()
    {
        using QuernModel model = QuernModel.Load(SharedData.Path("golden", "gemma3", "model.gguf"), new ModelOptions { Exact = true, Threads = 1, ContextLength = 400, CacheTokens = 512 });
        Assert.Equal(OperatingSystem.IsLinux(), model.Pages.Costs.Cut < model.Pages.Costs.Page);
        GenerationOptions options = new() { MaxTokens = 320, IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0 } };
        int[][] prompts = [[.. Enumerable.Range(3, 40)], [.. Enumerable.Range(50, 33)]];
        List<int>[] expected = [[], []];
        for (int i = 0; i < prompts.Length; i++)
        {
            using Session session = model.CreateSession();
            Generation generation = session.Start(prompts[i], options);
            while (generation.Step() is var token and not Generation.None) expected[i].Add(token);
        }

        await using InferenceEngine engine = new(model);
        List<int>[] found = [[], []];
        await Task.WhenAll(Enumerable.Range(0, prompts.Length).Select(async i =>
        {
            await foreach (GeneratedText piece in engine.Submit(prompts[i], options).ReadAsync())
                if (piece.Token != Generation.None) found[i].Add(piece.Token);
        }));
        Assert.Equal(expected, found);
        // Together they have 713 tokens at the end, and whole pages for 512.
        Assert.Equal(OperatingSystem.IsLinux(), engine.Statistics.Preemptions == 0);
    }
}
