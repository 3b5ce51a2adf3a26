using FsCheck.Xunit;
using Quern.Engine.Sampling;
using Quern.TestKit;

namespace Quern.Engine.Tests.Scheduling;

/// <summary>What requests get is what each would have got alone, whatever else the engine does.</summary>
public sealed class InferenceEngineTests : IDisposable
{
    private readonly TinyModel _file = new();

    public void Dispose() => _file.Dispose();

    private QuernModel Load(int cacheTokens = 1024, int batchTokens = 512) =>
        QuernModel.Load(_file.Path, new ModelOptions { Exact = true, Threads = 2, CacheTokens = cacheTokens, BatchTokens = batchTokens });

    [Fact]
    public async Task A_text_is_the_one_that_a_session_generates()
    {
        using QuernModel model = Load();
        GenerationOptions options = new() { MaxTokens = 40, Sampling = new SamplingOptions { Seed = 11, RepeatPenalty = 1.2f } };
        using Session session = model.CreateSession();
        List<GeneratedText> expected = [.. session.Generate("once and the", options)];
        await using InferenceEngine engine = new(model);
        List<GeneratedText> actual = await Read(engine.GenerateAsync("once and the", options));
        Assert.Equal(expected.Select(piece => (piece.Text, piece.Token, piece.Finish)), actual.Select(piece => (piece.Text, piece.Token, piece.Finish)));
        GenerationStatistics a = expected[^1].Statistics!.Value, b = actual[^1].Statistics!.Value;
        Assert.Equal((a.PromptTokens, a.GeneratedTokens, a.DecodeSteps, a.Seed), (b.PromptTokens, b.GeneratedTokens, b.DecodeSteps, b.Seed));
        Assert.True(b.PromptTime > TimeSpan.Zero && b.DecodeTime > TimeSpan.Zero);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(64)]
    [InlineData(95)]
    public async Task A_full_context_goes_on_without_its_older_half(int keep)
    {
        using QuernModel model = Load();
        int[] prompt = [.. Enumerable.Range(3, 90)];
        GenerationOptions options = new() { MaxTokens = 60, IgnoreEos = true, ShiftKeep = keep, LogProbabilities = 0, Sampling = new SamplingOptions { Temperature = 0 } };
        await using InferenceEngine engine = new(model);
        List<GeneratedText> pieces = await Read(engine.Submit(prompt, options).ReadAsync());
        Assert.Equal((61, FinishReason.Length), (pieces.Count, pieces[^1].Finish));

        // The same by hand: whenever a token finds no room, half of those behind the first ones go.
        List<int> context = [.. prompt], expected = [];
        using Session session = model.CreateSession();
        while (expected.Count < 60)
        {
            if (context.Count > TinyModel.TrainedContext) context.RemoveRange(keep, (context.Count - keep) / 2);
            session.Truncate(0);
            float[] logits = session.Evaluate(context.ToArray()).ToArray();
            foreach (int excluded in TokenChooser.Excluded(model, ignoreEos: true)) logits[excluded] = float.NegativeInfinity;
            expected.Add(Array.IndexOf(logits, logits.Max()));
            context.Add(expected[^1]);
        }

        Assert.Equal(expected, pieces[..60].Select(piece => piece.Token));
        session.Truncate(0);
        Generation generation = session.Start(prompt, options);
        Assert.Equal(expected, Enumerable.Range(0, 60).Select(_ => generation.Step()));
        Assert.Equal(FinishReason.Context, (await Read(engine.Submit(prompt, options with { ShiftKeep = 96 }).ReadAsync()))[^1].Finish);
    }

    [Fact]
    public async Task Log_probabilities_are_those_of_the_logits()
    {
        using QuernModel model = Load();
        GenerationOptions options = new() { MaxTokens = 6, IgnoreEos = true, LogProbabilities = 3, Sampling = new SamplingOptions { Seed = 4, Temperature = 2 } };
        await using InferenceEngine engine = new(model);
        List<GeneratedText> pieces = await Read(engine.Submit([7, 8, 9], options).ReadAsync());
        using Session session = model.CreateSession(), check = model.CreateSession();
        Generation generation = session.Start([7, 8, 9], options);
        float[] logits = check.Evaluate([7, 8, 9]).ToArray();
        for (int i = 0; i < 6; i++)
        {
            int token = generation.Step();
            Assert.Equal(generation.LogProbabilities.ToArray(), pieces[i].LogProbabilities);
            foreach (int excluded in TokenChooser.Excluded(model, ignoreEos: true)) logits[excluded] = float.NegativeInfinity;
            double sum = Math.Log(logits.Sum(logit => Math.Exp(logit)));
            Assert.Equal(pieces[i].Token, token);
            Assert.Equal(logits.Select((logit, id) => (logit, id)).OrderByDescending(pair => pair.logit).Take(3).Select(pair => pair.id).Prepend(token), pieces[i].LogProbabilities!.Select(p => p.Token));
            Assert.All(pieces[i].LogProbabilities!, p => Assert.Equal(logits[p.Token] - sum, p.LogProbability, 1e-3));
            if (i < 5) logits = check.Evaluate([token]).ToArray();
        }

        Assert.Null(pieces[^1].LogProbabilities);
    }

    [Property(MaxTest = 40)]
    public void Requests_together_get_what_each_gets_alone(int seed) => Together(new Random(seed), Load).GetAwaiter().GetResult();

    [SharedTheory]
    [InlineData("gemma3")] // some layers have a window
    [InlineData("phi3-swa")] // all have
    public async Task So_do_requests_to_models_with_windows(string name)
    {
        for (int seed = 0; seed < 20; seed++)
        {
            await Together(
                new Random(seed),
                (cacheTokens, batchTokens) => QuernModel.Load(
                    SharedData.Path("golden", name, "model.gguf"), new ModelOptions { Exact = true, Threads = 1, ContextLength = 128, CacheTokens = cacheTokens, BatchTokens = batchTokens }));
        }
    }

    // Prompts with common beginnings, several texts of one prompt, small steps, a cache that is too small for all, some who leave early.
    private static async Task Together(Random random, Func<int, int, QuernModel> load)
    {
        using QuernModel model = load(32 * random.Next(4, 12), random.Next(1, 3) * 20);
        EngineOptions options = new() { MaxSequences = random.Next(3, 7), PromptTokensBesideOthers = random.Next(1, 40), SharePrefixes = random.Next(3) > 0 };
        int[][] prompts = [.. Enumerable.Range(0, 7).Select(_ => Enumerable.Range(0, random.Next(1, 90)).Select(i => 3 + (i * 37 % 250)).ToArray())];
        GenerationOptions[] wanted = [.. prompts.Select(_ => new GenerationOptions { MaxTokens = random.Next(1, 30), IgnoreEos = true, Sampling = new SamplingOptions { Seed = (ulong)random.Next(1000) } })];
        int[] samples = [.. prompts.Select(_ => random.Next(4) == 0 ? 3 : 1)];
        List<Task> readers = [];
        await using (InferenceEngine engine = new(model, options))
        {
            for (int i = 0; i < prompts.Length; i++)
            {
                EngineRequest request = engine.Submit(prompts[i], wanted[i], samples[i], priority: random.Next(2));
                for (int s = 0; s < samples[i]; s++) readers.Add(Check(model, prompts[i], wanted[i], s, request, leavesAfter: random.Next(5) == 0 ? random.Next(5) : int.MaxValue));
            }

            await Task.WhenAll(readers);
            await Idle(engine);
            Assert.Equal((0, 0, 0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.PagesHeld));
        }
    }

    private static async Task Check(QuernModel model, int[] prompt, GenerationOptions options, int sample, EngineRequest request, int leavesAfter)
    {
        List<int> tokens = [];
        FinishReason? finish = null;
        await foreach (GeneratedText piece in request.ReadAsync(sample))
        {
            finish = piece.Finish;
            if (piece.Token != Generation.None) tokens.Add(piece.Token);
            if (tokens.Count >= leavesAfter) return;
        }

        // A model of its own: the engine's cache may be full.
        using QuernModel alone = QuernModel.Load(model.File.Path, model.Options with { CacheTokens = null });
        using Session session = alone.CreateSession();
        Generation generation = session.Start(prompt, options with { Sampling = options.Sampling with { Seed = options.Sampling.Seed + (ulong)sample } });
        List<int> expected = [];
        while (generation.Step() is var token and not Generation.None) expected.Add(token);
        Assert.Equal(expected, tokens);
        Assert.Equal(generation.Finish, finish);
    }

    [Fact]
    public async Task Who_lacks_pages_begins_again_and_says_the_same()
    {
        using QuernModel model = Load(cacheTokens: 96);
        await using InferenceEngine engine = new(model);
        GenerationOptions options = new() { MaxTokens = 50, IgnoreEos = true, Sampling = new SamplingOptions { Seed = 5 } };
        int[][] prompts = [[4, 5, 6], [7, 8, 9, 10]];
        await Task.WhenAll(prompts.Select(prompt => Check(model, prompt, options, 0, engine.Submit(prompt, options), int.MaxValue)));
        Assert.True(engine.Statistics.Preemptions > 0);
    }

    [Fact]
    public async Task The_second_request_with_a_prefix_computes_only_the_rest()
    {
        using QuernModel model = Load();
        await using InferenceEngine engine = new(model);
        int[] prompt = [.. Enumerable.Range(3, 80)];
        GenerationOptions options = new() { MaxTokens = 1, IgnoreEos = true };
        Assert.Equal(0, (await Read(engine.Submit(prompt, options).ReadAsync()))[^1].Statistics!.Value.CachedTokens);
        long computed = engine.Statistics.ComputedTokens;
        Assert.Equal(80, computed);
        Assert.Equal(64, (await Read(engine.Submit(prompt, options).ReadAsync()))[^1].Statistics!.Value.CachedTokens);
        Assert.Equal((16, 64), (engine.Statistics.ComputedTokens - computed, engine.Statistics.CachedTokens));
    }

    [Fact]
    public async Task Texts_of_one_prompt_compute_it_once()
    {
        using QuernModel model = Load();
        await using InferenceEngine engine = new(model);
        int[] prompt = [.. Enumerable.Range(3, 40)];
        EngineRequest request = engine.Submit(prompt, new GenerationOptions { MaxTokens = 5, IgnoreEos = true, Sampling = new SamplingOptions { Seed = 1, Temperature = 3 } }, samples: 4);
        List<GeneratedText>[] texts = await Task.WhenAll(Enumerable.Range(0, 4).Select(sample => Read(request.ReadAsync(sample))));
        Assert.Equal(40 + (4 * 4), engine.Statistics.ComputedTokens);
        Assert.Equal(4, texts.Select(pieces => string.Join(' ', pieces.Select(piece => piece.Token))).Distinct().Count());
        Assert.Throws<InvalidOperationException>(() => { request.ReadAsync(0); });
    }

    [Fact]
    public async Task A_stop_text_ends_the_text_and_frees_its_pages()
    {
        using QuernModel model = Load();
        await using InferenceEngine engine = new(model);
        GenerationOptions options = new() { MaxTokens = 60, IgnoreEos = true, Sampling = new SamplingOptions { Seed = 2 } };
        string text = string.Concat((await Read(engine.GenerateAsync("the", options))).Select(piece => piece.Text));
        string stop = text.Substring(text.Length / 2, 2);
        List<GeneratedText> pieces = await Read(engine.GenerateAsync("the", options with { Stop = [stop] }));
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], string.Concat(pieces.Select(piece => piece.Text)));
        Assert.Equal(FinishReason.Stop, pieces[^1].Finish);
        await Idle(engine);
        Assert.Equal(0, engine.Statistics.PagesHeld);
    }

    [Fact]
    public async Task Cancelling_ends_what_runs_and_what_waits()
    {
        // Long enough that nothing ends by itself before.
        using QuernModel model = QuernModel.Load(_file.Path, new ModelOptions { Threads = 1, ContextLength = 50_000 });
        await using InferenceEngine engine = new(model, new EngineOptions { MaxSequences = 1 });
        using CancellationTokenSource cancel = new();
        GenerationOptions options = new() { IgnoreEos = true };
        IAsyncEnumerable<GeneratedText> running = engine.GenerateAsync("the", options, cancel.Token), waiting = engine.GenerateAsync("and", options, cancel.Token);
        await cancel.CancelAsync();
        Assert.Equal(FinishReason.Cancelled, (await Read(running))[^1].Finish);
        Assert.Equal(FinishReason.Cancelled, (await Read(waiting))[^1].Finish);
        await Idle(engine);
        Assert.Equal(0, engine.Statistics.PagesHeld);
    }

    [Fact]
    public async Task Too_much_is_refused_clearly()
    {
        using QuernModel model = Load(cacheTokens: 64);
        InferenceEngine engine = new(model, new EngineOptions { MaxSequences = 2, QueueCapacity = 1 });
        Assert.Contains("the context of 96 tokens", Assert.Throws<ContextFullException>(() => engine.Submit(new int[97])).Message, StringComparison.Ordinal);
        Assert.Contains("the cache of 64 tokens", Assert.Throws<ContextFullException>(() => engine.Submit(new int[70])).Message, StringComparison.Ordinal);
        Assert.Contains("expected at most 2", Assert.Throws<ArgumentOutOfRangeException>(() => engine.Submit([1], samples: 3)).Message, StringComparison.Ordinal);
        Assert.Contains("no token 900", Assert.Throws<ArgumentException>(() => engine.Submit([900])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => engine.Submit([1], new GenerationOptions { Stop = [""] }));
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.Submit([1], new GenerationOptions { LogProbabilities = 101 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.Submit([1], new GenerationOptions { ShiftKeep = -1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.Submit([1], new GenerationOptions { MaxTokens = -1 }));
        EngineBusyException busy = Assert.Throws<EngineBusyException>(() =>
        {
            for (int i = 0; i < 1000; i++) engine.Submit([1], new GenerationOptions { IgnoreEos = true });
        });
        Assert.Equal((1, 1), (busy.Waiting, busy.Capacity));
        await engine.DisposeAsync();
        await engine.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(() => engine.Submit([1]));
    }

    [Fact]
    public async Task Sessions_that_hold_the_cache_make_a_request_fail_and_not_hang()
    {
        using QuernModel model = Load(cacheTokens: 96);
        Session session = model.CreateSession();
        session.Evaluate(new int[70]);
        await using InferenceEngine engine = new(model);
        InvalidOperationException failed = await Assert.ThrowsAsync<InvalidOperationException>(() => Read(engine.Submit([1]).ReadAsync()));
        Assert.IsType<ContextFullException>(failed.InnerException);
        session.Dispose();
        Assert.Equal(2, (await Read(engine.Submit([1], new GenerationOptions { MaxTokens = 1, IgnoreEos = true }).ReadAsync())).Count);
    }

    [Fact]
    public async Task A_disposed_model_fails_requests_and_ends_the_engine()
    {
        QuernModel model = Load();
        InferenceEngine engine = new(model);
        model.Dispose();
        await Assert.ThrowsAsync<InvalidOperationException>(() => Read(engine.Submit([1, 2]).ReadAsync()));
        await engine.DisposeAsync();
    }

    [Fact]
    public async Task Nothing_to_generate_ends_at_once()
    {
        using QuernModel model = Load();
        await using InferenceEngine engine = new(model);
        GeneratedText only = Assert.Single(await Read(engine.GenerateAsync("the", new GenerationOptions { MaxTokens = 0 })));
        Assert.Equal((FinishReason.Length, ""), (only.Finish, only.Text));
    }

    private static async Task<List<GeneratedText>> Read(IAsyncEnumerable<GeneratedText> pieces)
    {
        List<GeneratedText> list = [];
        await foreach (GeneratedText piece in pieces) list.Add(piece);
        return list;
    }

    // Those who stop are swept before the next step.
    private static async Task Idle(InferenceEngine engine)
    {
        for (int i = 0; i < 1000 && engine.Statistics is { Running: > 0 } or { Waiting: > 0 } or { PagesHeld: > 0 }; i++) await Task.Delay(5);
    }
}
