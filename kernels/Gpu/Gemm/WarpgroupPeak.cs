using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu.Gemm;

/// <summary>
/// Products on warpgroups of tokens that are in shared memory already: what no product can exceed on a Hopper card. The values are random, because a card clocks itself by the power it needs.
/// Only on such a card.
/// </summary>
internal static class WarpgroupPeak
{
    /// <summary>Multiplications and additions of a group in a round.</summary>
    public const long OperationsOfRound = 2L * 8 * 2 * 64 * 256 * 16;

    /// <param name="memory">The arena.</param>
    /// <param name="a">How often.</param>
    public static void Kernel(DeviceMemory memory, TensorPeakArguments a)
    {
        if (!CudaAsm.IsSupported) return;
        uint shared = WarpgroupTile.Declare(8), state = (uint)Group.IdxX + 1;
        for (int i = 0; i < 16; i++)
        {
            state *= 2654435769;
            TensorTile.Put(shared + (uint)(((256 * i) + Group.IdxX) * 16), new Uint4 { X = Values(state), Y = Values(state + 1), Z = Values(state + 2), W = Values(state + 3) });
        }

        uint w0 = Values(state + 4), w1 = Values(state + 5), w2 = Values(state + 6), w3 = Values(state + 7);
        WarpgroupTile.WaitForCopies();
        Group.Barrier();
        uint tokens = shared >> 4;
        for (int i = 0; i < a.Rounds; i++)
        {
            WarpgroupTile.Begin();
            WarpgroupTile.Multiply(false, 8, w0, w1, w2, w3, tokens);
            WarpgroupTile.Multiply(false, 8, w1, w2, w3, w0, tokens + 2);
            WarpgroupTile.Multiply(false, 8, w2, w3, w0, w1, tokens + 4);
            WarpgroupTile.Multiply(false, 8, w3, w0, w1, w2, tokens + 6);
            WarpgroupTile.Multiply(false, 8, w0, w1, w2, w3, tokens + 2048);
            WarpgroupTile.Multiply(false, 8, w1, w2, w3, w0, tokens + 2050);
            WarpgroupTile.Multiply(false, 8, w2, w3, w0, w1, tokens + 2052);
            WarpgroupTile.Multiply(false, 8, w3, w0, w1, w2, tokens + 2054);
            WarpgroupTile.EndAndWaitForPrevious();
        }

        WarpgroupTile.WaitForProducts();
        uint place = shared + (uint)((Group.IdxX & 31) * 4);
        WarpgroupTile.Put(8, place);
        memory.Floats[(a.Result >> 2) + Group.IdxX] = TensorTile.Get(place);
    }

    // Two bfloat16 of 0.5 to 1, of either sign.
    private static uint Values(uint state)
    {
        state = (state ^ (state >> 16)) * 2246822507;
        state = (state ^ (state >> 13)) * 3266489909;
        return ((state ^ (state >> 16)) & 0x807f807f) | 0x3f003f00;
    }
}
