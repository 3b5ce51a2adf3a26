using Quern.Kernels.Cpu;
using Quern.Models;

namespace Quern.Engine.Tests;

public sealed class QuernModelTests : IDisposable
{
    private readonly TinyModel _file = new();

    public void Dispose() => _file.Dispose();

    [Theory]
    [InlineData(4096, 1 << 20, 1L << 30, 128)]
    [InlineData(4096, 1 << 20, 100L << 20, 80)]
    [InlineData(4096, 1 << 20, -5, 1)]
    [InlineData(33, 1 << 20, 1L << 40, 2)]
    public void The_usual_cache_fits_the_memory_that_weights_leave(int context, long pageBytes, long memory, int expected) =>
        Assert.Equal(expected, CachePlan.FittingPages(context, pageBytes, memory));

    [Fact]
    public void A_context_that_does_not_fit_is_told()
    {
        using TinyModel file = new();
        using QuernModel model = QuernModel.Load(file.Path, new ModelOptions { Threads = 1, ContextLength = 1_900_000_000 });
        Assert.Contains(model.Warnings, warning => warning.Contains("of the context's 1900000000 tokens", StringComparison.Ordinal));
        Assert.True(model.CacheBytes < GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
    }

    [Fact]
    public void A_cache_of_bytes_holds_the_pages_that_fit()
    {
        using TinyModel file = new();
        using QuernModel tokens = QuernModel.Load(file.Path, new ModelOptions { Threads = 1, CacheTokens = 7 * 32 });
        using QuernModel bytes = QuernModel.Load(file.Path, new ModelOptions { Threads = 1, CacheBytes = tokens.CacheBytes + 1 });
        Assert.Equal((7, tokens.CacheBytes), (bytes.Pages.Count, bytes.CacheBytes));
        ArgumentException small = Assert.Throws<ArgumentOutOfRangeException>(() => QuernModel.Load(file.Path, new ModelOptions { CacheBytes = 10 }));
        Assert.Contains($"expected at least {tokens.CacheBytes / 7}", small.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => QuernModel.Load(file.Path, new ModelOptions { CacheBytes = 1 << 20, CacheTokens = 32 }));
    }

    [Fact]
    public void A_model_tells_what_it_is()
    {
        using QuernModel model = QuernModel.Load(_file.Path, new ModelOptions { Threads = 1 });
        Assert.Equal("llama", model.Config.Architecture);
        Assert.Equal("tiny", model.Metadata.GetString("general.name"));
        Assert.Equal(TinyModel.VocabularySize, model.VocabularySize);
        Assert.Equal(TinyModel.TrainedContext, model.ContextLength);
        Assert.Equal(1, model.Threads);
        Assert.Empty(model.Warnings);
        Assert.True(model.LoadTime > TimeSpan.Zero);
        Assert.Equal(model.File.Tensors.Sum(tensor => tensor.ByteLength), model.WeightBytes);
        // Two layers of two heads of 16 keys and 16 values, binary16, in whole pages.
        Assert.Equal(2L * 2 * (16 + 16) * 2 * TinyModel.TrainedContext, model.CacheBytes);
    }

    [Fact]
    public void Exact_stores_keys_and_values_in_binary32_unless_asked()
    {
        using QuernModel fast = QuernModel.Load(_file.Path);
        using QuernModel exact = QuernModel.Load(_file.Path, new ModelOptions { Exact = true });
        using QuernModel mixed = QuernModel.Load(_file.Path, new ModelOptions { Exact = true, KvType = KvType.F16 });
        Assert.Equal(2 * fast.CacheBytes, exact.CacheBytes);
        Assert.Equal(fast.CacheBytes, mixed.CacheBytes);
    }

    [Fact]
    public void Keys_and_values_have_the_types_that_are_asked_for()
    {
        using QuernModel model = QuernModel.Load(_file.Path, new ModelOptions { KvType = KvType.F32, ValueType = KvType.BF16 });
        Assert.Equal((KvType.F32, KvType.BF16), (model.KvLayout.KeyType, model.KvLayout.ValueType));
        Assert.Equal(2L * 2 * ((16 * 4) + (16 * 2)) * TinyModel.TrainedContext, model.CacheBytes);
        string message = Assert.Throws<ArgumentException>(() => QuernModel.Load(_file.Path, new ModelOptions { KvType = KvType.Q8_0 })).Message;
        Assert.Contains("keys of layer 0 have 16 values a head; a cache of type Q8_0 takes multiples of 32", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_context_longer_than_the_trained_one_is_allowed_with_a_warning()
    {
        using QuernModel model = QuernModel.Load(_file.Path, new ModelOptions { ContextLength = 200 });
        Assert.Equal(200, model.ContextLength);
        Assert.Contains("longer than the 96", Assert.Single(model.Warnings), StringComparison.Ordinal);
        using Session session = model.CreateSession();
        session.Evaluate([.. Enumerable.Repeat(5, 200)]);
    }

    [Fact]
    public void Progress_ends_with_all_bytes()
    {
        Collected progress = new();
        using QuernModel model = QuernModel.Load(_file.Path, null, progress);
        Assert.NotEmpty(progress.Reports);
        Assert.Equal(progress.Reports[^1].ByteCount, progress.Reports[^1].Bytes);
    }

    [Fact]
    public void Loading_can_be_cancelled() =>
        Assert.Throws<OperationCanceledException>(() => QuernModel.Load(_file.Path, cancellation: new CancellationToken(true)));

    [Fact]
    public void Options_out_of_range_are_refused_by_name()
    {
        Assert.Contains("Threads is 0", Assert.Throws<ArgumentOutOfRangeException>(() => QuernModel.Load(_file.Path, new ModelOptions { Threads = 0 })).Message, StringComparison.Ordinal);
        Assert.Contains("ContextLength is -5", Assert.Throws<ArgumentOutOfRangeException>(() => QuernModel.Load(_file.Path, new ModelOptions { ContextLength = -5 })).Message, StringComparison.Ordinal);
        Assert.Contains("BatchTokens is 0", Assert.Throws<ArgumentOutOfRangeException>(() => QuernModel.Load(_file.Path, new ModelOptions { BatchTokens = 0 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Prompts_in_int8_do_not_go_with_everything()
    {
        ModelOptions options = new() { Int8Prompts = true };
        foreach ((ModelOptions with, string name) in new[] { (options with { Exact = true }, "Exact"), (options with { Repack = false }, "Repack") })
            Assert.Contains($"Int8Prompts and {name}", Assert.Throws<ArgumentException>(() => QuernModel.Load(_file.Path, with)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_named() =>
        Assert.Contains("no-such.gguf", Assert.Throws<FileNotFoundException>(() => QuernModel.Load("no-such.gguf")).Message, StringComparison.Ordinal);

    private sealed class Collected : IProgress<LoadProgress>
    {
        public List<LoadProgress> Reports { get; } = [];

        public void Report(LoadProgress value) => Reports.Add(value);
    }
}
