using ILGPU;

namespace Quern.Kernels.Gpu.Recurrent;

/// <summary>Arguments of <see cref="ShiftRows"/>.</summary>
internal readonly struct ShiftArguments(DeviceTensor x, DeviceTensor y, StatePlaces places)
{
    public readonly DeviceTensor X = x;
    public readonly DeviceTensor Y = y;
    public readonly StatePlaces Places = places;
}

/// <summary><c>y[t] = x[t − 1]</c>; the state is the last row. A thread a column of a sequence. Grid: (columns over threads, runs). Source: Peng et al. 2023, arXiv 2305.13048, section 3.1.1.</summary>
internal static class ShiftRows
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Tensors and state.</param>
    public static void Kernel(DeviceMemory memory, ShiftArguments a)
    {
        int col = (Grid.IdxX * Group.DimX) + Group.IdxX, run = Grid.IdxY;
        if (col >= a.Y.Cols) return;
        int row = StateWalk.Run(memory, a.Places, run, 0), count = StateWalk.Run(memory, a.Places, run, 1), slot = StateWalk.Run(memory, a.Places, run, 2);
        int table = StateWalk.Run(memory, a.Places, run, 3);
        float last = StateWalk.Enter(memory, a.Places, table, slot, col);
        for (int done = 0; done < count;)
        {
            int end = done + StateWalk.Span(slot + done, count - done);
            long state = StateWalk.Page(memory, a.Places, table, (slot + done) / StateWalk.PageTokens);
            for (; done < end; done++)
            {
                float x = memory.Floats[a.X.Row(row + done) + col];
                memory.Floats[a.Y.Row(row + done) + col] = last;
                last = x;
            }

            memory.Floats[state + col] = last;
        }
    }
}
