using System.Globalization;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu;
using Quern.Kernels.Gpu.Graphs;

namespace Quern.Benchmarks.Gpu;

/// <summary>
/// In place of graphs: launches one by one with a moment noted between them, by the card's clock. What a launch takes beyond one that does nothing is its kernel's work; what is left of a step's
/// wall clock is starting, ending and waiting.
/// </summary>
internal sealed class LaunchGaps : IGraphDriver
{
    private const int Steps = 8;
    private readonly List<LaunchList> _lists = [];
    private double _seconds = double.MaxValue, _now;
    private int _launches;

    /// <summary>The row of a step's table.</summary>
    /// <param name="bench">The device.</param>
    /// <param name="step">Makes a step and waits for it.</param>
    /// <param name="stepSeconds">Its wall clock, as it is made otherwise.</param>
    public static string Row(GpuBench bench, Action step, double stepSeconds)
    {
        LaunchGaps gaps = new();
        bench.Device.UseGraphs(gaps);
        for (int i = 0; i < Steps; i++) gaps.Measure(step);
        if (bench.Device.Kind != GpuKind.Cuda) return $"| launch gaps, {gaps._launches} launches | not measured | | |";
        double gap = Math.Max(0, stepSeconds - gaps._seconds + (gaps._launches * Nothing(bench)));
        return string.Create(CultureInfo.InvariantCulture, $"| launch gaps, {gaps._launches} launches | {gap * 1e3:f3} | | {GpuBench.Percent(gap, stepSeconds)} of the step |");
    }

    public nint Capture(AcceleratorStream stream, LaunchList launches)
    {
        _lists.Add(launches);
        return _lists.Count;
    }

    public void Launch(nint graph, AcceleratorStream stream)
    {
        LaunchList launches = _lists[(int)graph - 1];
        _launches += launches.Count;
        if (stream is not CudaStream cuda)
        {
            launches.Run();
            return;
        }

        stream.Accelerator.Bind();
        nint[] moments = [.. Enumerable.Range(0, launches.Count + 1).Select(_ => CudaDriver.CreateEvent())];
        CudaDriver.Record(moments[0], cuda.StreamPtr);
        for (int i = 0; i < launches.Count; i++)
        {
            launches.Run(i);
            CudaDriver.Record(moments[i + 1], cuda.StreamPtr);
        }

        _now += CudaDriver.Milliseconds(moments[0], moments[^1]) / 1e3;
        foreach (nint moment in moments) CudaDriver.DestroyEvent(moment);
    }

    public void Destroy(nint graph)
    {
    }

    // A step may be several lists; the first steps are not recorded yet.
    private void Measure(Action step)
    {
        (_now, _launches) = (0, 0);
        step();
        if (_now > 0) _seconds = Math.Min(_seconds, _now);
    }

    /// <summary>Seconds of a launch that does next to nothing, measured the same way.</summary>
    private static double Nothing(GpuBench bench)
    {
        const int Launches = 64;
        LaunchGaps gaps = new();
        bench.Device.UseGraphs(gaps);
        for (int i = 0; i < Steps; i++)
        {
            gaps.Measure(() =>
            {
                bench.Backend.BeginPass();
                Tensor one = bench.Backend.Take(1, 1);
                for (int launch = 0; launch < Launches; launch++) bench.Backend.Scale(one, 1);
                bench.Device.Synchronize();
            });
        }

        return gaps._seconds / Launches;
    }
}
