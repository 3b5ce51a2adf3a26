using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.BytePanels;

/// <summary>What kernels of byte products mean, in obvious loops over the same memory: what the assembled ones are compared with, bit for bit.</summary>
internal static unsafe class BytePanelScalar
{
    /// <summary>The product of a panel with tokens.</summary>
    /// <param name="arguments">Operands; turns do not count.</param>
    /// <param name="tokens">How many.</param>
    /// <param name="offset">What was added to the codes of weights.</param>
    public static void Multiply(in BytePanelArguments arguments, int tokens, int offset)
    {
        for (int t = 0; t < tokens; t++)
            for (int r = 0; r < BytePanelLayout.Rows; r++)
            {
                byte* row = arguments.Weights + (r / InterleavedLayout.Rows * BytePanelLayout.GroupBytes) + (r % InterleavedLayout.Rows * 4);
                int sum = 0;
                for (int k = 0; k < arguments.Steps * BytePanelLayout.StepColumns; k++)
                    sum += (sbyte)(row[(k / 4 * 64) + (k % 4)] - offset) * arguments.Activations[(t * BytePanelLayout.BlockColumns) + k];
                ref float y = ref arguments.Y[(t * BytePanelLayout.Rows) + r];
                y = MathF.FusedMultiplyAdd(sum * arguments.WeightScales[r], arguments.Scales[t], y);
            }
    }
}
