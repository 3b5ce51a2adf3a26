using Quern.Engine.Sampling;

namespace Quern.Engine.Tests;

public sealed class GenerationTests : IDisposable
{
    private static readonly GenerationOptions Greedy = new() { Sampling = new SamplingOptions { Temperature = 0 }, IgnoreEos = true };
    private readonly TinyModel _file = new();
    private readonly QuernModel _model;

    public GenerationTests() => _model = QuernModel.Load(_file.Path, new ModelOptions { Exact = true, Threads = 1 });

    public void Dispose()
    {
        _model.Dispose();
        _file.Dispose();
    }

    [Fact]
    public void Greedy_is_the_largest_logit_again_and_again()
    {
        List<int> expected = Reference([1, 40, 41], 20);
        using Session session = _model.CreateSession();
        Assert.Equal(expected, Run(session.Start([1, 40, 41], Greedy with { MaxTokens = 20 })));
    }

    [Fact]
    public void Two_generations_in_a_row_are_one_long_one()
    {
        List<int> expected = Reference([1, 40, 41], 20);
        using Session session = _model.CreateSession();
        List<int> got = Run(session.Start([1, 40, 41], Greedy with { MaxTokens = 8 }));
        Assert.Equal(3 + 7, session.Length);
        got.AddRange(Run(session.Start([], Greedy with { MaxTokens = 12 })));
        Assert.Equal(expected, got);
    }

    [Fact]
    public void Statistics_count_what_was_computed()
    {
        using Session session = _model.CreateSession();
        Generation generation = session.Start([1, 40, 41], Greedy with { MaxTokens = 8 });
        Run(generation);
        GenerationStatistics statistics = generation.Statistics;
        Assert.Equal((3, 8, 7), (statistics.PromptTokens, statistics.GeneratedTokens, statistics.DecodeSteps));
        Assert.True(statistics.PromptTime > TimeSpan.Zero && statistics.DecodeTime > TimeSpan.Zero);
        Assert.True(statistics.PromptTokensPerSecond > 0 && statistics.TokensPerSecond > 0);
    }

    [Fact]
    public void A_generation_ends_when_the_limit_is_reached()
    {
        using Session session = _model.CreateSession();
        Generation generation = session.Start([1], Greedy with { MaxTokens = 2 });
        Assert.NotEqual(Generation.None, generation.Step());
        Assert.Null(generation.Finish);
        Assert.NotEqual(Generation.None, generation.Step());
        Assert.Equal(FinishReason.Length, generation.Finish);
        Assert.Equal(Generation.None, generation.Step());
    }

    [Fact]
    public void A_limit_of_no_tokens_computes_nothing()
    {
        using Session session = _model.CreateSession();
        Generation generation = session.Start([1], Greedy with { MaxTokens = 0 });
        Assert.Equal(Generation.None, generation.Step());
        Assert.Equal((FinishReason.Length, 0), (generation.Finish, session.Length));
    }

    [Fact]
    public void A_generation_ends_when_the_context_is_full()
    {
        using Session session = _model.CreateSession();
        Generation generation = session.Start([1, 40], Greedy);
        // The last token chosen needs no room: nothing comes behind it.
        Assert.Equal(TinyModel.TrainedContext - 2 + 1, Run(generation).Count);
        Assert.Equal((FinishReason.Context, 0), (generation.Finish, session.Remaining));
    }

    [Fact]
    public void The_end_of_the_text_ends_the_generation_unless_it_is_ignored()
    {
        GenerationOptions wantsEos = Greedy with { MaxTokens = 5, Sampling = Greedy.Sampling with { LogitBias = new Dictionary<int, float> { [TinyModel.Eos] = 1000 } } };
        using Session session = _model.CreateSession();
        Generation ignored = session.Start([1, 40], wantsEos);
        Assert.DoesNotContain(TinyModel.Eos, Run(ignored));
        Assert.Equal(FinishReason.Length, ignored.Finish);
        session.Truncate(0);
        Generation ended = session.Start([1, 40], wantsEos with { IgnoreEos = false });
        Assert.Empty(Run(ended));
        Assert.Equal((FinishReason.Eos, 0), (ended.Finish, ended.Statistics.GeneratedTokens));
    }

    [Fact]
    public void Rows_behind_the_last_token_are_never_chosen()
    {
        using TinyModel file = new(padding: 13);
        using QuernModel model = QuernModel.Load(file.Path, new ModelOptions { Threads = 1 });
        Assert.Equal(TinyModel.VocabularySize + 13, model.VocabularySize);
        Assert.Contains("275 tokens", Assert.Single(model.Warnings), StringComparison.Ordinal);
        using Session session = model.CreateSession();
        Dictionary<int, float> bias = Enumerable.Range(TinyModel.VocabularySize, 13).ToDictionary(id => id, _ => 1000f);
        Assert.All(Run(session.Start([1], Greedy with { MaxTokens = 20, Sampling = Greedy.Sampling with { LogitBias = bias } })), token => Assert.InRange(token, 0, TinyModel.VocabularySize - 1));
    }

    [Fact]
    public void A_cancelled_generation_keeps_what_it_has()
    {
        using CancellationTokenSource cancel = new();
        using Session session = _model.CreateSession();
        List<GeneratedText> pieces = [];
        foreach (GeneratedText piece in session.Generate("once", Greedy with { MaxTokens = 50 }, cancel.Token))
        {
            pieces.Add(piece);
            if (pieces.Count == 4) cancel.Cancel();
        }

        Assert.Equal(FinishReason.Cancelled, pieces[^1].Finish);
        Assert.Equal(4, pieces.Count(piece => piece.Token >= 0));
        Assert.Equal(4, pieces[^1].Statistics!.Value.GeneratedTokens);
    }

    [Fact]
    public void Cancelling_during_the_prompt_ends_without_a_token()
    {
        using Session session = _model.CreateSession();
        GeneratedText only = Assert.Single(session.Generate("once", Greedy, new CancellationToken(true)));
        Assert.Equal((FinishReason.Cancelled, Generation.None), (only.Finish, only.Token));
    }

    [Fact]
    public void A_stop_text_ends_the_text_before_it()
    {
        using Session session = _model.CreateSession();
        string whole = string.Concat(session.Generate("once and", Greedy with { MaxTokens = 60 }).Select(piece => piece.Text));
        Assert.True(whole.Length > 8);
        string stop = whole.Substring(whole.Length / 2, 2);
        session.Truncate(0);
        List<GeneratedText> pieces = [.. session.Generate("once and", Greedy with { MaxTokens = 60, Stop = [stop] })];
        Assert.Equal(FinishReason.Stop, pieces[^1].Finish);
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], string.Concat(pieces.Select(piece => piece.Text)));
    }

    [Fact]
    public async Task Asynchronous_text_is_the_same_text()
    {
        using Session session = _model.CreateSession();
        List<GeneratedText> expected = [.. session.Generate("once and", Greedy with { MaxTokens = 30 })];
        session.Truncate(0);
        List<GeneratedText> got = [];
        await foreach (GeneratedText piece in session.GenerateAsync("once and", Greedy with { MaxTokens = 30 })) got.Add(piece);
        Assert.Equal(expected.Select(piece => (piece.Text, piece.Token, piece.Finish)), got.Select(piece => (piece.Text, piece.Token, piece.Finish)));
    }

    [Fact]
    public void The_same_seed_gives_the_same_text()
    {
        GenerationOptions options = new() { MaxTokens = 30, IgnoreEos = true, Sampling = new SamplingOptions { Seed = 11, Temperature = 2, TopK = 0 } };
        using Session session = _model.CreateSession();
        Generation first = session.Start([1], options);
        List<int> expected = Run(first);
        Assert.Equal(11ul, first.Statistics.Seed);
        session.Truncate(0);
        Assert.Equal(expected, Run(session.Start([1], options)));
        session.Truncate(0);
        Assert.NotEqual(expected, Run(session.Start([1], options with { Sampling = options.Sampling with { Seed = 12 } })));
    }

    [Fact]
    public void Sampling_with_everything_on_runs()
    {
        SamplingOptions all = new() { Seed = 1, DryMultiplier = 0.8f, RepeatPenalty = 1.1f, TypicalP = 0.9f, XtcProbability = 0.5f, XtcThreshold = 0.1f };
        using Session session = _model.CreateSession();
        Assert.Equal(40, Run(session.Start("the and once", new GenerationOptions { MaxTokens = 40, Sampling = all, IgnoreEos = true })).Count);
    }

    [Fact]
    public void A_prompt_too_long_for_the_context_is_refused_before_anything_is_computed()
    {
        using Session session = _model.CreateSession();
        ContextFullException e = Assert.Throws<ContextFullException>(() => session.Start([.. Enumerable.Repeat(5, 97)], Greedy));
        Assert.Contains("97 more were given", e.Message, StringComparison.Ordinal);
        Assert.Equal(0, session.Length);
    }

    [Fact]
    public void An_empty_prompt_begins_with_the_token_for_the_beginning()
    {
        using Session session = _model.CreateSession();
        Generation generation = session.Start("", Greedy with { MaxTokens = 1 });
        Run(generation);
        Assert.Equal(1, generation.Statistics.PromptTokens);
        session.Truncate(0);
        Assert.Throws<ArgumentException>(() => session.Start([], Greedy));
    }

    [Fact]
    public void Wrong_options_are_refused()
    {
        using Session session = _model.CreateSession();
        Assert.Throws<ArgumentOutOfRangeException>(() => session.Start([1], Greedy with { MaxTokens = -1 }));
        Assert.Throws<ArgumentException>(() => session.Start([1], Greedy with { Sampling = new SamplingOptions { TopP = 2 } }));
        Assert.Throws<ArgumentException>(() => session.Generate("x", Greedy with { Stop = [""] }));
    }

    private static List<int> Run(Generation generation)
    {
        List<int> tokens = [];
        while (generation.Step() is var token and not Generation.None) tokens.Add(token);
        return tokens;
    }

    private List<int> Reference(int[] prompt, int count)
    {
        using Session session = _model.CreateSession();
        List<int> tokens = [];
        ReadOnlySpan<float> logits = session.Evaluate(prompt);
        while (tokens.Count < count)
        {
            int best = -1;
            for (int i = 0; i < logits.Length; i++)
                if (i != TinyModel.Eos && (best < 0 || logits[i] > logits[best])) best = i;
            tokens.Add(best);
            logits = session.Evaluate([best]);
        }

        return tokens;
    }
}
