using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Quern.Engine;

/// <summary>
/// What an engine tells <see cref="System.Diagnostics.Metrics"/>, in the meter <c>Quern.Engine</c>: every instrument has a name of ours and the one that vLLM's users know.
/// Source: vLLM 0.11, docs/design/metrics.md.
/// </summary>
internal sealed class EngineMeters : IDisposable
{
    /// <summary>An activity for each text, from the request to its end; the tags are those of OpenTelemetry's conventions for generative AI.</summary>
    public static readonly ActivitySource Activities = new("Quern.Engine");

    private readonly Meter _meter = new("Quern.Engine");
    private readonly Histogram<double>[] _firstToken;
    private readonly Histogram<double>[] _nextToken;
    private long _steps;
    private long _computed;
    private long _generated;
    private long _prompt;
    private long _selected;

    public EngineMeters(InferenceEngine engine)
    {
        Gauge("quern.engine.sequences.running", "vllm:num_requests_running", "{sequence}", "Sequences that are computed.", () => engine.Statistics.Running);
        Gauge("quern.engine.sequences.waiting", "vllm:num_requests_waiting", "{sequence}", "Sequences that wait.", () => engine.Statistics.Waiting);
        Gauge("quern.engine.pages.use", "vllm:kv_cache_usage_perc", "1", "Pages that are held, as a share of all.", () => engine.Statistics is var now ? (double)now.PagesHeld / now.Pages : 0);
        Counter("quern.engine.prefix.hits", "vllm:prefix_cache_hits", "{token}", "Tokens of prompts that were found in the cache.", () => engine.Statistics.CachedTokens);
        Counter("quern.engine.prefix.queries", "vllm:prefix_cache_queries", "{token}", "Tokens of sequences that began.", () => engine.Statistics.BegunTokens);
        Counter("quern.engine.preemptions", "vllm:num_preemptions", "{preemption}", "Sequences that lost their pages to others.", () => engine.Statistics.Preemptions);
        Counter("quern.engine.tokens.prompt", "vllm:prompt_tokens", "{token}", "Tokens of prompts, computed or found.", () => _prompt);
        Counter("quern.engine.tokens.generated", "vllm:generation_tokens", "{token}", "Tokens chosen.", () => _generated);
        _firstToken = Histogram("quern.engine.first_token", "vllm:time_to_first_token_seconds", "From the request to its first token.");
        _nextToken = Histogram("quern.engine.next_token", "vllm:inter_token_latency_seconds", "From a token to the next one.");
    }

    public Meter Meter => _meter;

    /// <summary>Steps made.</summary>
    public long Steps => Volatile.Read(ref _steps);

    /// <summary>Tokens computed.</summary>
    public long ComputedTokens => Volatile.Read(ref _computed);

    /// <summary>Tokens chosen.</summary>
    public long GeneratedTokens => Volatile.Read(ref _generated);

    /// <summary>Those of them that were chosen from the largest logits alone.</summary>
    public long SelectedTokens => Volatile.Read(ref _selected);

    /// <summary>Time in the model and in samplers.</summary>
    public long ComputeTicks { get; private set; }

    /// <summary>Time of all else, from a step's end to the next one's beginning.</summary>
    public long ScheduleTicks { get; private set; }

    /// <summary>A step was made.</summary>
    /// <param name="tokens">Tokens computed.</param>
    /// <param name="scheduleTicks">Time of deciding what to compute.</param>
    /// <param name="computeTicks">Time of computing and sampling.</param>
    public void Step(int tokens, long scheduleTicks, long computeTicks)
    {
        _steps++;
        _computed += tokens;
        ScheduleTicks += scheduleTicks;
        ComputeTicks += computeTicks;
    }

    /// <summary>A sequence has a token.</summary>
    /// <param name="promptTokens">Tokens of its prompt, if it is its first; otherwise 0.</param>
    /// <param name="time">From the request or from the token before.</param>
    public void Token(int promptTokens, TimeSpan time)
    {
        _generated++;
        _prompt += promptTokens;
        foreach (Histogram<double> histogram in promptTokens > 0 ? _firstToken : _nextToken) histogram.Record(time.TotalSeconds);
    }

    /// <summary>Tokens were chosen from the largest logits alone.</summary>
    public void Selected(long tokens) => _selected += tokens;

    public void Dispose() => _meter.Dispose();

    /// <summary>Ends a text's activity.</summary>
    public static void End(Activity? activity, int promptTokens, int generatedTokens, FinishReason reason, Exception? error)
    {
        if (activity is null) return;
        activity.SetTag("gen_ai.usage.input_tokens", promptTokens);
        activity.SetTag("gen_ai.usage.output_tokens", generatedTokens);
        activity.SetTag("gen_ai.response.finish_reasons", reason.ToString().ToLowerInvariant());
        if (error is not null) activity.SetStatus(ActivityStatusCode.Error, error.Message);
        activity.Stop();
    }

    private void Gauge<T>(string name, string known, string unit, string description, Func<T> read)
        where T : struct
    {
        _meter.CreateObservableGauge(name, read, unit, description);
        _meter.CreateObservableGauge(known, read, unit, description);
    }

    private void Counter(string name, string known, string unit, string description, Func<long> read)
    {
        _meter.CreateObservableCounter(name, read, unit, description);
        _meter.CreateObservableCounter(known, read, unit, description);
    }

    private Histogram<double>[] Histogram(string name, string known, string description) =>
        [_meter.CreateHistogram<double>(name, "s", description), _meter.CreateHistogram<double>(known, "s", description)];
}
