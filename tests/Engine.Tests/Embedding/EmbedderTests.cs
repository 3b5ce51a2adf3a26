using System.Runtime.InteropServices;
using System.Text.Json;
using Quern.Gguf;
using Quern.Models;
using Quern.TestKit;

namespace Quern.Engine.Tests;

public sealed class EmbedderTests : IDisposable
{
    private const double Tolerance = 2e-4;
    private readonly TinyModel _file = new();

    public static TheoryData<string> Encoders => ["bert-mean", "bert-cls", "mix-bert-q4_0", "nomic-bert", "jina-bert-v2"];

    public void Dispose() => _file.Dispose();

    [SharedTheory]
    [MemberData(nameof(Encoders))]
    public void Vectors_are_those_of_an_independent_engine(string name)
    {
        float[] expected = SharedData.ReadFloats("golden", name, "pooled.f32");
        int[] tokens = [.. JsonDocument.Parse(File.ReadAllText(SharedData.Path("golden", name, "tokens.json"))).RootElement.GetProperty("tokens").EnumerateArray().Select(id => id.GetInt32())];
        using QuernModel model = QuernModel.Load(SharedData.Path("golden", name, "model.gguf"), new ModelOptions { Threads = 1, Exact = true });
        using Embedder raw = model.CreateEmbedder(new EmbeddingOptions { Normalize = false });
        using Embedder normalised = model.CreateEmbedder();
        Assert.Equal((ModelTask.Encoder, expected.Length), (model.Task, raw.Length));
        int[] other = [.. tokens.Reverse()];
        float[] found = raw.Embed([other, tokens])[1];
        Assert.InRange(expected.Zip(found, (a, b) => Math.Abs(a - b)).Max(), 0, Tolerance);
        float[] unit = normalised.Embed([tokens])[0];
        Assert.Equal(1, unit.Sum(value => (double)value * value), 1e-5);
        Assert.Equal(1, Embedder.Cosine(expected, unit), 1e-6);
    }

    [SharedFact]
    public void A_longer_text_than_the_batch_is_read_at_once()
    {
        using QuernModel whole = QuernModel.Load(SharedData.Path("golden", "nomic-bert", "model.gguf"), new ModelOptions { Threads = 1, Exact = true });
        using QuernModel small = QuernModel.Load(SharedData.Path("golden", "nomic-bert", "model.gguf"), new ModelOptions { Threads = 1, Exact = true, BatchTokens = 16, CacheTokens = 512 });
        string[] texts = ["one", string.Join(' ', Enumerable.Repeat("once upon a time", 12)), "two"];
        using Embedder first = whole.CreateEmbedder(), second = small.CreateEmbedder();
        Assert.True(second.Tokenize(texts[1]).Length > 16);
        AssertClose(first.Embed(texts), second.Embed(texts));
        Assert.Equal(small.Pages.Count, small.Pages.FreeCount);
    }

    [Theory]
    [InlineData(Pooling.Mean)]
    [InlineData(Pooling.Cls)]
    [InlineData(Pooling.Last)]
    public void A_decoder_embeds_where_it_is_told_how(Pooling pooling)
    {
        using QuernModel whole = Load(512), chunked = Load(7);
        string[] texts = ["a", "the end and once on the and, once more", "and on"];
        using Embedder none = whole.CreateEmbedder(new EmbeddingOptions { Pooling = Pooling.None, Normalize = false });
        using Embedder noneChunked = chunked.CreateEmbedder(new EmbeddingOptions { Pooling = Pooling.None, Normalize = false });
        using Embedder one = whole.CreateEmbedder(new EmbeddingOptions { Pooling = pooling, Normalize = false });
        using Embedder oneChunked = chunked.CreateEmbedder(new EmbeddingOptions { Pooling = pooling, Normalize = false });
        float[][] rows = none.Embed(texts);
        AssertClose(rows, noneChunked.Embed(texts));
        float[][] expected = [.. rows.Select(all => Pooled(all.Chunk(none.Length).ToArray(), pooling))];
        Assert.True(none.Tokenize(texts[1]).Length > 7);
        AssertClose(expected, one.Embed(texts));
        AssertClose(expected, oneChunked.Embed(texts));
        AssertClose(expected, [.. texts.Select(text => one.Embed(text))]);
        Assert.Equal(chunked.Pages.Count, chunked.Pages.FreeCount);
    }

    [Fact]
    public void A_token_sees_only_those_before_it_in_a_decoder()
    {
        using QuernModel model = Load(512);
        using Embedder none = model.CreateEmbedder(new EmbeddingOptions { Pooling = Pooling.None });
        float[] begins = none.Embed([[1, 40, 41, 42]])[0], longer = none.Embed([[1, 40, 41, 42, 43]])[0];
        AssertClose([begins], [longer[..begins.Length]]);
    }

    [Fact]
    public void Without_pooling_there_is_no_embedder()
    {
        using QuernModel model = Load(512);
        string message = Assert.Throws<InvalidOperationException>(() => model.CreateEmbedder()).Message;
        Assert.Contains("llama.pooling_type", message, StringComparison.Ordinal);
        Assert.Contains("--pooling mean", message, StringComparison.Ordinal);
        Assert.Contains("no classifier", Assert.Throws<InvalidOperationException>(() => model.CreateEmbedder(new EmbeddingOptions { Pooling = Pooling.Rank })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_wrong_with_a_text_is_told()
    {
        using QuernModel model = Load(512);
        using Embedder embedder = model.CreateEmbedder(new EmbeddingOptions { Pooling = Pooling.Mean });
        ContextFullException full = Assert.Throws<ContextFullException>(() => embedder.Embed([[1], new int[TinyModel.TrainedContext + 1]]));
        Assert.Equal($"text 2 of 2 has 97 tokens; the context holds 96, and the model was trained with 96: cut the text", full.Message);
        Assert.Contains("text 1 of 1 has no tokens", Assert.Throws<ArgumentException>(() => embedder.Embed([[]])).Message, StringComparison.Ordinal);
        Assert.Contains("no token 275", Assert.Throws<ArgumentException>(() => embedder.Embed([[275]])).Message, StringComparison.Ordinal);
        Assert.Throws<OperationCanceledException>(() => embedder.Embed("a", new CancellationToken(canceled: true)));
        using Session session = model.CreateSession();
        session.Evaluate([.. Enumerable.Repeat(40, 70)]);
        Assert.Contains("cache of 96 tokens is full", Assert.Throws<ContextFullException>(() => embedder.Embed([[1]])).Message, StringComparison.Ordinal);
    }

    [SharedFact]
    public void An_encoder_does_not_generate()
    {
        using QuernModel model = QuernModel.Load(SharedData.Path("golden", "bert-mean", "model.gguf"), new ModelOptions { Threads = 1 }), decoder = Load(512);
        EngineOptions drafts = new() { Speculation = new SpeculationOptions { Draft = model } };
        foreach (Action generate in new Action[] { () => _ = new InferenceEngine(decoder, drafts), () => model.CreateSession(), () => model.RestoreSession("no-such"), () => _ = new InferenceEngine(model), () => _ = new Conversation(model) })
        {
            string message = Assert.Throws<InvalidOperationException>(generate).Message;
            Assert.Contains("(bert) is an encoder", message, StringComparison.Ordinal);
            Assert.Contains("quern embed", message, StringComparison.Ordinal);
        }
    }

    [SharedFact]
    public void A_classifier_scores_pairs_of_texts()
    {
        string path = Path.Combine(Path.GetTempPath(), $"quern-rank-{Guid.NewGuid():N}.gguf");
        try
        {
            float[] weights = WriteRanker(path);
            using QuernModel model = QuernModel.Load(path, new ModelOptions { Threads = 1, Exact = true });
            using Embedder ranker = model.CreateEmbedder(new EmbeddingOptions { Pooling = Pooling.Rank }), first = model.CreateEmbedder(new EmbeddingOptions { Pooling = Pooling.Cls, Normalize = false });
            int[] pair = ranker.Tokenize("Once upon a time", "Hello world"), other = ranker.Tokenize("Once upon a time", "a hat");
            Assert.Equal([.. ranker.Tokenize("Once upon a time"), .. ranker.Tokenize("Hello world").AsSpan(1)], pair);
            Assert.Equal((1, 1), (ranker.Length, model.LabelCount));
            float[][] scores = ranker.Embed([pair, other]), vectors = first.Embed([pair, other]);
            for (int i = 0; i < 2; i++) Assert.Equal(vectors[i].Zip(weights, (a, b) => (double)a * b).Sum(), Assert.Single(scores[i]), 1e-4);
            Assert.NotEqual(scores[0][0], scores[1][0], 1e-2f);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Cosines_are_those_of_angles()
    {
        Assert.Equal(0.5, Embedder.Cosine([2, 0], [1, MathF.Sqrt(3)]), 1e-6);
        Assert.Equal(-1, Embedder.Cosine([1, 2], [-2, -4]), 1e-6);
        Assert.Equal(0, Embedder.Cosine([0, 0], [1, 0]));
        Assert.Throws<ArgumentException>(() => Embedder.Cosine([1], [1, 2]));
    }

    // A golden encoder with a classifier of one label.
    private static float[] WriteRanker(string path)
    {
        using GgufFile source = GgufFile.Open(SharedData.Path("golden", "bert-cls", "model.gguf"));
        GgufWriter writer = new();
        writer.SetAll(source.Metadata);
        foreach (GgufTensor tensor in source.Tensors) writer.AddTensor(tensor.Name, tensor.TypeId, tensor.Dimensions.AsSpan(), tensor.Slice(0, (int)tensor.ByteLength).ToArray());
        float[] weights = [.. Enumerable.Range(0, 64).Select(i => MathF.Sin(i))];
        writer.AddTensor("cls.output.weight", 0, [64, 1], MemoryMarshal.AsBytes(weights.AsSpan()).ToArray());
        writer.Write(path);
        return weights;
    }

    private QuernModel Load(int batch) => QuernModel.Load(_file.Path, new ModelOptions { Threads = 1, Exact = true, BatchTokens = batch });

    private static float[] Pooled(float[][] rows, Pooling pooling) => pooling switch
    {
        Pooling.Mean => [.. Enumerable.Range(0, rows[0].Length).Select(i => rows.Average(row => row[i]))],
        Pooling.Cls => rows[0],
        _ => rows[^1],
    };

    private static void AssertClose(float[][] expected, float[][] found)
    {
        Assert.Equal(expected.Select(vector => vector.Length), found.Select(vector => vector.Length));
        for (int i = 0; i < expected.Length; i++) Assert.InRange(expected[i].Zip(found[i], (a, b) => Math.Abs(a - b)).Max(), 0, Tolerance);
    }
}
