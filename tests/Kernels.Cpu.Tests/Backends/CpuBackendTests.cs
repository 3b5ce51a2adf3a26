namespace Quern.Kernels.Cpu.Tests.Backends;

/// <summary>The suite on the processor, with one thread.</summary>
public sealed class CpuBackendOneThreadTests : BackendSuite, IDisposable
{
    private readonly ThreadTeam _team = new(1);

    protected override Backend Create(ComputeMode mode) => new CpuBackend(_team, mode);

    public void Dispose() => _team.Dispose();
}

/// <summary>The suite on the processor, with three threads.</summary>
public sealed class CpuBackendThreeThreadsTests : BackendSuite, IDisposable
{
    private readonly ThreadTeam _team = new(3);

    protected override Backend Create(ComputeMode mode) => new CpuBackend(_team, mode);

    public void Dispose() => _team.Dispose();
}
