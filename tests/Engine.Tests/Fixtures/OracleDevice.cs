using Quern.Kernels.Cpu;
using Quern.TestKit.Oracle;

namespace Quern.Engine.Tests;

/// <summary>The oracle in place of a card.</summary>
/// <param name="isElsewhere">Whether it says that results do not lie in this process's memory, so that the largest logits are asked for.</param>
internal sealed class OracleDevice(bool isElsewhere) : ComputeDevice
{
    public override Backend CreateBackend(BackendRequest request, Backend processor)
    {
        processor.Dispose();
        return new OracleBackend { IsElsewhere = isElsewhere };
    }
}
