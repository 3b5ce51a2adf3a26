using ILGPU;
using ILGPU.Algorithms;

namespace Quern.Kernels.Gpu.Recurrent;

/// <summary>Arguments of <see cref="SelectiveScan"/>.</summary>
internal readonly struct SelectiveScanArguments(DeviceTensor x, DeviceTensor delta, DeviceTensor b, DeviceTensor c, long a, long d, DeviceTensor y, StatePlaces places)
{
    public readonly DeviceTensor X = x;
    public readonly DeviceTensor Delta = delta;
    public readonly DeviceTensor B = b;
    public readonly DeviceTensor C = c;

    /// <summary>Byte offset of [width, N].</summary>
    public readonly long A = a;

    /// <summary>Byte offset of [width].</summary>
    public readonly long D = d;
    public readonly DeviceTensor Y = y;
    public readonly StatePlaces Places = places;
}

/// <summary>
/// <c>h = e^(Δ a) h + Δ b x</c>, <c>y = c · h + d x</c> with N values h for every channel, [width, N]. A thread a channel of a sequence. Grid: (channels over threads, runs).
/// Source: Gu and Dao 2023, arXiv 2312.00752, algorithm 2.
/// </summary>
internal static class SelectiveScan
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Tensors, weights and state.</param>
    public static void Kernel(DeviceMemory memory, SelectiveScanArguments a)
    {
        int channel = (Grid.IdxX * Group.DimX) + Group.IdxX, run = Grid.IdxY, length = a.B.Cols;
        if (channel >= a.Y.Cols) return;
        int row = StateWalk.Run(memory, a.Places, run, 0), count = StateWalk.Run(memory, a.Places, run, 1), slot = StateWalk.Run(memory, a.Places, run, 2);
        int table = StateWalk.Run(memory, a.Places, run, 3), own = channel * length;
        for (int done = 0; done < count;)
        {
            int end = done + StateWalk.Span(slot + done, count - done);
            long state = StateWalk.Page(memory, a.Places, table, (slot + done) / StateWalk.PageTokens) + own;
            if ((slot + done) % StateWalk.PageTokens == 0)
                for (int i = 0; i < length; i++) memory.Floats[state + i] = StateWalk.Enter(memory, a.Places, table, slot + done, own + i);
            for (; done < end; done++)
            {
                float x = memory.Floats[a.X.Row(row + done) + channel], delta = memory.Floats[a.Delta.Row(row + done) + channel], sum = 0;
                long b = a.B.Row(row + done), c = a.C.Row(row + done);
                for (int i = 0; i < length; i++)
                {
                    float h = (XMath.Exp(memory.Floats[(a.A >> 2) + own + i] * delta) * memory.Floats[state + i]) + (memory.Floats[b + i] * delta * x);
                    memory.Floats[state + i] = h;
                    sum += h * memory.Floats[c + i];
                }

                memory.Floats[a.Y.Row(row + done) + channel] = sum + (memory.Floats[(a.D >> 2) + channel] * x);
            }
        }
    }
}
