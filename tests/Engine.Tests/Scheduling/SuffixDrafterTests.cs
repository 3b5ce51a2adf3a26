using FsCheck.Xunit;
using Quern.Engine.Sampling;

namespace Quern.Engine.Tests.Scheduling;

public sealed class SuffixDrafterTests
{
    [Property(MaxTest = 300)]
    public void The_longest_end_that_stands_in_a_text_is_followed_while_the_text_grows(int seed)
    {
        Random random = new(seed);
        int words = random.Next(1, 5);
        SuffixAutomaton automaton = new(200);
        List<int> text = [], followed = [];
        int state = SuffixAutomaton.Root, length = 0;
        while (automaton.Count < automaton.Capacity)
        {
            for (int i = random.Next(4); i > 0 && automaton.Count < automaton.Capacity; i--)
            {
                int token = random.Next(words);
                automaton.Append(token);
                text.Add(token);
            }

            int next = random.Next(words + 1); // one token is never in the text
            (List<int> before, int known) = ([.. followed], length);
            followed.Add(next);
            automaton.Step(ref state, ref length, next);
            Assert.Equal(text, automaton.Text.ToArray());
            // Of what stood there before the step and the token: what was appended since may have made more of it stand there.
            int longest = Longest(text, before[^known..], next);
            Assert.Equal(longest, length);
            if (length > 0) Assert.Equal(followed[^length..], text[(automaton.End(state, length) - length)..automaton.End(state, length)]);
        }

        Assert.Throws<InvalidOperationException>(() => automaton.Append(0));
        automaton.Clear();
        Assert.Equal(0, automaton.Count);
        (state, length) = (SuffixAutomaton.Root, 0);
        automaton.Step(ref state, ref length, 0);
        Assert.Equal(0, length);
    }

    [Fact]
    public async Task A_text_that_was_generated_before_is_proposed_and_right()
    {
        using TinyModel file = new();
        using QuernModel model = QuernModel.Load(file.Path, new ModelOptions { Exact = true, Threads = 1 });
        await using InferenceEngine engine = new(model, new EngineOptions { Speculation = new SpeculationOptions { RememberedTokens = 1000, MaxTokens = 4, Adaptive = false } });
        GenerationOptions options = new() { MaxTokens = 61, IgnoreEos = true, Sampling = new SamplingOptions { Seed = 11, Temperature = 1.5f, TopK = 0 } };
        List<int> first = await Tokens(engine, [4, 5, 6], options);
        EngineStatistics before = engine.Statistics;
        Assert.Equal(first, await Tokens(engine, [4, 5, 6], options));
        EngineStatistics after = engine.Statistics;
        Assert.InRange(after.AcceptedTokens - before.AcceptedTokens, 46, 48); // four of five tokens
        Assert.InRange(after.Steps - before.Steps, 13, 15);
    }

    [Theory]
    [InlineData(200, true)]
    [InlineData(100, false)]
    public async Task Old_texts_are_forgotten(int remembered, bool known)
    {
        using TinyModel file = new();
        using QuernModel model = QuernModel.Load(file.Path, new ModelOptions { Exact = true, Threads = 1 });
        await using InferenceEngine engine = new(model, new EngineOptions { Speculation = new SpeculationOptions { RememberedTokens = remembered, MaxTokens = 4, Adaptive = false } });
        List<long> accepted = [];
        foreach (int word in new[] { 30, 60, 90, 120, 30 })
        {
            long before = engine.Statistics.AcceptedTokens;
            await Tokens(engine, [word, word + 1], new GenerationOptions { MaxTokens = 25, IgnoreEos = true, Sampling = new SamplingOptions { Seed = (ulong)word, Temperature = 3, TopK = 0 } });
            accepted.Add(engine.Statistics.AcceptedTokens - before);
        }

        // Four texts of 28 tokens with their end: two halves of 100 hold them, two of 50 hold the last two.
        Assert.All(accepted[..4], count => Assert.InRange(count, 0, 5));
        Assert.Equal(known, accepted[^1] > 15);
    }

    private static async Task<List<int>> Tokens(InferenceEngine engine, int[] prompt, GenerationOptions options)
    {
        List<int> tokens = [];
        await foreach (GeneratedText piece in engine.Submit(prompt, options).ReadAsync())
            if (piece.Token != Generation.None) tokens.Add(piece.Token);
        for (int i = 0; i < 1000 && engine.Statistics.Running > 0; i++) await Task.Delay(1); // what has ended is remembered in the next step
        return tokens;
    }

    private static int Longest(List<int> text, List<int> end, int next)
    {
        int[] all = [.. text];
        for (int length = end.Count + 1; length > 0; length--)
        {
            int[] wanted = [.. end[(end.Count + 1 - length)..], next];
            if (all.AsSpan().IndexOf(wanted) >= 0) return length;
        }

        return 0;
    }
}
