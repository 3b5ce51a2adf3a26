using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu.Graphs;

/// <summary>Makes graphs of launches: the driver of a card, or a stand-in.</summary>
internal interface IGraphDriver
{
    /// <summary>Records launches without doing them.</summary>
    /// <returns>A handle of the graph.</returns>
    nint Capture(AcceleratorStream stream, LaunchList launches);

    /// <summary>Does what was recorded, in the stream.</summary>
    void Launch(nint graph, AcceleratorStream stream);

    /// <summary>Frees a graph.</summary>
    void Destroy(nint graph);
}

/// <summary>NVIDIA's.</summary>
internal sealed class CudaGraphDriver : IGraphDriver
{
    public nint Capture(AcceleratorStream stream, LaunchList launches)
    {
        // The driver's functions work on the thread's context, and threads change.
        stream.Accelerator.Bind();
        nint pointer = ((CudaStream)stream).StreamPtr;
        CudaDriver.BeginCapture(pointer);
        try
        {
            launches.Run();
        }
        catch
        {
            CudaDriver.AbandonCapture(pointer);
            throw;
        }

        return CudaDriver.EndCapture(pointer);
    }

    public void Launch(nint graph, AcceleratorStream stream)
    {
        stream.Accelerator.Bind();
        CudaDriver.LaunchGraph(graph, ((CudaStream)stream).StreamPtr);
    }

    public void Destroy(nint graph) => CudaDriver.DestroyGraph(graph);
}
