namespace Quern.Engine;

/// <summary>An <see cref="InferenceEngine"/> has as many requests as it lets wait. Try again later, or raise <see cref="EngineOptions.QueueCapacity"/>.</summary>
public sealed class EngineBusyException : InvalidOperationException
{
    internal EngineBusyException(int waiting, int capacity)
        : base($"{waiting} sequences wait of at most {capacity}; try again later, or raise EngineOptions.QueueCapacity") => (Waiting, Capacity) = (waiting, capacity);

    /// <summary>Sequences that wait.</summary>
    public int Waiting { get; }

    /// <summary>The most that may.</summary>
    public int Capacity { get; }
}
