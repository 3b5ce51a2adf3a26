using ILGPU;

namespace Quern.Kernels.Gpu.Recurrent;

/// <summary>Arguments of <see cref="OuterProductScan"/>.</summary>
internal readonly struct OuterProductArguments(DeviceTensor r, DeviceTensor k, DeviceTensor v, DeviceTensor w, long u, int length, DeviceTensor y, StatePlaces places)
{
    public readonly DeviceTensor R = r;
    public readonly DeviceTensor K = k;
    public readonly DeviceTensor V = v;
    public readonly DeviceTensor W = w;

    /// <summary>Byte offset of [heads × head length].</summary>
    public readonly long U = u;

    /// <summary>Values in a head.</summary>
    public readonly int Length = length;
    public readonly DeviceTensor Y = y;
    public readonly StatePlaces Places = places;
}

/// <summary>
/// <c>y = r (S + diag(u) kᵀv)</c>, <c>S = diag(w) S + kᵀv</c> with a square state S for every head. A thread a column of a head of a sequence; its column of S is its own. Grid: (columns
/// over threads, runs). Source: Peng et al. 2024, arXiv 2404.05892, equations 18 and 19.
/// </summary>
internal static class OuterProductScan
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Tensors, weights and state.</param>
    public static void Kernel(DeviceMemory memory, OuterProductArguments a)
    {
        int col = (Grid.IdxX * Group.DimX) + Group.IdxX, run = Grid.IdxY, length = a.Length;
        if (col >= a.Y.Cols) return;
        int head = col / length, j = col - (head * length), values = head * length, own = (values * length) + j;
        int row = StateWalk.Run(memory, a.Places, run, 0), count = StateWalk.Run(memory, a.Places, run, 1), slot = StateWalk.Run(memory, a.Places, run, 2);
        int table = StateWalk.Run(memory, a.Places, run, 3);
        for (int done = 0; done < count;)
        {
            int end = done + StateWalk.Span(slot + done, count - done);
            long state = StateWalk.Page(memory, a.Places, table, (slot + done) / StateWalk.PageTokens) + own;
            if ((slot + done) % StateWalk.PageTokens == 0)
                for (int i = 0; i < length; i++) memory.Floats[state + (i * length)] = StateWalk.Enter(memory, a.Places, table, slot + done, own + (i * length));
            for (; done < end; done++)
            {
                long r = a.R.Row(row + done) + values, k = a.K.Row(row + done) + values, w = a.W.Row(row + done) + values;
                float v = memory.Floats[a.V.Row(row + done) + col], sum = 0;
                for (int i = 0; i < length; i++)
                {
                    float product = v * memory.Floats[k + i], before = memory.Floats[state + (i * length)];
                    sum += ((product * memory.Floats[(a.U >> 2) + values + i]) + before) * memory.Floats[r + i];
                    memory.Floats[state + (i * length)] = (before * memory.Floats[w + i]) + product;
                }

                memory.Floats[a.Y.Row(row + done) + col] = sum;
            }
        }
    }
}
