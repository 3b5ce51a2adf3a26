using Quern.Engine.Sampling;
using Quern.Gguf;
using Quern.Models.Quantization;
using Quern.TestKit;

namespace Quern.Engine.Tests;

/// <summary>Models that keep a state instead of keys and values do all that others do: it lies in the pages, at the end of each whole one and behind the last token.</summary>
public sealed class RecurrentTests : IDisposable
{
    private const float Tolerance = 2e-4f;
    private const int Context = 200;
    private static readonly int[] Tokens = [.. Enumerable.Range(0, 100).Select(i => 3 + (i * 37 % 500))];
    private readonly string _saved = Path.Combine(Path.GetTempPath(), $"quern-session-{Guid.NewGuid():N}.bin");

    public static TheoryData<string> Names => ["mamba", "rwkv6"];

    public void Dispose() => File.Delete(_saved);

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void Chunks_and_single_tokens_are_the_whole(string name)
    {
        float[] expected;
        using (QuernModel whole = Load(name))
        using (Session session = whole.CreateSession()) expected = session.Evaluate(Tokens).ToArray();
        foreach (int batch in new[] { 1, 7, 32, 33, 99 })
        {
            using QuernModel chunked = Load(name, new ModelOptions { BatchTokens = batch });
            using Session session = chunked.CreateSession();
            AssertClose(expected, session.Evaluate(Tokens));
        }
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void A_truncated_session_goes_on_as_if_the_rest_had_never_been(string name)
    {
        using QuernModel model = Load(name, new ModelOptions { CacheTokens = 4 * Context });
        using Session plain = model.CreateSession(), original = model.CreateSession();
        float[] next = original.Evaluate(Tokens).ToArray();
        foreach (int length in new[] { 99, 97, 96, 95, 70, 65, 64, 63, 33, 32, 31, 1, 0, 100 })
        {
            plain.Truncate(0);
            float[] expected = plain.Evaluate([.. Tokens[..length], 9, 8]).ToArray();
            using Session cut = original.Fork();
            cut.Truncate(length);
            Assert.Equal(Tokens[..length], cut.Tokens.ToArray());
            AssertClose(expected, cut.Evaluate([9, 8]));
            // Once more, from where it is now.
            cut.Truncate(length);
            AssertClose(expected, cut.Evaluate([9, 8]));
        }

        // The one that was forked saw nothing of it.
        plain.Truncate(0);
        next = plain.Evaluate([.. Tokens, 5]).ToArray();
        AssertClose(next, original.Evaluate([5]));
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void What_is_computed_again_needs_a_page(string name)
    {
        using QuernModel model = Load(name, new ModelOptions { CacheTokens = 128 });
        using Session session = model.CreateSession();
        session.Evaluate(Tokens);
        using Session fork = session.Fork();
        // All four pages are held by both; none is free for the tokens 64 to 69 of one.
        Assert.Throws<ContextFullException>(() => fork.Truncate(70));
        Assert.Equal(64, fork.Length);
        fork.Truncate(32);
        session.Truncate(0);
        session.Dispose();
        fork.Evaluate([9]);
        Assert.Equal(33, fork.Length);
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void A_restored_session_goes_on_as_if_never_saved(string name)
    {
        foreach (int length in new[] { 1, 32, 61 })
        {
            float[] expected;
            using (QuernModel model = Load(name))
            using (Session session = model.CreateSession())
            {
                session.Evaluate(Tokens.AsSpan(0, length));
                session.Save(_saved);
                expected = session.Evaluate(Tokens.AsSpan(length)).ToArray();
            }

            using QuernModel again = Load(name, new ModelOptions { CacheTokens = 2 * Context });
            using Session taken = again.CreateSession();
            taken.Evaluate([1, 2, 3]); // so that it gets other pages
            using Session restored = again.RestoreSession(_saved);
            Assert.Equal(expected, restored.Evaluate(Tokens.AsSpan(length)).ToArray());
        }
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public async Task Requests_beside_each_other_get_what_each_would_get_alone(string name)
    {
        using QuernModel model = Load(name, new ModelOptions { CacheTokens = 4096, BatchTokens = 40 });
        await using InferenceEngine engine = new(model, new EngineOptions { MaxSequences = 6, PromptTokensBesideOthers = 24 });
        int[][] prompts = [Tokens[..70], Tokens[..5], Tokens[..90], [.. Tokens[..64], 4], Tokens[20..52], Tokens[..33]];
        await Together(name, engine, [.. prompts.Select((prompt, i) => (prompt, i == 2 ? Greedy(150, shift: true) : Greedy(20 + (15 * i))))]);
        EngineRequest samples = engine.Submit(Tokens.AsSpan(0, 45), Greedy(30), samples: 3);
        for (int sample = 0; sample < 3; sample++) Assert.Equal(Alone(name, Tokens[..45], Greedy(30)), await Read(samples, sample));
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public async Task Who_lacks_pages_begins_again_and_says_the_same(string name)
    {
        using QuernModel model = Load(name, new ModelOptions { CacheTokens = 96 });
        await using InferenceEngine engine = new(model);
        EngineRequest request = engine.Submit(Tokens.AsSpan(0, 3), Greedy(50), samples: 2);
        List<int> expected = Alone(name, Tokens[..3], Greedy(50));
        for (int sample = 0; sample < 2; sample++) Assert.Equal(expected, await Read(request, sample));
        Assert.True(engine.Statistics.Preemptions > 0);
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public async Task A_known_prefix_is_gone_on_from_at_the_end_of_its_last_whole_page(string name)
    {
        using QuernModel model = Load(name, new ModelOptions { CacheTokens = 1024 });
        await using InferenceEngine engine = new(model);
        int[] first = Tokens[..80], second = [.. Tokens[..70], 7, 7, 7];
        Assert.Equal(Alone(name, first, Greedy(30)), await Read(engine.Submit(first, Greedy(30)), 0));
        Assert.Equal(0, engine.Statistics.CachedTokens);
        Assert.Equal(Alone(name, second, Greedy(30)), await Read(engine.Submit(second, Greedy(30)), 0));
        Assert.Equal(64, engine.Statistics.CachedTokens);
    }

    [SharedTheory]
    [MemberData(nameof(Names))]
    public async Task A_running_sequence_holds_the_pages_of_its_state_only(string name)
    {
        // Three pages, for a text of sixteen.
        using QuernModel model = Load(name, new ModelOptions { ContextLength = 600, CacheTokens = 96 });
        await using InferenceEngine engine = new(model);
        Assert.Equal(500, (await Read(engine.Submit(Tokens.AsSpan(0, 10), Greedy(500)), 0)).Count);
        Assert.Equal(0, engine.Statistics.Preemptions);
    }

    [SharedTheory]
    [InlineData("mamba", "the text")]
    [InlineData("mamba", "the model")]
    [InlineData("mamba", "a coarse model")]
    [InlineData("mamba", "nonsense")]
    [InlineData("rwkv6", "the text")]
    [InlineData("rwkv6", "the model")]
    [InlineData("rwkv6", "a coarse model")]
    [InlineData("rwkv6", "nonsense")]
    public async Task Proposals_that_are_not_kept_leave_no_state(string name, string proposes)
    {
        string path = SharedData.Path("golden", name, "model.gguf");
        if (proposes == "a coarse model") path = Coarse(path);
        using QuernModel model = Load(name, new ModelOptions { CacheTokens = 4096 });
        using QuernModel draft = QuernModel.Load(path, new ModelOptions { Exact = true, Threads = 1, ContextLength = Context, CacheTokens = 4096 });
        // A page that nobody knows goes out again at once when it is given back.
        EngineOptions options = new()
        {
            SharePrefixes = proposes != "nonsense",
            Speculation = new SpeculationOptions { Draft = proposes.EndsWith("model", StringComparison.Ordinal) ? draft : null, MaxTokens = 3, Adaptive = false },
        };
        await using InferenceEngine engine = proposes == "nonsense" ? new(model, options, new NonsenseDrafter()) : new(model, options);
        int[][] prompts = [Tokens[..30], [.. Enumerable.Range(0, 63).Select(i => 3 + (i % 5))], Tokens[..64]];
        await Together(name, engine, [.. prompts.Select(prompt => (prompt, Greedy(70)))]);
        EngineStatistics statistics = engine.Statistics;
        Assert.True(statistics.ProposedTokens > 0);
        if (proposes == "the model") Assert.Equal(statistics.ProposedTokens, statistics.AcceptedTokens);
        else Assert.True(statistics.AcceptedTokens < statistics.ProposedTokens);
        if (proposes == "a coarse model") Assert.True(statistics.AcceptedTokens > 0);
    }

    // A quantised model resembles the one that it comes from.
    private string Coarse(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        new ModelQuantizer(file, new QuantizationRecipe(QuantizationTable.Find("Q8_0")!, ModelShape.Of(file), file.Tensors.Select(tensor => tensor.Name))).Write(_saved);
        return _saved;
    }

    private static QuernModel Load(string name, ModelOptions? options = null) =>
        QuernModel.Load(SharedData.Path("golden", name, "model.gguf"), (options ?? new ModelOptions()) with { Exact = true, Threads = 2, ContextLength = options?.ContextLength ?? Context });

    private static GenerationOptions Greedy(int tokens, bool shift = false) =>
        new() { MaxTokens = tokens, IgnoreEos = true, ShiftKeep = shift ? 3 : null, Sampling = new SamplingOptions { Temperature = 0 } };

    private static List<int> Alone(string name, int[] prompt, GenerationOptions options)
    {
        using QuernModel model = Load(name);
        using Session session = model.CreateSession();
        Generation generation = session.Start(prompt, options);
        List<int> tokens = [];
        while (generation.Step() is var token and not Generation.None) tokens.Add(token);
        return tokens;
    }

    private static async Task Together(string name, InferenceEngine engine, (int[] Prompt, GenerationOptions Options)[] wanted)
    {
        EngineRequest[] requests = [.. wanted.Select(request => engine.Submit(request.Prompt, request.Options))];
        for (int i = 0; i < wanted.Length; i++) Assert.Equal(Alone(name, wanted[i].Prompt, wanted[i].Options), await Read(requests[i], 0));
        // What the last step taught is counted behind it.
        for (int i = 0; i < 1000 && engine.Statistics.Running > 0; i++) await Task.Delay(1);
    }

    private static async Task<List<int>> Read(EngineRequest request, int sample)
    {
        List<int> tokens = [];
        await foreach (GeneratedText piece in request.ReadAsync(sample))
            if (piece.Token != Generation.None) tokens.Add(piece.Token);
        return tokens;
    }

    private static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        float worst = 0;
        for (int i = 0; i < expected.Length; i++) worst = float.IsNaN(actual[i]) ? float.NaN : Math.Max(worst, Math.Abs(expected[i] - actual[i]));
        Assert.True(worst <= Tolerance, $"the largest difference is {worst}");
    }
}
