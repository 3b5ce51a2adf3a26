using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu.Gemm;

/// <summary>Arguments of <see cref="TensorPeak"/>.</summary>
internal readonly struct TensorPeakArguments(int rounds, long result)
{
    public readonly int Rounds = rounds;

    /// <summary>Byte offset of a number a thread.</summary>
    public readonly long Result = result;
}

/// <summary>Products on tensor cores of what is in registers already: what no product can exceed. Only on a card.</summary>
internal static class TensorPeak
{
    /// <summary>Multiplications and additions of a group in a round.</summary>
    public const long OperationsOfRound = 8L * 16 * 2 * 16 * 8 * 16;

    /// <param name="memory">The arena.</param>
    /// <param name="a">How often.</param>
    public static void Kernel(DeviceMemory memory, TensorPeakArguments a)
    {
        if (!CudaAsm.IsSupported) return;
        uint tiles = TensorTile.Declare();
        TensorTile.FillOperands();
        for (int i = 0; i < a.Rounds; i++) TensorTile.MultiplyRegisters();
        uint place = tiles + (uint)((Group.IdxX & 31) * 8);
        TensorTile.Put(0, place);
        TensorTile.Put(1, place);
        memory.Floats[(a.Result >> 2) + Group.IdxX] = TensorTile.Get(place);
    }
}
