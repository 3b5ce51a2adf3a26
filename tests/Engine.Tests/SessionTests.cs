namespace Quern.Engine.Tests;

public sealed class SessionTests : IDisposable
{
    private const float Tolerance = 2e-4f;
    private static readonly int[] Tokens = [.. Enumerable.Range(0, 75).Select(i => 3 + (i * 37 % 250))];
    private readonly TinyModel _file = new();

    public void Dispose() => _file.Dispose();

    private QuernModel Load(ModelOptions? options = null) => QuernModel.Load(_file.Path, (options ?? new ModelOptions()) with { Exact = true, Threads = 2 });

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(32)]
    [InlineData(74)]
    public void A_prompt_in_chunks_is_the_prompt_at_once(int batch)
    {
        using QuernModel whole = Load();
        using QuernModel chunked = Load(new ModelOptions { BatchTokens = batch });
        using Session a = whole.CreateSession();
        using Session b = chunked.CreateSession();
        AssertClose(a.Evaluate(Tokens).ToArray(), b.Evaluate(Tokens).ToArray());
        Assert.Equal(75, b.Length);
        Assert.Equal(TinyModel.TrainedContext - 75, b.Remaining);
    }

    [Fact]
    public void All_logits_are_those_of_each_prefix()
    {
        using QuernModel model = Load(new ModelOptions { BatchTokens = 20, CacheTokens = 2 * TinyModel.TrainedContext });
        using Session all = model.CreateSession();
        List<float[]> rows = [];
        all.EvaluateAll(Tokens, (first, count, logits) =>
        {
            Assert.Equal(rows.Count, first);
            for (int i = 0; i < count; i++) rows.Add(logits.Slice(i * model.VocabularySize, model.VocabularySize).ToArray());
        });
        Assert.Equal(Tokens.Length, rows.Count);
        foreach (int length in new[] { 1, 2, 20, 21, 60, 75 })
        {
            using Session prefix = model.CreateSession();
            AssertClose(rows[length - 1], prefix.Evaluate(Tokens.AsSpan(0, length)).ToArray());
            prefix.Truncate(0);
        }
    }

    [Fact]
    public void A_truncated_session_goes_on_as_if_the_rest_had_never_been()
    {
        using QuernModel model = Load();
        using Session plain = model.CreateSession();
        float[] expected = plain.Evaluate([.. Tokens[..30], .. Tokens[50..60]]).ToArray();
        plain.Truncate(0);
        using Session cut = model.CreateSession();
        cut.Evaluate(Tokens);
        cut.Truncate(30);
        Assert.Equal(30, cut.Length);
        AssertClose(expected, cut.Evaluate(Tokens.AsSpan(50, 10)).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => cut.Truncate(41));
        Assert.Throws<ArgumentOutOfRangeException>(() => cut.Truncate(-1));
    }

    [Fact]
    public void Sessions_do_not_see_each_other()
    {
        using QuernModel model = Load(new ModelOptions { CacheTokens = 4 * TinyModel.TrainedContext });
        using Session alone = model.CreateSession();
        float[] expected = alone.Evaluate(Tokens).ToArray();
        using Session a = model.CreateSession();
        using Session b = model.CreateSession();
        float[] last = [];
        for (int i = 0; i < Tokens.Length; i += 5)
        {
            last = a.Evaluate(Tokens.AsSpan(i, 5)).ToArray();
            b.Evaluate([Tokens[^(i + 1)], 4, 5]);
            if (i % 2 == 0) b.Truncate(b.Length - 1);
        }

        AssertClose(expected, last);
    }

    [Fact]
    public void Sessions_on_several_threads_take_turns()
    {
        using QuernModel model = Load(new ModelOptions { CacheTokens = 4 * TinyModel.TrainedContext });
        using Session alone = model.CreateSession();
        float[] expected = alone.Evaluate(Tokens).ToArray();
        float[][] results = new float[3][];
        Thread[] threads = [.. Enumerable.Range(0, 3).Select(n => new Thread(() =>
        {
            using Session session = model.CreateSession();
            foreach (int token in Tokens.AsSpan(0, Tokens.Length - 1)) session.Evaluate([token]);
            results[n] = session.Evaluate(Tokens.AsSpan(Tokens.Length - 1)).ToArray();
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        Assert.All(results, result => AssertClose(expected, result));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(32)]
    [InlineData(40)]
    public void A_fork_goes_on_by_itself(int common)
    {
        using QuernModel model = Load(new ModelOptions { CacheTokens = 4 * TinyModel.TrainedContext });
        using Session alone = model.CreateSession();
        float[] expected = alone.Evaluate(Tokens).ToArray();
        alone.Truncate(0);
        using Session first = model.CreateSession();
        first.Evaluate(Tokens.AsSpan(0, common));
        int free = model.Pages.FreeCount;
        using Session fork = first.Fork();
        Assert.Equal(free, model.Pages.FreeCount);
        Assert.Equal(common, fork.Length);
        first.Evaluate([9, 9, 9]);
        AssertClose(expected, fork.Evaluate(Tokens.AsSpan(common)).ToArray());
        first.Truncate(common);
        AssertClose(expected, first.Evaluate(Tokens.AsSpan(common)).ToArray());
    }

    [Fact]
    public void A_full_context_says_how_long_it_is_and_how_to_raise_it()
    {
        using QuernModel model = Load(new ModelOptions { ContextLength = 40 });
        using Session session = model.CreateSession();
        session.Evaluate(Tokens.AsSpan(0, 35));
        ContextFullException e = Assert.Throws<ContextFullException>(() => { session.Evaluate(Tokens.AsSpan(0, 6)); });
        Assert.Equal((40, 35, 6), (e.Capacity, e.Used, e.Wanted));
        Assert.Contains("40 tokens is full", e.Message, StringComparison.Ordinal);
        Assert.Contains("ModelOptions.ContextLength (quern: -c)", e.Message, StringComparison.Ordinal);
        Assert.Equal(35, session.Length);
        session.Evaluate(Tokens.AsSpan(0, 5));
        Assert.Equal(0, session.Remaining);
    }

    [Fact]
    public void A_full_cache_is_free_again_when_a_session_ends()
    {
        using QuernModel model = Load(new ModelOptions { CacheTokens = TinyModel.TrainedContext });
        using Session second = model.CreateSession();
        using (Session first = model.CreateSession())
        {
            first.Evaluate(Tokens);
            ContextFullException e = Assert.Throws<ContextFullException>(() => { second.Evaluate(Tokens.AsSpan(0, 1)); });
            Assert.Contains("ModelOptions.CacheTokens", e.Message, StringComparison.Ordinal);
        }

        second.Evaluate(Tokens);
        Assert.Equal(75, second.Length);
    }

    [Fact]
    public void Wrong_tokens_are_refused()
    {
        using QuernModel model = Load();
        using Session session = model.CreateSession();
        Assert.Contains("no token 275", Assert.Throws<ArgumentException>(() => { session.Evaluate([1, 275]); }).Message, StringComparison.Ordinal);
        Assert.Contains("no token -1", Assert.Throws<ArgumentException>(() => { session.Evaluate([-1]); }).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => { session.Evaluate([]); });
        Assert.Equal(0, session.Length);
    }

    [Fact]
    public void Cancelling_keeps_the_passes_that_were_finished()
    {
        using QuernModel model = Load(new ModelOptions { BatchTokens = 10 });
        using Session session = model.CreateSession();
        using CancellationTokenSource cancel = new();
        Assert.Throws<OperationCanceledException>(() => session.EvaluateAll(Tokens, (first, _, _) =>
        {
            if (first == 20) cancel.Cancel();
        }, cancel.Token));
        Assert.Equal(30, session.Length);
    }

    [Fact]
    public void Nothing_runs_after_the_end()
    {
        QuernModel model = Load();
        Session session = model.CreateSession();
        model.Dispose();
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { session.Evaluate([1]); });
        Assert.Throws<ObjectDisposedException>(() => session.Start([1]));
        Assert.Throws<ObjectDisposedException>(model.CreateSession);
        session.Dispose();
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.InRange(expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max(), 0, Tolerance);
    }
}
