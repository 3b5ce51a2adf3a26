using ILGPU;

namespace Quern.Kernels.Gpu.Recurrent;

/// <summary>Arguments of <see cref="CausalConvolution"/>.</summary>
internal readonly struct ConvolutionArguments(DeviceTensor x, long weights, long bias, int taps, DeviceTensor y, StatePlaces places)
{
    public readonly DeviceTensor X = x;

    /// <summary>Byte offset of the weights, [width, taps].</summary>
    public readonly long Weights = weights;

    /// <summary>Byte offset of the biases, [width].</summary>
    public readonly long Bias = bias;
    public readonly int Taps = taps;
    public readonly DeviceTensor Y = y;
    public readonly StatePlaces Places = places;
}

/// <summary>
/// <c>y[t, c] = bias[c] + Σ_j weights[c, j] · x[t − taps + 1 + j, c]</c>; the state is the last taps − 1 rows, [width, taps − 1] here. A thread a channel of a sequence. Grid: (channels
/// over threads, runs). Source: Gu and Dao 2023, arXiv 2312.00752, figure 3.
/// </summary>
internal static class CausalConvolution
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Tensors, weights and state.</param>
    public static void Kernel(DeviceMemory memory, ConvolutionArguments a)
    {
        int channel = (Grid.IdxX * Group.DimX) + Group.IdxX, run = Grid.IdxY, before = a.Taps - 1;
        if (channel >= a.Y.Cols) return;
        int row = StateWalk.Run(memory, a.Places, run, 0), count = StateWalk.Run(memory, a.Places, run, 1), slot = StateWalk.Run(memory, a.Places, run, 2);
        int table = StateWalk.Run(memory, a.Places, run, 3);
        long weights = (a.Weights >> 2) + ((long)channel * a.Taps);
        for (int done = 0; done < count;)
        {
            int first = done, end = done + StateWalk.Span(slot + done, count - done), own = channel * before;
            long state = StateWalk.Page(memory, a.Places, table, (slot + done) / StateWalk.PageTokens) + own;
            if ((slot + done) % StateWalk.PageTokens == 0)
                for (int j = 0; j < before; j++) memory.Floats[state + j] = StateWalk.Enter(memory, a.Places, table, slot + done, own + j);
            for (; done < end; done++)
            {
                float sum = memory.Floats[(a.Bias >> 2) + channel];
                for (int j = 0; j <= before; j++) sum += memory.Floats[weights + j] * Source(memory, a, state, row, done - before + j, first, before, channel);
                memory.Floats[a.Y.Row(row + done) + channel] = sum;
            }

            // Ascending: what is overwritten is not read again.
            for (int j = 0; j < before; j++) memory.Floats[state + j] = Source(memory, a, state, row, end - before + j, first, before, channel);
        }
    }

    // The state holds the rows before the first token of this page's stretch.
    private static float Source(DeviceMemory memory, ConvolutionArguments a, long state, int row, int token, int first, int before, int channel) =>
        token < first ? memory.Floats[state + before + (token - first)] : memory.Floats[a.X.Row(row + token) + channel];
}
