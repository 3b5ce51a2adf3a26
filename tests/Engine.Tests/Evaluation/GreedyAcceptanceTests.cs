using FsCheck.Xunit;
using Quern.Engine.Evaluation;
using Quern.Engine.Sampling;

namespace Quern.Engine.Tests.Evaluation;

public sealed class GreedyAcceptanceTests : IDisposable
{
    private const float Noise = 0.15f;
    private static readonly int[] Prompt = [1, 40, 270, 99];
    private static readonly AcceptanceOptions Long = new() { MaxTokens = 60, IgnoreEos = true };
    private readonly List<IDisposable> _files = [];
    private readonly QuernModel _target;

    public GreedyAcceptanceTests() => _target = Load(new TinyModel());

    public void Dispose() => _files.ForEach(file => file.Dispose());

    [Fact]
    public void A_model_accepts_all_of_its_own_proposals()
    {
        AcceptanceText text = new GreedyAcceptance(_target, _target, Long).Measure(Prompt);
        Assert.Equal([1, 2, 4, 8], text.Counts.Select(count => count.DraftLength));
        Assert.All(text.Counts, count =>
        {
            Assert.Equal((1.0, count.DraftLength), (count.Share, count.MeanAcceptedLength));
            Assert.Equal((Long.MaxTokens + count.DraftLength) / (count.DraftLength + 1), count.Rounds);
        });
    }

    [Fact]
    public void The_text_is_what_greedy_generation_gives()
    {
        using Session session = _target.CreateSession();
        GenerationOptions greedy = new() { MaxTokens = 60, IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0 } };
        AcceptanceText text = new GreedyAcceptance(_target, _target, Long).Measure(Prompt);
        Assert.Equal(Run(session.Start(Prompt, greedy)), text.Tokens);
        Assert.Equal((4, false), (text.PromptTokens, text.Ended));
    }

    [Theory]
    [InlineData(Noise)]
    [InlineData(2)]
    public void Counts_are_those_of_rounds_run_one_by_one(float noise)
    {
        QuernModel draft = Load(new TinyModel(noise: noise));
        AcceptanceText text = new GreedyAcceptance(_target, draft, Long with { DraftLengths = [1, 3, 8] }).Measure(Prompt);
        Assert.Equal(new[] { 1, 3, 8 }.Select(length => Simulate(draft, length)), text.Counts);
        if (noise == Noise) Assert.All(text.Counts, count => Assert.InRange(count.Share, 0.05, 0.95));
    }

    [Fact]
    public void A_text_that_ends_has_no_proposals_behind_its_end()
    {
        IReadOnlyList<int> whole = new GreedyAcceptance(_target, _target, Long).Measure(Prompt).Tokens;
        int at = Enumerable.Range(6, 40).First(i => !whole.Take(i).Contains(whole[i]));
        QuernModel ending = Load(new TinyModel(eos: whole[at]));
        AcceptanceText text = new GreedyAcceptance(ending, ending, Long with { IgnoreEos = false }).Measure(Prompt);
        Assert.True(text.Ended);
        Assert.Equal(whole.Take(at + 1), text.Tokens);
        Assert.All(text.Counts, count =>
        {
            Assert.Equal(1, count.Share);
            // Every round gives a token beside its proposals; only one that proposes the end does not.
            Assert.Equal(at + 1, count.Accepted + count.Rounds - ((at + 1) % (count.DraftLength + 1) == 0 ? 0 : 1));
        });
    }

    [Property(MaxTest = 500)]
    public void Rounds_are_played_as_they_are_told(int seed, byte length, byte limit, bool ended, byte k)
    {
        Random random = new(seed);
        int[] chosen = [.. Enumerable.Range(0, 1 + (length % 60)).Select(_ => random.Next(2))];
        int[] drafted = [.. chosen.Select(token => random.Next(4) == 0 ? 1 - token : token)];
        int most = 1 + (limit % 70), draftLength = 1 + (k % 9);
        List<(int Proposed, int Accepted)> rounds = [];
        for (int at = 0; at < chosen.Length && at < most;)
        {
            int left = chosen.Length - at;
            if (left < draftLength && !ended) break;
            int proposed = 0, accepted = 0;
            bool agreed = true;
            for (; proposed < draftLength && proposed < left; proposed++)
            {
                agreed &= chosen[at + proposed] == drafted[at + proposed];
                if (agreed) accepted++;
            }

            rounds.Add((proposed, accepted));
            at += accepted + 1;
        }

        Assert.Equal(
            new AcceptanceCount(draftLength, rounds.Count, rounds.Sum(round => round.Proposed), rounds.Sum(round => round.Accepted)),
            AcceptanceCount.Play(chosen, drafted, most, ended, draftLength));
    }

    [Fact]
    public void Rows_behind_the_last_token_are_never_chosen()
    {
        // As many tokens, more rows: the models go together, and no row without a token gets into the text.
        QuernModel padded = Load(new TinyModel(padding: 13));
        AcceptanceText text = new GreedyAcceptance(padded, padded, Long).Measure(Prompt);
        Assert.All(text.Tokens, token => Assert.InRange(token, 0, TinyModel.VocabularySize - 1));
        Assert.All(text.Counts, count => Assert.Equal(1, count.Share));
        Assert.Equal(Long.MaxTokens, new GreedyAcceptance(_target, padded, Long).Measure(Prompt).Tokens.Count);
    }

    [Fact]
    public void A_full_context_leaves_only_whole_rounds()
    {
        GreedyAcceptance acceptance = new(_target, _target, Long with { MaxTokens = 500 });
        Assert.Equal(TinyModel.TrainedContext - 8, acceptance.MostPromptTokens);
        AcceptanceText text = acceptance.Measure(Prompt);
        Assert.Equal(TinyModel.TrainedContext - 4 + 1, text.Tokens.Count);
        Assert.All(text.Counts, count => Assert.Equal((text.Tokens.Count + 1) / (count.DraftLength + 1), count.Rounds));
        Assert.All(acceptance.Measure([.. Enumerable.Repeat(9, acceptance.MostPromptTokens)]).Counts, count => Assert.True(count.Rounds >= 1));
        string message = Assert.Throws<ArgumentException>(() => acceptance.Measure([.. Enumerable.Repeat(9, acceptance.MostPromptTokens + 1)])).Message;
        Assert.Contains("89 tokens; expected at most 88", message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => acceptance.Measure([]));
    }

    [Fact]
    public void Different_vocabularies_are_refused_and_shown()
    {
        QuernModel other = Load(new TinyModel(lastWord: "or\n"));
        string message = Assert.Throws<ArgumentException>(() => new GreedyAcceptance(_target, other)).Message;
        Assert.Contains("""token 274 is "er" in the target, "or\n" in the draft""", message, StringComparison.Ordinal);
        string beginning = Assert.Throws<ArgumentException>(() => new GreedyAcceptance(_target, Load(new TinyModel(addBos: false)))).Message;
        Assert.Contains("a text begins with token 1 in the target, with no token in the draft", beginning, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new GreedyAcceptance(_target, _target, Long with { DraftLengths = [] }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new GreedyAcceptance(_target, _target, Long with { DraftLengths = [2, 0] }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new GreedyAcceptance(_target, _target, Long with { MaxTokens = 0 }));
        Assert.Throws<ArgumentException>(() => new AcceptanceCount(1, 1, 1, 1).And(new AcceptanceCount(2, 1, 1, 1)));
    }

    [Fact]
    public void Cancelling_ends_the_measurement() =>
        Assert.Throws<OperationCanceledException>(() => new GreedyAcceptance(_target, _target).Measure(Prompt, new CancellationToken(true)));

    private QuernModel Load(TinyModel file)
    {
        QuernModel model = QuernModel.Load(file.Path, new ModelOptions { Exact = true, Threads = 1 });
        _files.AddRange([model, file]);
        return model;
    }

    private static List<int> Run(Generation generation)
    {
        List<int> tokens = [];
        for (int token = generation.Step(); token != Generation.None; token = generation.Step()) tokens.Add(token);
        return tokens;
    }

    /// <summary>Rounds as an engine runs them: the draft generates, the target is asked about each token, one after the other.</summary>
    private AcceptanceCount Simulate(QuernModel draft, int length)
    {
        using Session large = _target.CreateSession(), small = draft.CreateSession();
        List<int> text = [.. Prompt];
        (int rounds, int accepted) = (0, 0);
        for (; text.Count - Prompt.Length < Long.MaxTokens; rounds++)
        {
            foreach (int proposal in Greedy(small, text, length))
            {
                if (Greedy(large, text, 1)[0] != proposal) break;
                text.Add(proposal);
                accepted++;
            }

            text.Add(Greedy(large, text, 1)[0]);
        }

        return new AcceptanceCount(length, rounds, (long)rounds * length, accepted);
    }

    // The session keeps what it has of the text but for the last token: behind that generation begins.
    private static List<int> Greedy(Session session, List<int> text, int count)
    {
        if (session.Length >= text.Count) session.Truncate(text.Count - 1);
        GenerationOptions greedy = new() { MaxTokens = count, IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0 } };
        int held = session.Length;
        List<int> tokens = Run(session.Start([.. text.Skip(held)], greedy));
        // Proposals stay in the session; they may be wrong.
        session.Truncate(text.Count);
        return tokens;
    }
}
