namespace Quern.Kernels.Cpu.Ops;

/// <summary>
/// Rotary position encoding, in place: <c>(a, b) → (a cos θ − b sin θ, a sin θ + b cos θ)</c> for each pair of a head. Source: Su et al. 2021, arXiv 2104.09864.
/// </summary>
internal readonly unsafe struct Rope(Tensor x, int headLength, Tensor angles, RopePairing pairing) : ITeamJob
{
    private readonly Tensor _x = x;
    private readonly int _headLength = headLength;
    private readonly Tensor _angles = angles;
    private readonly RopePairing _pairing = pairing;

    /// <summary>Writes cosines and sines of <c>position · frequency</c>, times the table's magnitude, computed in double precision.</summary>
    public static void Angles(RopeTable table, ReadOnlySpan<int> positions, Tensor angles)
    {
        int pairs = table.Pairs;
        for (int row = 0; row < positions.Length; row++)
        {
            Span<float> target = angles.Row(row);
            for (int i = 0; i < pairs; i++)
            {
                (double sine, double cosine) = Math.SinCos((double)positions[row] * table.Frequencies[i]);
                target[i] = (float)cosine * table.Magnitude;
                target[pairs + i] = (float)sine * table.Magnitude;
            }
        }
    }

    public void Run(int from, int to, int worker)
    {
        int pairs = _angles.Cols / 2;
        int step = _pairing == RopePairing.Interleaved ? 2 : 1, apart = _pairing == RopePairing.Interleaved ? 1 : pairs;
        for (int row = from; row < to; row++)
        {
            float* x = (float*)_x.Address + ((nint)row * _x.Stride), cosines = (float*)_angles.Address + ((nint)row * _angles.Stride);
            for (int head = 0; head < _x.Cols; head += _headLength)
            {
                float* first = x + head, second = first + apart;
                for (int i = 0; i < pairs; i++, first += step, second += step)
                {
                    float a = *first, b = *second, cosine = cosines[i], sine = cosines[pairs + i];
                    *first = (a * cosine) - (b * sine);
                    *second = (a * sine) + (b * cosine);
                }
            }
        }
    }
}
