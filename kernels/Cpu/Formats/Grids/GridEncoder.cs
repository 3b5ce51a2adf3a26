using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Formats.Grids;

/// <summary>
/// Encodes blocks of a grid format: minimises Σ weight × (x − decoded x)² over d, the groups' levels, the points and the signs.
/// <list type="number">
/// <item>Each group alone: sweep scales, take the best, and alternate between nearest points and best scale (<see cref="FitGroup"/>).</item>
/// <item>The block: every d whose odd multiples come near the groups' scales is scored by the parabolas that the first step left
/// (<see cref="ScaleCandidates"/>); the best few are tried for real, with levels and points searched again at the scales that the block
/// can say (<see cref="FitBlock"/>).</item>
/// </list>
/// Where the signs must be even in number and are not, the exact choice of the sign to change is part of the point search.
/// Values are divided by the block's largest magnitude first, so the result does not depend on the scale of a tensor.
/// One thread; holds up to 1 MB of native memory.
/// </summary>
internal sealed unsafe class GridEncoder : IDisposable
{
    private const int SignGroups = GridShape.BlockLength / 8;
    private const int Candidates = 4;

    /// <summary>First sweep: scales from 0.25 to 1.2 of the one that would bring the largest value onto the largest coordinate, in steps of 11 %.</summary>
    private const int SweepSteps = 16;
    private const float SweepFirst = 0.25f, SweepRatio = 1.11f;

    private readonly GridShape _shape;
    private readonly int _points, _pointsInSigns;
    private readonly float* _memory, _x, _w, _a, _b, _flipped;
    private readonly bool[] _odd = new bool[SignGroups];
    private readonly Group[] _groups;

    public GridEncoder(GridShape shape)
    {
        _shape = shape;
        _points = GridShape.BlockLength / shape.Dimension;
        _pointsInSigns = 8 / shape.Dimension;
        _groups = new Group[shape.Groups];
        bool separate = shape.Signs == SignRule.Even && _pointsInSigns > 1;
        nuint table = (nuint)(_points * shape.Count), block = GridShape.BlockLength;
        _memory = (float*)NativeMemory.AlignedAlloc(((2 * block) + (table * (separate ? 3u : 2u))) * sizeof(float), 64);
        _x = _memory;
        _w = _x + block;
        _a = _w + block;
        _b = _a + table;
        _flipped = separate ? _b + table : null;
    }

    /// <summary>A group's best scale by itself, and the error around it: B × (s − Scale)² more.</summary>
    private record struct Group(float Scale, float B);

    /// <summary>Encodes one block.</summary>
    /// <param name="values">[blocks, 256] finite values.</param>
    /// <param name="importance">[blocks, 256] non-negative weights, or null.</param>
    /// <param name="block">Which block.</param>
    /// <param name="code">What to store.</param>
    public void Encode(float* values, float* importance, long block, out GridCode code)
    {
        values += block * GridShape.BlockLength;
        code = default;
        float largest = 0;
        for (int i = 0; i < GridShape.BlockLength; i++) largest = MathF.Max(largest, MathF.Abs(values[i]));
        Debug.Assert(float.IsFinite(largest), "values are finite");

        // Below this no d that binary16 has is near; 1 / largest would overflow soon.
        if (largest < 1e-12f) return;
        float* row = importance == null ? null : importance + (block * GridShape.BlockLength);
        BlockWeights.Fill(new ReadOnlySpan<float>(row, row == null ? 0 : GridShape.BlockLength), new Span<float>(_w, GridShape.BlockLength));
        for (int i = 0; i < GridShape.BlockLength; i++) _x[i] = values[i] / largest;
        if (_shape.Signs != SignRule.InPoint) TakeSigns(ref code);
        Correlate();
        for (int g = 0; g < _groups.Length; g++) _groups[g] = FitGroup(g);

        Span<float> candidates = stackalloc float[Candidates];
        ScaleCandidates(candidates);
        GridCode trial = code;
        double best = double.MaxValue;
        foreach (float candidate in candidates)
        {
            double error = FitBlock(candidate, largest / _shape.Unit, ref trial);
            if (error >= best) continue;
            best = error;
            code = trial;
        }

        if (code.Scale != 0 && _shape.Signs == SignRule.Even) MakeSignsEven(ref code);
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    /// <summary>Splits the values into signs and magnitudes.</summary>
    private void TakeSigns(ref GridCode code)
    {
        for (int i = 0; i < GridShape.BlockLength; i++)
        {
            if (_x[i] >= 0) continue;
            _x[i] = -_x[i];
            code.Signs[i / 8] |= (byte)(1 << (i % 8));
        }

        for (int i = 0; i < SignGroups; i++) _odd[i] = _shape.Signs == SignRule.Even && (BitOperations.PopCount(code.Signs[i]) & 1) != 0;
    }

    private void Correlate()
    {
        for (int p = 0; p < _points; p++)
        {
            float* a = A(p);
            bool odd = _odd[p / _pointsInSigns];
            float* flipped = !odd ? null : _flipped == null ? a : Flipped(p);
            GridSearch.Correlate(_shape, _x + (p * _shape.Dimension), _w + (p * _shape.Dimension), a, B(p), flipped);
        }
    }

    /// <summary>The best scale of a group when it need not fit its neighbours.</summary>
    private Group FitGroup(int group)
    {
        float largest = 0;
        for (int i = 0; i < _shape.GroupLength; i++) largest = MathF.Max(largest, MathF.Abs(_x[(group * _shape.GroupLength) + i]));
        float scale = SweepFirst * largest / _shape.Largest, lowest = float.MaxValue, best = 0;
        for (int step = 0; step < SweepSteps; step += 4)
        {
            Vector128<float> scales = Vector128.Create(
                scale, scale * SweepRatio, scale * (SweepRatio * SweepRatio), scale * (SweepRatio * SweepRatio * SweepRatio));
            Vector128<float> errors = Lowest(group, scales);
            for (int i = 0; i < 4; i++)
            {
                if (errors[i] >= lowest) continue;
                lowest = errors[i];
                best = scales[i];
            }

            scale = scales[3] * SweepRatio;
        }

        GridCode unused = default;
        for (int round = 0; ; round++)
        {
            (double a, double b, _) = Choose(group, best, ref unused);
            float refined = Math.Max((float)(a / (2 * b)), 0);
            if (round == 1) return new Group(refined, (float)b);
            best = refined;
        }
    }

    /// <summary>The scales of the block, in units of normalised values, that look best; a few, from different parts of the range.</summary>
    private void ScaleCandidates(Span<float> candidates)
    {
        float largest = 0;
        foreach (Group group in _groups) largest = MathF.Max(largest, group.Scale);
        int steps = 12, top = (2 * _shape.Levels) - 1;
        for (int part = 0; part < candidates.Length; part++)
        {
            double lowest = double.MaxValue;
            for (int i = 0; i < steps; i++)
            {
                // From a little under the scale that gives the largest group the top level to twice that.
                float scale = largest / top * (0.9f + (1.2f * ((part * steps) + i) / (candidates.Length * steps)));
                double error = 0, a = 0, b = 0;
                foreach (Group group in _groups)
                {
                    int odd = (2 * Level(group.Scale, scale)) + 1;
                    double distance = group.Scale - (scale * odd);
                    error += group.B * distance * distance;
                    a += group.B * group.Scale * odd;
                    b += (double)group.B * odd * odd;
                }

                if (error >= lowest) continue;
                lowest = error;
                candidates[part] = (float)(a / b);
            }
        }
    }

    /// <summary>
    /// Chooses levels and points at one scale of the block, moves the scale to its best for them, and chooses again at the binary16 nearest to that.
    /// </summary>
    /// <param name="scale">Scale in units of normalised values.</param>
    /// <param name="unit">What turns such a scale into d.</param>
    /// <param name="code">Scale, levels and points are written.</param>
    /// <returns>The squared error, less a constant.</returns>
    private double FitBlock(float scale, float unit, ref GridCode code)
    {
        double a = 0, b = 0;
        for (int pass = 0; ; pass++)
        {
            double error = 0;
            a = b = 0;
            for (int g = 0; g < _groups.Length; g++)
            {
                int level = BestLevel(g, scale), odd = (2 * level) + 1;
                (double groupA, double groupB, double groupError) = Choose(g, scale * odd, ref code);
                code.Levels[g] = (byte)level;
                a += groupA * odd;
                b += groupB * odd * odd;
                error += groupError;
            }

            if (pass == 1) return error;
            code.Scale = Float16.FromSingle(MathF.Min((float)(a / (2 * b)) * unit, Float16Limits.Largest));
            scale = Float16.ToSingle(code.Scale) / unit;
            if (code.Scale == 0) return 0;
        }
    }

    private int Level(float groupScale, float scale) =>
        Math.Clamp((int)MathF.Round(((groupScale / scale) - 1) / 2), 0, _shape.Levels - 1);

    /// <summary>The level with the least error among the four around the one that the group would have by itself.</summary>
    private int BestLevel(int group, float scale)
    {
        int first = Math.Clamp(Level(_groups[group].Scale, scale) - 1, 0, _shape.Levels - 4);
        Vector128<float> odd = Vector128.Create(1f, 3, 5, 7) + Vector128.Create(2f * first);
        Vector128<float> errors = Lowest(group, odd * scale);
        int best = 0;
        for (int i = 1; i < 4; i++)
        {
            if (errors[i] < errors[best]) best = i;
        }

        return first + best;
    }

    /// <summary>The least error, less a constant, that a group has at each of four scales.</summary>
    private Vector128<float> Lowest(int group, Vector128<float> scales)
    {
        int shifts = _shape.OneShiftInGroup ? 2 : 1, count = _shape.Count / shifts, first = group * _shape.PointsInGroup;
        Vector128<float> lowest = Vector128.Create(float.MaxValue);
        for (int shift = 0; shift < shifts; shift++)
        {
            Vector128<float> sum = Vector128<float>.Zero;
            int offset = shift * count;
            for (int p = first; p < first + _shape.PointsInGroup; p++)
            {
                Vector128<float> nearest = GridSearch.Lowest(A(p) + offset, B(p) + offset, count, scales);
                if (_flipped != null && _odd[p / 2])
                {
                    // Two points share the odd sign: either the first or the second takes it.
                    Vector128<float> other = GridSearch.Lowest(Flipped(p), B(p), count, scales);
                    Vector128<float> second = GridSearch.Lowest(A(p + 1), B(p + 1), count, scales);
                    Vector128<float> otherSecond = GridSearch.Lowest(Flipped(p + 1), B(p + 1), count, scales);
                    nearest = Vector128.Min(other + second, nearest + otherSecond);
                    p++;
                }

                sum += nearest;
            }

            lowest = Vector128.Min(lowest, sum);
        }

        return lowest * scales;
    }

    /// <summary>Finds the points of a group at a scale.</summary>
    /// <returns>A and B of <see cref="GridSearch"/> over the group, and the squared error, less a constant.</returns>
    private (double A, double B, double Error) Choose(int group, float scale, ref GridCode code)
    {
        int shifts = _shape.OneShiftInGroup ? 2 : 1, count = _shape.Count / shifts, first = group * _shape.PointsInGroup;
        double a = 0, b = 0, error = double.MaxValue;
        Span<int> chosen = stackalloc int[_shape.PointsInGroup];
        for (int shift = 0; shift < shifts; shift++)
        {
            int offset = shift * count;
            double sumA = 0, sumB = 0;
            for (int i = 0; i < chosen.Length; i++)
            {
                int p = first + i;
                if (_flipped != null && _odd[p / 2])
                {
                    ChoosePair(p, scale, out chosen[i], out chosen[i + 1], out bool inSecond);
                    sumA += (inSecond ? A(p) : Flipped(p))[chosen[i]] + (inSecond ? Flipped(p + 1) : A(p + 1))[chosen[i + 1]];
                    sumB += B(p)[chosen[i]] + B(p + 1)[chosen[i + 1]];
                    i++;
                    continue;
                }

                chosen[i] = offset + GridSearch.Nearest(A(p) + offset, B(p) + offset, count, scale, out _);
                sumA += A(p)[chosen[i]];
                sumB += B(p)[chosen[i]];
            }

            double sum = scale * ((scale * sumB) - sumA);
            if (sum >= error) continue;
            (a, b, error) = (sumA, sumB, sum);
            for (int i = 0; i < chosen.Length; i++) code.Points[first + i] = (ushort)chosen[i];
        }

        return (a, b, error);
    }

    /// <summary>Two points of four values of which one has to take a changed sign.</summary>
    private void ChoosePair(int p, float scale, out int first, out int second, out bool inSecond)
    {
        int plain0 = GridSearch.Nearest(A(p), B(p), _shape.Count, scale, out float error0);
        int plain1 = GridSearch.Nearest(A(p + 1), B(p + 1), _shape.Count, scale, out float error1);
        int flipped0 = GridSearch.Nearest(Flipped(p), B(p), _shape.Count, scale, out float flippedError0);
        int flipped1 = GridSearch.Nearest(Flipped(p + 1), B(p + 1), _shape.Count, scale, out float flippedError1);
        inSecond = error0 + flippedError1 < flippedError0 + error1;
        (first, second) = inSecond ? (plain0, flipped1) : (flipped0, plain1);
    }

    /// <summary>Changes the sign that costs least at the chosen points, wherever the number of minus signs is odd.</summary>
    private void MakeSignsEven(ref GridCode code)
    {
        for (int i = 0; i < SignGroups; i++)
        {
            if (!_odd[i]) continue;
            float least = float.MaxValue;
            int flip = 0;
            for (int j = 0; j < 8; j++)
            {
                int point = code.Points[((8 * i) + j) / _shape.Dimension];
                float cost = _w[(8 * i) + j] * _x[(8 * i) + j] * _shape.Coordinates[(j % _shape.Dimension * _shape.Count) + point];
                if (cost >= least) continue;
                least = cost;
                flip = j;
            }

            code.Signs[i] ^= (byte)(1 << flip);
        }
    }

    private float* A(int point) => _a + ((long)point * _shape.Count);

    private float* B(int point) => _b + ((long)point * _shape.Count);

    private float* Flipped(int point) => _flipped + ((long)point * _shape.Count);
}
