using System.Diagnostics;
using System.Globalization;
using Quern.Engine.Sampling;

namespace Quern.Engine.Tests.Scheduling;

/// <summary>Clients that come, read, leave early and come again, for 3 seconds or as many as QUERN_SOAK_SECONDS says: the engine ends with the pages and the memory that it began with.</summary>
[Collection(nameof(RunsAlone))]
public sealed class SoakTests
{
    [Fact]
    public async Task Random_clients_leave_nothing_behind()
    {
        double seconds = Environment.GetEnvironmentVariable("QUERN_SOAK_SECONDS") is { Length: > 0 } text ? double.Parse(text, CultureInfo.InvariantCulture) : 3;
        using TinyModel file = new();
        using QuernModel model = QuernModel.Load(file.Path, new ModelOptions { Threads = 2, CacheTokens = 320, BatchTokens = 64 });
        await using InferenceEngine engine = new(model, new EngineOptions { MaxSequences = 6, QueueCapacity = 8, PromptTokensBesideOthers = 16 });
        await Clients(engine, TimeSpan.FromSeconds(seconds / 3), 1);
        long managed = GC.GetTotalMemory(forceFullCollection: true), native = Process.GetCurrentProcess().WorkingSet64;
        long served = await Clients(engine, TimeSpan.FromSeconds(seconds * 2 / 3), 2);
        Assert.True(served > 20, $"only {served} requests were served");
        Assert.True(engine.Statistics.Preemptions > 0 && engine.Statistics.CachedTokens > 0);
        for (int i = 0; i < 1000 && engine.Statistics is { Running: > 0 } or { Waiting: > 0 }; i++) await Task.Delay(5);
        Assert.Equal((0, 0, 0), (engine.Statistics.Running, engine.Statistics.Waiting, engine.Statistics.PagesHeld));
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - managed, long.MinValue, 2 << 20);
        Assert.InRange(Process.GetCurrentProcess().WorkingSet64 - native, long.MinValue, 64 << 20);
    }

    private static async Task<long> Clients(InferenceEngine engine, TimeSpan time, int seed)
    {
        long end = Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency), served = 0;
        await Task.WhenAll(Enumerable.Range(0, 12).Select(client => Task.Run(async () =>
        {
            Random random = new((seed * 100) + client);
            while (Stopwatch.GetTimestamp() < end)
            {
                if (await Serve(engine, random)) Interlocked.Increment(ref served);
            }
        })));
        return served;
    }

    private static async Task<bool> Serve(InferenceEngine engine, Random random)
    {
        int[] prompt = [.. Enumerable.Range(3, random.Next(1, 80)), .. Enumerable.Range(random.Next(3, 200), random.Next(0, 10))];
        GenerationOptions options = new() { MaxTokens = random.Next(1, 60), Sampling = new SamplingOptions { Seed = (ulong)random.Next(1000) } };
        using CancellationTokenSource cancel = new();
        int samples = random.Next(1, 4), leaves = random.Next(100);
        try
        {
            EngineRequest request = engine.Submit(prompt, options, samples, random.Next(3), cancel.Token);
            for (int sample = 0; sample < samples; sample++)
            {
                await foreach (GeneratedText piece in request.ReadAsync(sample))
                {
                    if (--leaves == 0) break;
                    if (leaves == -40) await cancel.CancelAsync();
                    if (piece.Finish is { } finish) Assert.True(Enum.IsDefined(finish));
                }
            }

            request.Cancel();
            return true;
        }
        catch (EngineBusyException)
        {
            await Task.Delay(1);
            return false;
        }
    }
}
