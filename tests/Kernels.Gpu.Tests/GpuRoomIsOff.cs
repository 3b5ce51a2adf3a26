namespace Quern.Kernels.Gpu.Tests;

/// <summary>Stands for the tests of this room in a build without it.</summary>
public sealed class GpuRoomIsOff
{
    [Fact(Skip = "the GPU room is built and tested only with -p:Gpu=true: dotnet test tests/Kernels.Gpu.Tests -c Release -p:Gpu=true")]
    public void TheGpuRoomIsOff()
    {
    }
}
