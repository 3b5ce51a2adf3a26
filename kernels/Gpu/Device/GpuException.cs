namespace Quern.Kernels.Gpu;

/// <summary>A device that cannot be opened, or cannot hold what it is asked to hold. The message says what was needed, what there is and what to try.</summary>
public sealed class GpuException : Exception
{
    /// <param name="message">What happened and what to try.</param>
    /// <param name="inner">What the driver said, or null.</param>
    public GpuException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
