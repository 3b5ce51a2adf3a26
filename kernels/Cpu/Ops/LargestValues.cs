using System.Diagnostics;

namespace Quern.Kernels.Cpu.Ops;

/// <summary>
/// The k largest values of a row with their columns, and <c>Σ e^(x − max)</c> over the row: see <see cref="Backend.Largest"/>. An insertion sort that drops what falls behind the k-th place.
/// The samplers of this process select from all logits themselves; this gives the operation its meaning.
/// </summary>
internal static class LargestValues
{
    /// <param name="x">[cols].</param>
    /// <param name="k">At most cols.</param>
    /// <param name="y">[at least 1 + 2k].</param>
    public static void Scalar(ReadOnlySpan<float> x, int k, Span<float> y)
    {
        Debug.Assert(k is > 0 and <= Backend.MostLargest && k <= x.Length && x.Length <= 1 << 24, "as many as there are, and columns that are numbers in binary32");
        Span<float> values = y.Slice(1, k), columns = y.Slice(1 + k, k);
        int count = 0;
        for (int column = 0; column < x.Length; column++)
        {
            float value = x[column] + 0f;
            if (count == k && !IsLarger(value, values[^1])) continue;
            int place = count < k ? count++ : k - 1;
            for (; place > 0 && IsLarger(value, values[place - 1]); place--) (values[place], columns[place]) = (values[place - 1], columns[place - 1]);
            (values[place], columns[place]) = (value, column);
        }

        double sum = 0;
        foreach (float value in x) sum += Math.Exp((double)value - values[0]);
        y[0] = (float)sum;
    }

    private static bool IsLarger(float a, float b) => a > b || (float.IsNaN(a) && !float.IsNaN(b));
}
