using Quern.Engine.Sampling;
using Quern.Kernels.Cpu;

namespace Quern.Engine.Tests.Scheduling;

/// <summary>What each step computes, decided without computing it.</summary>
public sealed class SchedulerTests : IDisposable
{
    private readonly TinyModel _file = new();
    private QuernModel? _model;
    private long _arrivals;

    public void Dispose()
    {
        _model?.Dispose();
        _file.Dispose();
    }

    private Scheduler Create(int pages, EngineOptions options, int batchTokens = 64)
    {
        _model = QuernModel.Load(_file.Path, new ModelOptions { Threads = 1, CacheTokens = pages * KvLayout.PageTokens, BatchTokens = batchTokens });
        return new Scheduler(_model, options);
    }

    private EngineSequence Sequence(int tokens, int priority = 0)
    {
        GenerationOptions options = new() { IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0 } };
        // No two begin alike.
        int[] prompt = [.. Enumerable.Range(0, tokens).Select(i => (3 + (int)_arrivals + i) % TinyModel.VocabularySize)];
        return new EngineSequence(_model!, prompt, options, new TokenChooser(_model!, options, seed: 1), priority) { Arrival = _arrivals++ };
    }

    // A step that computes nothing: every sequence whose tokens are all in gets its next one.
    private static (EngineSequence Sequence, int Tokens)[] Step(Scheduler scheduler)
    {
        scheduler.Sweep();
        scheduler.Schedule();
        float[] logits = new float[TinyModel.VocabularySize];
        logits[100] = 9;
        (EngineSequence, int)[] step = [.. scheduler.Step.Select(sequence => (sequence, sequence.Scheduled))];
        foreach (EngineSequence sequence in scheduler.Step)
        {
            sequence.Advance(publish: false);
            if (sequence.Pending == 0) sequence.Choose(new PassLogits((float[])logits.Clone(), logits.Length), 0);
        }

        return step;
    }

    [Fact]
    public async Task Urgent_sequences_begin_first_and_others_as_they_came()
    {
        Scheduler scheduler = Create(16, new EngineOptions { MaxSequences = 2 });
        EngineSequence first = Sequence(5), second = Sequence(5), third = Sequence(5), urgent = Sequence(5, priority: -1);
        foreach (EngineSequence sequence in new[] { first, second, third, urgent }) scheduler.Add(sequence);
        Assert.Equal([(urgent, 5), (first, 5)], Step(scheduler));
        Assert.Equal((2, 2), (scheduler.RunningCount, scheduler.WaitingCount));
        urgent.Stop(FinishReason.Stop);
        Assert.Equal([(first, 1), (second, 5)], Step(scheduler));
        Assert.Equal(FinishReason.Stop, (await urgent.Output.ReadAsync(1)).Finish);
    }

    [Fact]
    public void A_long_prompt_comes_in_parts_beside_the_tokens_of_others()
    {
        Scheduler scheduler = Create(16, new EngineOptions { PromptTokensBesideOthers = 10 });
        EngineSequence quick = Sequence(3), slow = Sequence(70), late = Sequence(8);
        scheduler.Add(quick);
        Assert.Equal([(quick, 3)], Step(scheduler));
        scheduler.Add(slow);
        scheduler.Add(late);
        for (int part = 0; part < 6; part++) Assert.Equal([(quick, 1), (slow, 10)], Step(scheduler));
        Assert.Equal([(quick, 1), (slow, 10)], Step(scheduler));
        Assert.Equal([(quick, 1), (slow, 1), (late, 8)], Step(scheduler));
    }

    [Fact]
    public void A_step_without_tokens_of_others_takes_whole_prompts()
    {
        Scheduler scheduler = Create(16, new EngineOptions { PromptTokensBesideOthers = 10 }, batchTokens: 64);
        EngineSequence a = Sequence(40), b = Sequence(40);
        scheduler.Add(a);
        scheduler.Add(b);
        Assert.Equal([(a, 40), (b, 24)], Step(scheduler));
        Assert.Equal([(a, 1), (b, 10)], Step(scheduler));
    }

    [Fact]
    public void Nobody_overtakes_one_that_lacks_pages()
    {
        Scheduler scheduler = Create(4, new EngineOptions());
        EngineSequence a = Sequence(60), large = Sequence(80), small = Sequence(2);
        scheduler.Add(a);
        scheduler.Add(large);
        scheduler.Add(small);
        Assert.Equal([(a, 60)], Step(scheduler));
        Assert.Equal([(a, 1)], Step(scheduler));
        a.Stop(FinishReason.Cancelled);
        Assert.Equal([(large, 64)], Step(scheduler));
        Assert.Equal([(large, 16), (small, 2)], Step(scheduler));
    }

    [Fact]
    public void Who_comes_last_gives_its_pages_up_and_begins_again_before_later_ones()
    {
        Scheduler scheduler = Create(4, new EngineOptions());
        EngineSequence a = Sequence(32), b = Sequence(31), c = Sequence(31), later = Sequence(1);
        foreach (EngineSequence sequence in new[] { a, b, c, later }) scheduler.Add(sequence);
        Assert.Equal([(a, 32), (b, 31), (c, 1)], Step(scheduler));
        // a needs a second page, which is there; c's prompt goes on.
        Assert.Equal([(a, 1), (b, 1), (c, 30)], Step(scheduler));
        // b needs one too, and the pool has no more.
        Assert.Equal([(a, 1), (b, 1)], Step(scheduler));
        Assert.Equal((1, 0, 32), (scheduler.Preemptions, c.Computed, c.Tokens.Length));
        a.Stop(FinishReason.Stop);
        Assert.Equal([(b, 1), (c, 32), (later, 1)], Step(scheduler));
    }

    [Fact]
    public async Task The_only_one_that_runs_ends_where_the_cache_does()
    {
        Scheduler scheduler = Create(1, new EngineOptions());
        EngineSequence sequence = Sequence(31);
        scheduler.Add(sequence);
        for (int i = 0; i < 2; i++) Assert.Single(Step(scheduler));
        Assert.Empty(Step(scheduler));
        Assert.Equal(FinishReason.Context, (await sequence.Output.ReadAsync(2)).Finish);
        Assert.Equal(0, _model!.Pages.Count - _model.Pages.FreeCount);
    }

    [Fact]
    public void A_prompt_of_several_texts_is_computed_as_long_as_one_is_wanted()
    {
        Scheduler scheduler = Create(8, new EngineOptions { MaxSequences = 2 }, batchTokens: 8);
        EngineSequence leader = Sequence(20), sibling = Sequence(20), third = Sequence(1);
        leader.Siblings = [sibling];
        scheduler.Add(leader);
        scheduler.Add(third);
        Assert.Equal([(leader, 8)], Step(scheduler)); // the place of the sibling is kept
        leader.Stop(FinishReason.Cancelled);
        Assert.Equal([(leader, 8)], Step(scheduler));
        sibling.Stop(FinishReason.Cancelled);
        Assert.Equal([(third, 1)], Step(scheduler));
        Assert.True(leader.Output.Ended && sibling.Output.Ended);
    }
}
