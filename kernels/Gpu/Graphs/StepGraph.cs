using ILGPU.Runtime;

namespace Quern.Kernels.Gpu.Graphs;

/// <summary>
/// The launches of a step, one after the other without gaps. A launch is put on a list; when something else wants the stream (a copy, a read, a wait), the list is done: a list seen for the
/// first time launch by launch, one seen for the second time is recorded as a graph of the driver, and from then on the graph is launched in one call. What changes from step to step (tokens,
/// positions, tables) lies at fixed places in the card's memory (<see cref="PassInputs"/>), so that the launches of two steps are the same bytes while shapes and buckets of lengths are.
/// Source: NVIDIA, "CUDA C++ Programming Guide", section 3.2.8.7 (graphs by stream capture).
/// </summary>
internal sealed class StepGraph(IGraphDriver driver) : IDisposable
{
    /// <summary>So many launches of a long step are done when the next one comes: the card works on them while the rest is listed.</summary>
    public const int FirstPart = 32;

    /// <summary>Lists that are shorter are launched one by one.</summary>
    public const int FewestLaunches = 4;

    /// <summary>Most graphs kept, and most lists remembered.</summary>
    private const int MostGraphs = 64, MostSeen = 256;

    private readonly LaunchList _now = new();
    private readonly Dictionary<ulong, (LaunchList Launches, nint Graph)> _graphs = [];
    private readonly HashSet<ulong> _seen = [];
    private bool _isRunning, _hasBegun;

    /// <summary>Whether launches are put off; a capture launches through the same kernels.</summary>
    public bool IsListening => !_isRunning;

    /// <summary>Lists done launch by launch, recorded, and replayed.</summary>
    public (long Direct, long Captured, long Replayed) Counts { get; private set; }

    /// <summary>Where launches go.</summary>
    public LaunchList Launches => _now;

    /// <summary>Puts a launch on the list.</summary>
    public void Add<T>(IListedKernel kernel, in DeviceMemory memory, LaunchShape shape, in T arguments, AcceleratorStream stream)
        where T : unmanaged
    {
        if (_now.Count == FirstPart && !_hasBegun)
        {
            Flush(stream);
            _hasBegun = true;
        }

        _now.Add(kernel, memory, shape, arguments);
    }

    /// <summary>Does what is on the list.</summary>
    public void Flush(AcceleratorStream stream)
    {
        if (_isRunning) return;
        _hasBegun = false;
        if (_now.Count == 0) return;
        _isRunning = true;
        try
        {
            Do(stream);
        }
        finally
        {
            _now.Clear();
            _isRunning = false;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Forget();

    private void Do(AcceleratorStream stream)
    {
        ulong hash = _now.Hash();
        if (_graphs.TryGetValue(hash, out (LaunchList Launches, nint Graph) known) && known.Launches.IsSame(_now))
        {
            driver.Launch(known.Graph, stream);
            Counts = Counts with { Replayed = Counts.Replayed + 1 };
            return;
        }

        // Once is a prompt or a bucket that is left soon; kernels are loaded then, which a recording does not allow.
        if (_now.Count < FewestLaunches || known.Launches is not null || _seen.Add(hash))
        {
            if (_seen.Count > MostSeen) _seen.Clear();
            _now.Run();
            Counts = Counts with { Direct = Counts.Direct + 1 };
            return;
        }

        if (_graphs.Count == MostGraphs) Forget();
        LaunchList own = _now.Copy();
        nint graph = driver.Capture(stream, own);
        _graphs[hash] = (own, graph);
        driver.Launch(graph, stream);
        Counts = Counts with { Captured = Counts.Captured + 1 };
    }

    private void Forget()
    {
        foreach ((_, nint graph) in _graphs.Values) driver.Destroy(graph);
        _graphs.Clear();
    }
}
