using FsCheck.Xunit;
using Quern.Engine.Sampling;

namespace Quern.Engine.Tests.Scheduling;

/// <summary>Speculation changes how fast a text comes and nothing else.</summary>
public sealed class SpeculationTests : IDisposable
{
    private readonly TinyModel _file = new();
    private readonly TinyModel _similar = new(noise: 0.15f);

    public void Dispose()
    {
        _file.Dispose();
        _similar.Dispose();
    }

    private static QuernModel Load(TinyModel file, int cacheTokens = 2048) => QuernModel.Load(file.Path, new ModelOptions { Exact = true, Threads = 1, CacheTokens = cacheTokens });

    [Property(MaxTest = 60)]
    public void Greedy_texts_are_those_without_speculation(int seed) => Compare(new Random(seed)).GetAwaiter().GetResult();

    private async Task Compare(Random random)
    {
        using QuernModel target = Load(_file, 32 * random.Next(6, 20)), draft = Load(random.Next(2) == 0 ? _file : _similar, 32 * random.Next(2, 30)), alone = Load(_file);
        SpeculationOptions speculation = new() { Draft = random.Next(3) == 0 ? null : draft, RememberedTokens = random.Next(2) * random.Next(1, 400), MaxTokens = random.Next(1, 9), Adaptive = random.Next(2) == 0 };
        int[][] prompts = [.. Enumerable.Range(0, 5).Select(_ => Enumerable.Range(0, random.Next(1, 85)).Select(i => 3 + (i * 37 % random.Next(2, 250))).ToArray())];
        GenerationOptions[] wanted = [.. prompts.Select(_ => new GenerationOptions
        {
            MaxTokens = random.Next(1, 70),
            IgnoreEos = random.Next(3) > 0,
            ShiftKeep = random.Next(3) == 0 ? 3 : null,
            Sampling = new SamplingOptions { Temperature = 0, RepeatPenalty = random.Next(2) == 0 ? 1.3f : 1, DryMultiplier = random.Next(3) == 0 ? 0.8f : 0 },
        })];
        await using InferenceEngine engine = new(target, new EngineOptions { MaxSequences = random.Next(1, 5), Speculation = speculation });
        await Task.WhenAll(prompts.Select(async (prompt, i) =>
        {
            List<int> tokens = [];
            FinishReason? finish = null;
            await foreach (GeneratedText piece in engine.Submit(prompt, wanted[i], samples: 1).ReadAsync())
            {
                finish = piece.Finish;
                if (piece.Token != Generation.None) tokens.Add(piece.Token);
            }

            using Session session = alone.CreateSession();
            Generation generation = session.Start(prompt, wanted[i]);
            List<int> expected = [];
            while (generation.Step() is var token and not Generation.None) expected.Add(token);
            Assert.Equal(expected, tokens);
            Assert.Equal(generation.Finish, finish);
        }));
        for (int i = 0; i < 1000 && engine.Statistics is { Running: > 0 } or { PagesHeld: > 0 }; i++) await Task.Delay(1);
        Assert.Equal((0, target.Pages.Count, draft.Pages.Count), (engine.Statistics.Running, target.Pages.FreeCount, draft.Pages.FreeCount));
    }

    [Fact]
    public async Task Proposals_that_are_not_drawn_give_the_text_of_the_seed()
    {
        using QuernModel target = Load(_file);
        GenerationOptions options = new() { MaxTokens = 60, IgnoreEos = true, LogProbabilities = 2, Sampling = new SamplingOptions { Seed = 7, TopK = 3 } };
        int[] prompt = [.. Enumerable.Range(0, 30).Select(i => 3 + (i % 5))];
        async Task<List<GeneratedText>> Texts(IDrafter? drafter)
        {
            await using InferenceEngine engine = new(target, new EngineOptions { Speculation = drafter is null ? null : new SpeculationOptions { Adaptive = false } }, drafter);
            List<GeneratedText> pieces = [];
            await foreach (GeneratedText piece in engine.Submit(prompt, options).ReadAsync()) pieces.Add(piece);
            Assert.Equal(drafter is not null, engine.Statistics.ProposedTokens > 0);
            return pieces;
        }

        List<GeneratedText> plain = await Texts(null), proposed = await Texts(new NgramDrafter());
        Assert.Equal(plain.Select(piece => piece.Token), proposed.Select(piece => piece.Token));
        foreach ((GeneratedText a, GeneratedText b) in plain.Zip(proposed).Where(pair => pair.First.LogProbabilities is not null))
            Assert.All(a.LogProbabilities!.Zip(b.LogProbabilities!), pair => Assert.Equal(pair.First.LogProbability, pair.Second.LogProbability, 1e-3));
    }

    [Fact]
    public async Task The_same_model_as_draft_is_always_right_and_saves_steps()
    {
        using QuernModel target = Load(_file), draft = Load(_file);
        await using InferenceEngine engine = new(target, new EngineOptions { Speculation = new SpeculationOptions { Draft = draft, MaxTokens = 4, Adaptive = false } });
        GenerationOptions options = new() { MaxTokens = 51, IgnoreEos = true, Sampling = new SamplingOptions { Seed = 3, RepeatPenalty = 1.1f } };
        await foreach (GeneratedText piece in engine.Submit([4, 5, 6], options).ReadAsync()) Assert.NotNull(piece.Text);
        Assert.Equal(engine.Statistics.ProposedTokens, engine.Statistics.AcceptedTokens);
        Assert.Equal(11, engine.Statistics.Steps); // the prompt, then five tokens a step
    }

    [Fact]
    public void A_draft_with_other_tokens_is_refused()
    {
        using TinyModel other = new(lastWord: "ly");
        using QuernModel target = Load(_file), draft = Load(other);
        ArgumentException refused = Assert.Throws<ArgumentException>(() => new InferenceEngine(target, new EngineOptions { Speculation = new SpeculationOptions { Draft = draft } }));
        Assert.Contains("token 274 is \"er\" in the target, \"ly\" in the draft", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new[] { 1, 2, 3, 4, 1, 2 }, 2)]
    [InlineData(new[] { 1, 2, 9, 1, 2, 3, 1, 2 }, 5)]
    [InlineData(new[] { 5, 1, 2, 3, 1, 2, 9, 5, 1, 2 }, 3)]
    [InlineData(new[] { 7, 7, 7 }, 2)]
    [InlineData(new[] { 1, 2, 3 }, -1)]
    [InlineData(new[] { 1 }, -1)]
    public void What_followed_the_latest_longest_match_is_found(int[] tokens, int expected) => Assert.Equal(expected, NgramDrafter.Find(tokens));

    [Fact]
    public void As_much_is_proposed_as_pays()
    {
        // A pass costs 1 up to four tokens and one more for each further four.
        StepCosts costs = new(64);
        for (int n = 1; n <= 64; n++) costs.Learn(n, 1 + ((n - 1) / 4));
        Proposal likely = new(8), hopeless = new(8);
        for (int i = 0; i < 100; i++)
        {
            likely.Add(1);
            likely.Learn(1);
            likely.Clear();
            hopeless.Add(1);
            hopeless.Learn(0);
            hopeless.Clear();
        }

        DraftLengths.Choose([likely], [8], others: 0, budget: 16, costs, draftSeconds: 0.01);
        Assert.Equal(3, likely.Wanted);
        DraftLengths.Choose([likely, hopeless], [8, 8], others: 0, budget: 16, costs, draftSeconds: 0.01);
        Assert.Equal((2, 0), (likely.Wanted, hopeless.Wanted));
        DraftLengths.Choose([hopeless], [8], others: 0, budget: 16, costs, draftSeconds: 0.01);
        Assert.Equal(0, hopeless.Wanted);
        DraftLengths.Choose([likely], [8], others: 0, budget: 16, costs, draftSeconds: 5);
        Assert.Equal(0, likely.Wanted);
        for (int i = 0; i < 300; i++) hopeless.Forget();
        DraftLengths.Choose([hopeless], [8], others: 0, budget: 16, costs, draftSeconds: 0.01);
        Assert.True(hopeless.Wanted > 0); // in time it is tried again
    }

    [Fact]
    public void What_is_never_right_loses_two_percent_and_is_tried_again()
    {
        SpeculationBudget budget = new();
        double seconds = 0;
        int tokens = 0, tries = 0;
        void Run(int count, double cost, int gain, Action check)
        {
            for (int end = tokens + count; tokens < end; check())
            {
                bool allowed = budget.Allows(1);
                if (allowed) budget.Tried(cost, gain, 1);
                else budget.Passed(1);
                tries += allowed ? 1 : 0;
                seconds += allowed ? cost : 1;
                tokens += allowed ? gain : 1;
            }
        }

        Run(5000, cost: 1.4, gain: 1, () => Assert.InRange(seconds, tokens, (tokens + 2.41) / 0.98));
        Assert.InRange(tries, 200, 300); // 2 % of the time, at 0.4 a try
        int before = tries;
        (seconds, tokens) = (0, 0);
        Run(3000, cost: 1.4, gain: 3, () => { });
        Assert.InRange(tries - before, 900, 1000); // it is right now, and no more is lost
        Assert.InRange(tokens / seconds, 1.9, 2.15);
        (seconds, tokens, before) = (0, 0, tries);
        Run(1000, cost: 1.4, gain: 1, () => { });
        Assert.InRange(tries - before, 20, 90); // what was won does not pay for long
        Assert.InRange(seconds, 1000, 1035);
    }
}
