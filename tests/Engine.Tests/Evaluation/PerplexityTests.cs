using System.Text.Json;
using Quern.Engine.Evaluation;
using Quern.TestKit;

namespace Quern.Engine.Tests.Evaluation;

public sealed class PerplexityTests : IDisposable
{
    private static readonly int[] Tokens = [.. Enumerable.Range(0, 150).Select(i => 3 + (i * 41 % 260))];
    private readonly TinyModel _file = new();
    private readonly QuernModel _model;

    public PerplexityTests() => _model = QuernModel.Load(_file.Path, new ModelOptions { Exact = true, Threads = 1 });

    public void Dispose()
    {
        _model.Dispose();
        _file.Dispose();
    }

    [Theory]
    [InlineData(150, 32, null, null, null)]
    [InlineData(150, 33, null, null, 2)]
    [InlineData(150, 40, 16, null, null)]
    [InlineData(150, 32, 32, null, null)]
    [InlineData(150, 32, null, 5, null)]
    [InlineData(150, 48, 20, 3, 4)]
    [InlineData(90, 2, null, null, 3)]
    public void A_text_is_scored_as_the_definition_says(int length, int context, int? stride, int? scored, int? most)
    {
        PerplexityOptions options = new() { ContextLength = context, Stride = stride, ScoredTokens = scored, MostChunks = most };
        Perplexity perplexity = new(_model, Tokens.AsSpan(0, length), options);
        List<PerplexityChunk> chunks = [.. perplexity.Run()];
        List<double> all = [];
        int bytes = 0, step = stride ?? context, last = scored ?? stride ?? Math.Max(1, context - (context / 2) - 1);
        last = Math.Min(last, context - 1);
        for (int i = 0; i < (most ?? int.MaxValue) && (i * step) + context <= length; i++)
        {
            int[] tokens = [1, .. Tokens[((i * step) + 1)..((i * step) + context)]];
            double[] nll = [.. Nll(tokens).TakeLast(last)];
            Assert.Equal((i, i * step, context - 1, last), (chunks[i].Index, chunks[i].FirstToken, chunks[i].EvaluatedTokens, chunks[i].Measured.Tokens));
            Assert.Equal(nll.Average(), chunks[i].Measured.Mean, 1e-5);
            all.AddRange(nll);
            bytes += tokens.TakeLast(last).Sum(token => _model.Tokenizer.Piece(token).Length);
            AssertTotal(all, bytes, chunks[i].Total);
        }

        Assert.Equal(perplexity.ChunkCount, chunks.Count);
        Assert.Equal(all.Count, chunks[^1].Total.Tokens);
    }

    [Fact]
    public void The_defaults_are_chunks_side_by_side_of_which_the_second_half_counts()
    {
        Perplexity whole = new(_model, Tokens);
        Assert.Equal((TinyModel.TrainedContext, TinyModel.TrainedContext, 47, 1), (whole.ContextLength, whole.Stride!.Value, whole.ScoredTokens!.Value, whole.ChunkCount));
        using QuernModel longer = QuernModel.Load(_file.Path, new ModelOptions { ContextLength = 600, Threads = 1 });
        Perplexity half = new(longer, [.. Enumerable.Repeat(7, 1100)]);
        Assert.Equal((512, 512, 255, 2, 1100), (half.ContextLength, half.Stride!.Value, half.ScoredTokens!.Value, half.ChunkCount, half.TokenCount));
    }

    [Theory]
    [InlineData(32, 1)]
    [InlineData(63, 1)]
    [InlineData(64, 2)]
    public void A_last_chunk_that_is_not_full_is_left_out(int length, int count)
    {
        PerplexityOptions options = new() { ContextLength = 32 };
        PerplexityChunk last = new Perplexity(_model, Tokens.AsSpan(0, length), options).Run().Last();
        Assert.Equal(count - 1, last.Index);
        Assert.Equal(new Perplexity(_model, Tokens.AsSpan(0, 32 * count), options).Run().Last().Total, last.Total);
    }

    [Fact]
    public void A_text_without_a_chunk_says_how_many_tokens_are_needed()
    {
        string message = Assert.Throws<ArgumentException>(() => new Perplexity(_model, Tokens.AsSpan(0, 31), new PerplexityOptions { ContextLength = 32 })).Message;
        Assert.Contains("the text has 31 tokens and a chunk needs 32", message, StringComparison.Ordinal);
        Assert.Contains("PerplexityOptions.ContextLength (quern: --context)", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, null, null, null, "ContextLength is 1; expected at least 2")]
    [InlineData(97, null, null, null, "ContextLength is 97; expected at most 96, the model's context")]
    [InlineData(32, 0, null, null, "Stride is 0; expected at least 1")]
    [InlineData(32, 33, null, null, "Stride is 33; expected at most 32")]
    [InlineData(32, null, 0, null, "ScoredTokens is 0; expected at least 1")]
    [InlineData(32, null, 32, null, "ScoredTokens is 32; expected at most 31")]
    [InlineData(32, 8, 9, null, "ScoredTokens is 9; expected at most 8")]
    [InlineData(32, null, null, 0, "MostChunks is 0; expected at least 1")]
    public void Options_out_of_range_are_refused(int context, int? stride, int? scored, int? most, string message)
    {
        PerplexityOptions options = new() { ContextLength = context, Stride = stride, ScoredTokens = scored, MostChunks = most };
        Assert.Contains(message, Assert.Throws<ArgumentOutOfRangeException>(() => new Perplexity(_model, Tokens, options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Documents_are_scored_whole_and_by_themselves()
    {
        int[] text = [1, 1, .. Tokens[..20], 1, .. Tokens[20..50], 1, 7, 1];
        Perplexity perplexity = new(_model, text, new PerplexityOptions { Documents = true });
        PerplexityChunk[] chunks = [.. perplexity.Run()];
        Assert.Equal((31, null, null, 3), (perplexity.ContextLength, perplexity.Stride, perplexity.ScoredTokens, perplexity.ChunkCount));
        Assert.Equal([1, 22, 53], chunks.Select(chunk => chunk.FirstToken));
        Assert.Equal([20, 30, 1], chunks.Select(chunk => chunk.EvaluatedTokens));
        List<double> all = [];
        foreach ((PerplexityChunk chunk, int[] document) in chunks.Zip([Tokens[..20], Tokens[20..50], [7]]))
        {
            all.AddRange(Nll([1, .. document]));
            AssertTotal(all, chunks[..(chunk.Index + 1)].Sum(c => (int)c.Measured.Bytes), chunk.Total);
        }

        Assert.Equal(chunks[1], new Perplexity(_model, text, new PerplexityOptions { Documents = true, MostChunks = 2 }).Run().Last() with { Time = chunks[1].Time });
    }

    [Fact]
    public void What_is_no_document_or_too_long_for_one_is_refused()
    {
        PerplexityOptions options = new() { Documents = true };
        string Refused(int[] text, PerplexityOptions? other = null) => Assert.Throws<ArgumentException>(() => new Perplexity(_model, text, other ?? options)).Message;
        Assert.Contains("no document of two tokens", Refused([1, 1]), StringComparison.Ordinal);
        Assert.Contains("begins with token 2 of the text has 151 tokens; expected at most 96", Refused([1, 5, 1, .. Tokens]), StringComparison.Ordinal);
        Assert.Contains("Stride and ScoredTokens exclude Documents", Refused([1, 5], options with { Stride = 4 }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_token_that_is_none_is_refused()
    {
        int[] tokens = [.. Tokens];
        tokens[140] = TinyModel.VocabularySize;
        Assert.Contains("no token 275", Assert.Throws<ArgumentException>(() => new Perplexity(_model, tokens)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_chunk_begins_with_the_token_for_that_where_the_model_wants_one()
    {
        Assert.Equal([1, .. _model.Tokenizer.Encode("once and", addSpecial: false)], Perplexity.Tokenize(_model, "once and"));
        Assert.NotEqual(Perplexity.Tokenize(_model, "a</s>"), Perplexity.Tokenize(_model, "a</s>", parseSpecial: true));
        PerplexityOptions options = new() { ContextLength = 32 };
        int[] other = [.. Tokens];
        other[0] = other[32] = 77;
        Assert.Equal(Total(_model, Tokens), Total(_model, other));
        using TinyModel file = new(addBos: false);
        using QuernModel plain = QuernModel.Load(file.Path, new ModelOptions { Exact = true, Threads = 1 });
        Assert.Equal(plain.Tokenizer.Encode("once and"), Perplexity.Tokenize(plain, "once and"));
        Assert.NotEqual(Total(plain, Tokens).Mean, Total(plain, other).Mean);

        LikelihoodEstimate Total(QuernModel model, int[] tokens) => new Perplexity(model, tokens, options).Run().Last().Total;
    }

    [Fact]
    public void Passes_of_any_size_agree_and_fast_is_close_to_exact()
    {
        LikelihoodEstimate exact = new Perplexity(_model, Tokens).Run().Last().Total;
        foreach (ModelOptions options in new ModelOptions[] { new() { Exact = true, BatchTokens = 7 }, new() { Threads = 2 }, new() { BatchTokens = 1 } })
        {
            using QuernModel model = QuernModel.Load(_file.Path, options);
            Assert.Equal(exact.Mean, new Perplexity(model, Tokens).Run().Last().Total.Mean, options.Exact ? 1e-5 : 2e-2);
        }
    }

    [Fact]
    public void Cancelling_keeps_the_chunks_before_and_gives_the_cache_back()
    {
        using CancellationTokenSource cancel = new();
        List<PerplexityChunk> chunks = [];
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (PerplexityChunk chunk in new Perplexity(_model, Tokens, new PerplexityOptions { ContextLength = 30 }).Run(cancel.Token))
            {
                chunks.Add(chunk);
                if (chunks.Count == 2) cancel.Cancel();
            }
        });
        Assert.Equal(2, chunks.Count);
        using Session session = _model.CreateSession();
        session.Evaluate(Tokens.AsSpan(0, TinyModel.TrainedContext));
    }

    [SharedFact]
    public void The_recorded_likelihoods_of_stories_are_met()
    {
        Assert.Equal(Recorded("f32/feb25"), Stories("model.gguf", exact: true), 1e-5);
        Assert.Equal(Recorded("q8_0_exact/feb25"), Stories("model-q8_0.gguf", exact: false), 5e-3);
    }

    private static double Recorded(string result)
    {
        using JsonDocument meta = JsonDocument.Parse(File.ReadAllBytes(SharedData.Path("golden", "stories260K", "meta.json")));
        return meta.RootElement.GetProperty("results").GetProperty(result).GetProperty("nll_mean").GetDouble();
    }

    private static double Stories(string file, bool exact)
    {
        using JsonDocument record = JsonDocument.Parse(File.ReadAllBytes(SharedData.Path("golden", "stories260K", "tokens.json")));
        using QuernModel model = QuernModel.Load(SharedData.Path("golden", "stories260K", file), new ModelOptions { Exact = exact });
        LikelihoodEstimate total = default;
        foreach (JsonElement chunk in record.RootElement.GetProperty("nll_chunks").EnumerateArray())
        {
            int[] tokens = [.. chunk.EnumerateArray().Select(id => id.GetInt32())];
            PerplexityOptions whole = new() { ContextLength = tokens.Length, Stride = tokens.Length };
            total = total.And(Assert.Single(new Perplexity(model, tokens, whole).Run()).Total);
        }

        Assert.Equal(909, total.Tokens);
        return total.Mean;
    }

    /// <summary>−log softmax of every token but the first, by the obvious loop in double precision.</summary>
    private List<double> Nll(int[] tokens)
    {
        List<double> nll = [];
        using Session session = _model.CreateSession();
        for (int i = 0; i + 1 < tokens.Length; i++)
        {
            double[] logits = [.. session.Evaluate(tokens.AsSpan(i, 1)).ToArray().Select(logit => (double)logit)];
            nll.Add(-Math.Log(Math.Exp(logits[tokens[i + 1]]) / logits.Sum(Math.Exp)));
        }

        return nll;
    }

    private static void AssertTotal(List<double> nll, int bytes, LikelihoodEstimate total)
    {
        double mean = nll.Average();
        double variance = nll.Sum(x => (x - mean) * (x - mean)) / (nll.Count - 1);
        Assert.Equal(mean, total.Mean, 1e-5);
        Assert.Equal(Math.Exp(mean), total.Perplexity, 1e-5 * Math.Exp(mean));
        if (nll.Count > 1) Assert.Equal(Math.Sqrt(variance / nll.Count), total.StandardError, 1e-5);
        Assert.Equal(bytes, total.Bytes);
        Assert.Equal(nll.Sum() / Math.Log(2) / bytes, total.BitsPerByte, 1e-5);
    }
}
