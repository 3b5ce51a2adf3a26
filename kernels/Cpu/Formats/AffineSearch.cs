using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// Finds the binary16 scale d and minimum m of 32 values and their codes 0…levels. The plain way maps the smallest value to code 0 and the
/// largest to the last code; the search tries narrower and wider ranges, improves each by weighted least squares in d and m, and keeps what
/// gives the smallest Σw(x − d·c − m)² with both numbers as they will be stored. It starts from the plain way, so it is never worse.
/// Source: the plain way is ggml's quantize_row_q4_1_ref and q5_1; the search is a straight-line fit by normal equations.
/// </summary>
internal static unsafe class AffineSearch
{
    private const int Length = 32, Steps = 9;
    private const float StepSize = 0.1f;

    /// <summary>
    /// The plain way where <paramref name="importance"/> is null, else the search; returns the bits of d in the low half and of m in the high half.
    /// </summary>
    public static uint Quantize(float* values, float* importance, int levels, byte* codes)
    {
        float lowest = values[0], highest = values[0];
        for (int i = 1; i < Length; i++)
        {
            lowest = Math.Min(lowest, values[i]);
            highest = Math.Max(highest, values[i]);
        }

        float scale = (highest - lowest) / levels;
        float inverse = scale < 1e-37f ? 0 : 1 / scale;
        for (int i = 0; i < Length; i++) codes[i] = (byte)Math.Clamp((int)(((values[i] - lowest) * inverse) + 0.5f), 0, levels);
        Line best = new(ScaleSearch.ToBits(scale), ScaleSearch.ToBits(lowest));
        return importance == null || inverse == 0 ? best.Bits : Search(values, importance, levels, lowest, inverse, best, codes).Bits;
    }

    private static Line Search(float* values, float* importance, int levels, float lowest, float inverse, Line best, byte* codes)
    {
        float* kept = stackalloc float[Length];
        float* trial = stackalloc float[Length];
        for (int i = 0; i < Length; i++) kept[i] = codes[i];
        float bestError = Error(values, importance, best, kept);
        for (int step = -Steps; step <= Steps; step++)
        {
            Assign(values, lowest, inverse * (1 + (StepSize * step / levels)), levels, trial);
            Line line = Fit(values, importance, trial);
            if (line.Scale == 0) continue;
            Assign(values, line.Minimum, 1 / line.Scale, levels, trial);
            float error = Error(values, importance, line, trial);
            if (!(error < bestError)) continue;
            bestError = error;
            best = line;
            float* freed = kept;
            kept = trial;
            trial = freed;
        }

        for (int i = 0; i < Length; i++) codes[i] = (byte)kept[i];
        return best;
    }

    private static void Assign(float* values, float minimum, float inverse, int levels, float* codes)
    {
        for (int i = 0; i < Length; i += 8)
            ScaleSearch.Round((Vector256.Load(values + i) - Vector256.Create(minimum)) * Vector256.Create(inverse), 0, levels).Store(codes + i);
    }

    // Normal equations of Σw(x − d·c − m)², with values and codes taken from their means so that little cancels.
    private static Line Fit(float* values, float* importance, float* codes)
    {
        Vector256<float> w = Vector256<float>.Zero, wx = w, wc = w;
        for (int i = 0; i < Length; i += 8)
        {
            Vector256<float> weight = Vector256.Load(importance + i);
            w += weight;
            wx += weight * Vector256.Load(values + i);
            wc += weight * Vector256.Load(codes + i);
        }

        float total = ScaleSearch.Sum(w);
        if (!(total > 0)) return default;
        float meanX = ScaleSearch.Sum(wx) / total, meanC = ScaleSearch.Sum(wc) / total;
        Vector256<float> products = Vector256<float>.Zero, squares = products;
        for (int i = 0; i < Length; i += 8)
        {
            Vector256<float> c = Vector256.Load(codes + i) - Vector256.Create(meanC);
            Vector256<float> weighted = Vector256.Load(importance + i) * c;
            products += weighted * (Vector256.Load(values + i) - Vector256.Create(meanX));
            squares += weighted * c;
        }

        float spread = ScaleSearch.Sum(squares);
        if (!(spread > 0)) return default;
        float scale = ScaleSearch.Sum(products) / spread;
        return new Line(ScaleSearch.ToBits(scale), ScaleSearch.ToBits(meanX - (scale * meanC)));
    }

    private static float Error(float* values, float* importance, Line line, float* codes)
    {
        Vector256<float> sum = Vector256<float>.Zero;
        for (int i = 0; i < Length; i += 8)
        {
            Vector256<float> decoded = (Vector256.Create(line.Scale) * Vector256.Load(codes + i)) + Vector256.Create(line.Minimum);
            Vector256<float> difference = Vector256.Load(values + i) - decoded;
            sum += Vector256.Load(importance + i) * difference * difference;
        }

        return ScaleSearch.Sum(sum);
    }

    private readonly record struct Line(ushort ScaleBits, ushort MinimumBits)
    {
        public float Scale => Float16.ToSingle(ScaleBits);

        public float Minimum => Float16.ToSingle(MinimumBits);

        public uint Bits => ScaleBits | ((uint)MinimumBits << 16);
    }
}
