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
        SpeculationOptions speculation = new() { Draft = random.Next(3) == 0 ? null : draft, RememberedTokens = random.Next(2) * random.Next(1, 400), MaxTokens = random.Next(1, 9), Branches = random.Next(1, 5), Adaptive = random.Next(2) == 0 };
        int[][] prompts = [.. Enumerable.Range(0, 5).Select(_ => Enumerable.Range(0, random.Next(1, 85)).Select(i => 3 + (i * 37 % random.Next(2, 250))).ToArray())];
        GenerationOptions[] wanted = [.. prompts.Select(_ => new GenerationOptions
        {
            MaxTokens = random.Next(1, 70),
            IgnoreEos = random.Next(3) > 0,
            ShiftKeep = random.Next(3) == 0 ? 3 : null,
            Sampling = new SamplingOptions { Temperature = 0, RepeatPenalty = random.Next(2) == 0 ? 1.3f : 1, DryMultiplier = random.Next(3) == 0 ? 0.8f : 0 },
        })];
        (int[] Tokens, FinishReason? Finish)[] expected = [.. prompts.Select((prompt, i) => Alone(alone, prompt, wanted[i]))];
        EngineOptions options = new() { MaxSequences = random.Next(1, 5), Speculation = speculation };
        IDrafter? drafter = random.Next(3) == 0 ? new ForestDrafter([.. prompts.Zip(expected, (prompt, text) => (int[])[.. prompt, .. text.Tokens])], random.Next()) : null;
        await using InferenceEngine engine = drafter is null ? new(target, options) : new(target, options, drafter);
        await Task.WhenAll(prompts.Select(async (prompt, i) =>
        {
            List<int> tokens = [];
            FinishReason? finish = null;
            await foreach (GeneratedText piece in engine.Submit(prompt, wanted[i], samples: 1).ReadAsync())
            {
                finish = piece.Finish;
                if (piece.Token != Generation.None) tokens.Add(piece.Token);
            }

            Assert.Equal(expected[i].Tokens, tokens);
            Assert.Equal(expected[i].Finish, finish);
        }));
        for (int i = 0; i < 1000 && engine.Statistics is { Running: > 0 } or { PagesHeld: > 0 }; i++) await Task.Delay(1);
        Assert.Equal((0, target.Pages.Count, draft.Pages.Count), (engine.Statistics.Running, target.Pages.FreeCount, draft.Pages.FreeCount));
    }

    private static (int[] Tokens, FinishReason? Finish) Alone(QuernModel model, int[] prompt, GenerationOptions options)
    {
        using Session session = model.CreateSession();
        Generation generation = session.Start(prompt, options);
        List<int> tokens = [];
        while (generation.Step() is var token and not Generation.None) tokens.Add(token);
        return ([.. tokens], generation.Finish);
    }

    [Fact]
    public async Task Proposals_that_are_not_drawn_give_the_text_of_the_seed()
    {
        using QuernModel target = Load(_file);
        GenerationOptions options = new() { MaxTokens = 60, IgnoreEos = true, LogProbabilities = 2, Sampling = new SamplingOptions { Seed = 7, TopK = 3 } };
        int[] prompt = [.. Enumerable.Range(0, 30).Select(i => 3 + (i % 5))];
        async Task<List<GeneratedText>> Texts(IDrafter? drafter, int branches = 1)
        {
            await using InferenceEngine engine = new(target, new EngineOptions { Speculation = drafter is null ? null : new SpeculationOptions { Adaptive = false, Branches = branches } }, drafter);
            List<GeneratedText> pieces = [];
            await foreach (GeneratedText piece in engine.Submit(prompt, options).ReadAsync()) pieces.Add(piece);
            Assert.Equal(drafter is not null, engine.Statistics.ProposedTokens > 0);
            return pieces;
        }

        List<GeneratedText> plain = await Texts(null);
        Compare(await Texts(new NgramDrafter()));
        Compare(await Texts(new NgramDrafter(), branches: 3));
        ForestDrafter forest = new([[.. prompt, .. plain.Where(piece => piece.Token != Generation.None).Select(piece => piece.Token)]], 3);
        Compare(await Texts(forest, branches: 3));
        Assert.True(forest.Trees > 5);
        void Compare(List<GeneratedText> proposed)
        {
            Assert.Equal(plain.Select(piece => piece.Token), proposed.Select(piece => piece.Token));
            foreach ((GeneratedText a, GeneratedText b) in plain.Zip(proposed).Where(pair => pair.First.LogProbabilities is not null))
                Assert.All(a.LogProbabilities!.Zip(b.LogProbabilities!), pair => Assert.Equal(pair.First.LogProbability, pair.Second.LogProbability, 1e-3));
        }
    }

    [Fact]
    public async Task A_draft_of_the_same_model_proposes_trees_with_the_right_way_in_them()
    {
        using QuernModel target = Load(_file), draft = Load(_file);
        SpeculationOptions speculation = new() { Draft = draft, MaxTokens = 4, Branches = 3, Adaptive = false };
        await using InferenceEngine engine = new(target, new EngineOptions { Speculation = speculation });
        GenerationOptions options = new() { MaxTokens = 51, IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0 } };
        List<int> tokens = [];
        await foreach (GeneratedText piece in engine.Submit([4, 5, 6], options).ReadAsync())
            if (piece.Token != Generation.None) tokens.Add(piece.Token);
        Assert.Equal(Alone(target, [4, 5, 6], options).Tokens, tokens);
        // The way that is right is the likeliest at each token, but not of all tokens: some steps have it less than four long.
        Assert.InRange(engine.Statistics.Steps, 11, 20);
        Assert.True(engine.Statistics.AcceptedTokens < engine.Statistics.ProposedTokens);
    }

    [Theory]
    [InlineData(new[] { 1, 2, 9, 1, 2, 3, 1, 2 }, new[] { 5, 2 })]
    [InlineData(new[] { 1, 2, 9, 1, 2, 9, 8, 1, 2 }, new[] { 5 })]
    [InlineData(new[] { 4, 1, 2, 9, 1, 2, 3, 4, 1, 2 }, new[] { 3, 6 })]
    [InlineData(new[] { 6, 5 }, new int[0])]
    public void Branches_are_places_that_go_on_in_another_way(int[] tokens, int[] expected)
    {
        int[] places = new int[4];
        Assert.Equal(expected, places[..NgramDrafter.Find(tokens, places)]);
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
        Assert.Equal((10, 0), (engine.Statistics.Proposals, engine.Statistics.SpeedUp)); // steps without, to compare with, are made by adaptive speculation only
    }

    [Fact]
    public async Task Adaptive_speculation_compares_itself_with_steps_without()
    {
        using QuernModel target = Load(_file);
        GenerationOptions options = new() { MaxTokens = 80, IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0 } };
        ForestDrafter drafter = new([[4, 5, 6, .. Alone(target, [4, 5, 6], options).Tokens]], 1);
        await using InferenceEngine engine = new(target, new EngineOptions { Speculation = new SpeculationOptions() }, drafter);
        await foreach (GeneratedText piece in engine.Submit([4, 5, 6], options).ReadAsync()) Assert.NotNull(piece.Text);
        Assert.InRange(engine.Statistics.Proposals, 1, engine.Statistics.Steps);
        Assert.InRange(engine.Statistics.SpeedUp, 0.001, 9);
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
            likely.Keep(0);
            likely.Learn();
            likely.Clear();
            hopeless.Add(1);
            hopeless.Learn();
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
        for (int i = 0; i < 300; i++) hopeless.Chains.Forget();
        DraftLengths.Choose([hopeless], [8], others: 0, budget: 16, costs, draftSeconds: 0.01);
        Assert.True(hopeless.Wanted > 0); // in time it is tried again
        Proposal widely = new(24);
        for (int i = 0; i < 100; i++)
        {
            // Nine times in ten one of a level is right, four times in ten the likeliest.
            widely.Trees.Learn(i % 10 > 0 ? 1 : 0, 1);
            widely.Chains.Learn(i % 10 > 5 ? 1 : 0, 1);
        }

        DraftLengths.Choose([widely], [8], others: 0, budget: 24, costs, draftSeconds: 0.01, branches: 3, treeSeconds: 0.01);
        Assert.Equal((3, 3), (widely.Branches, widely.Wanted)); // one level at the cost of a plain pass
        DraftLengths.Choose([widely], [8], others: 0, budget: 24, costs, draftSeconds: 0.01, branches: 3, treeSeconds: 0.9);
        Assert.Equal((1, 3), (widely.Branches, widely.Wanted)); // trees are drafted too slowly
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
