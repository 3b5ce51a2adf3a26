using Quern.Kernels.Cpu;
using Quern.Models;

namespace Quern.Engine;

/// <summary>How many pages a model's cache has, and what they cost: as many as the options say, otherwise as the context takes and memory holds.</summary>
/// <param name="Count">Whole pages that are paid for.</param>
/// <param name="Slots">Numbers of pages, more than <paramref name="Count"/> where pages that were passed cost less.</param>
/// <param name="PageBytes">Bytes of a page.</param>
/// <param name="WindowedBytes">Bytes of it that can be given back on their own, once its tokens were passed; 0 for none.</param>
/// <param name="Window">Slots behind which sequences give back what layers with a window store; null where pages stay whole.</param>
internal sealed record CachePlan(int Count, int Slots, long PageBytes, long WindowedBytes, int? Window)
{
    private const int MostPages = int.MaxValue / (2 * KvLayout.PageTokens);

    /// <summary>The plan of a model.</summary>
    /// <param name="model">Its layers.</param>
    /// <param name="backend">What will hold the cache.</param>
    /// <param name="options">What was asked for.</param>
    /// <param name="page">A cache of one page.</param>
    /// <param name="contextLength">Tokens of a context.</param>
    /// <exception cref="ArgumentOutOfRangeException"><see cref="ModelOptions.CacheBytes"/> is less than a page.</exception>
    public static CachePlan Of(Model model, Backend backend, ModelOptions options, KvLayout page, int contextLength)
    {
        long pageBytes, windowedBytes;
        using (KvCache one = backend.CreateKvCache(page)) (pageBytes, windowedBytes) = (one.PageBytes, one.WindowedBytes);
        // A card's memory holds its weights already.
        long memory = backend.CacheMemory is { } own ? own + model.WeightBytes : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        int count = options.CacheBytes is { } bytes ? PagesOf(bytes, pageBytes)
            : options.CacheTokens is { } tokens ? KvLayout.PagesFor(tokens)
            : FittingPages(contextLength, pageBytes, memory - model.WeightBytes);
        if (windowedBytes == 0) return new CachePlan(count, count, pageBytes, 0, model.WindowedLayers is { } windowed && windowed.All(here => here) ? model.Window : null);

        // Numbers for more pages are taken as far as addresses for all are within the machine's memory, of which systems grant no more at once.
        long slots = Math.Max(count, Math.Min(count * pageBytes / (pageBytes - windowedBytes), memory / pageBytes));
        return new CachePlan(count, (int)Math.Min(slots, MostPages), pageBytes, windowedBytes, model.Window);
    }

    /// <summary>The pages.</summary>
    /// <param name="memory">Gives memory of pages that were passed back to the system.</param>
    public KvPages CreatePages(IPageMemory memory) => WindowedBytes == 0
        ? new KvPages(Count)
        : new KvPages(Slots, new PageCosts(Count * PageBytes, PageBytes, PageBytes - WindowedBytes) { Window = Window!.Value, Memory = memory });

    /// <summary>The pages of a context, or as many of them as find room in most of the memory that weights leave.</summary>
    internal static int FittingPages(int contextLength, long pageBytes, long memoryBytes)
    {
        const double Share = 0.8;
        return (int)Math.Clamp((long)(memoryBytes * Share) / pageBytes, 1, KvLayout.PagesFor(contextLength));
    }

    private static int PagesOf(long bytes, long pageBytes) => bytes >= pageBytes
        ? (int)Math.Min(bytes / pageBytes, MostPages)
        : throw new ArgumentOutOfRangeException(nameof(bytes), bytes, $"CacheBytes is {bytes}; expected at least {pageBytes}, the keys and values of {KvLayout.PageTokens} tokens");
}
