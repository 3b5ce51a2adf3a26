using ILGPU.Runtime;
using Quern.Kernels.Gpu.Graphs;

namespace Quern.Kernels.Gpu.Tests.Graphs;

/// <summary>In place of a driver: replays what it was given to record.</summary>
internal sealed class StandIn : IGraphDriver
{
    private readonly List<LaunchList> _graphs = [];

    public int Launched { get; private set; }

    public int Destroyed { get; private set; }

    public nint Capture(AcceleratorStream stream, LaunchList launches)
    {
        _graphs.Add(launches);
        return _graphs.Count;
    }

    public void Launch(nint graph, AcceleratorStream stream)
    {
        Launched++;
        _graphs[(int)graph - 1].Run();
    }

    public void Destroy(nint graph) => Destroyed++;
}
