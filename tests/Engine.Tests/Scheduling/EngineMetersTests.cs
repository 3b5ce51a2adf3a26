using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Quern.Engine.Tests.Scheduling;

public sealed class EngineMetersTests
{
    [Fact]
    public async Task Every_text_has_an_activity_from_its_request_to_its_end()
    {
        using TinyModel file = new();
        using QuernModel model = QuernModel.Load(file.Path, new ModelOptions { Threads = 1 });
        await using InferenceEngine engine = new(model);
        ConcurrentQueue<Activity> ended = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == "Quern.Engine",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = ended.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using (Activity parent = new Activity("a request of a client").Start())
        {
            EngineRequest request = engine.Submit([3, 4, 5], new GenerationOptions { MaxTokens = 4, IgnoreEos = true });
            Assert.Same(parent, Activity.Current);
            await foreach (GeneratedText piece in request.ReadAsync()) Assert.NotNull(piece.Text);
            Activity text = Assert.Single(ended, activity => activity.ParentId == parent.Id);
            Assert.Equal((3, 4, "length"), (text.GetTagItem("gen_ai.usage.input_tokens"), text.GetTagItem("gen_ai.usage.output_tokens"), text.GetTagItem("gen_ai.response.finish_reasons")));
        }
    }

    [Theory]
    [InlineData("quern.engine.tokens.prompt", "quern.engine.tokens.generated", "quern.engine.prefix.hits", "quern.engine.first_token", "quern.engine.next_token", "quern.engine.pages.use")]
    [InlineData("vllm:prompt_tokens", "vllm:generation_tokens", "vllm:prefix_cache_hits", "vllm:time_to_first_token_seconds", "vllm:inter_token_latency_seconds", "vllm:kv_cache_usage_perc")]
    public async Task Both_names_tell_what_was_done(string prompted, string generated, string hits, string firstToken, string nextToken, string use)
    {
        using TinyModel file = new();
        using QuernModel model = QuernModel.Load(file.Path, new ModelOptions { Threads = 1, CacheTokens = 192 });
        await using InferenceEngine engine = new(model);
        ConcurrentDictionary<string, double> sums = [];
        using MeterListener listener = new();
        // Engines of tests that run beside have meters of their own.
        listener.InstrumentPublished = (instrument, to) =>
        {
            if (ReferenceEquals(instrument.Meter, engine.Meter)) to.EnableMeasurementEvents(instrument);
        };
        void Add(Instrument instrument, double value) => sums.AddOrUpdate(instrument.Name, value, (_, before) => before + value);
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => Add(instrument, value));
        listener.SetMeasurementEventCallback<int>((instrument, value, _, _) => Add(instrument, value));
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => Add(instrument, value));
        listener.Start();
        int[] prompt = [.. Enumerable.Range(3, 40)];
        for (int i = 0; i < 2; i++)
            await foreach (GeneratedText piece in engine.Submit(prompt, new GenerationOptions { MaxTokens = 5, IgnoreEos = true }).ReadAsync()) Assert.NotNull(piece.Text);
        using Session held = model.CreateSession();
        held.Evaluate(new int[70]);
        listener.RecordObservableInstruments();
        Assert.Equal((80, 10, 32), (sums[prompted], sums[generated], sums[hits]));
        Assert.True(sums[firstToken] > 0 && sums[nextToken] > 0);
        Assert.Equal(0.5, sums[use]);
    }
}
