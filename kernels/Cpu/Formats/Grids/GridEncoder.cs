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
/// Both ask for nearest points at many scales: see <see cref="PointEnvelope"/>. Where the signs must be even in number and are not, the
/// exact choice of the sign to change is part of the search.
/// Values are divided by the block's largest magnitude first, so the result does not depend on the scale of a tensor.
/// One thread; holds about 200 KB of native memory at most.
/// </summary>
internal sealed unsafe class GridEncoder : IDisposable
{
    private const int SignGroups = GridShape.BlockLength / 8;
    private const int Candidates = 4;

    /// <summary>First sweep: scales from 0.25 to 1.2 of the one that would bring the largest value onto the largest coordinate, in steps of 11 %.</summary>
    private const int SweepSteps = 16;
    private const float SweepFirst = 0.25f, SweepRatio = 1.11f;

    private readonly GridShape _shape;
    private readonly int _points, _shifts;
    private readonly float* _x, _w, _a, _b, _f;
    private readonly PointEnvelope* _plain, _flipped;
    private readonly bool[] _odd = new bool[SignGroups];
    private readonly Group[] _groups;

    public GridEncoder(GridShape shape)
    {
        _shape = shape;
        _points = GridShape.BlockLength / shape.Dimension;
        _groups = new Group[shape.Groups];
        _shifts = shape.OneShiftInGroup ? 2 : 1;
        int envelopes = _points * (_shifts + (PairsShareSigns ? 1 : 0));
        int floats = (2 * GridShape.BlockLength) + (3 * shape.Count);
        _x = (float*)NativeMemory.AlignedAlloc((nuint)(floats * sizeof(float)) + (nuint)(envelopes * sizeof(PointEnvelope)), 64);
        _w = _x + GridShape.BlockLength;
        _a = _w + GridShape.BlockLength;
        _b = _a + shape.Count;
        _f = _b + shape.Count;
        _plain = (PointEnvelope*)(_f + shape.Count);
        _flipped = _plain + (_points * _shifts);
    }

    /// <summary>True where two points have one odd sign between them, so that either may take it.</summary>
    private bool PairsShareSigns => _shape.Signs == SignRule.Even && _shape.Dimension == 4;

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

    public void Dispose() => NativeMemory.AlignedFree(_x);

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

    /// <summary>Finds the envelopes of a group's points.</summary>
    /// <param name="group">The group.</param>
    /// <param name="usual">The scale at which the group's largest value is on the largest coordinate.</param>
    private void Envelop(int group, float usual)
    {
        // The other groups may force any larger scale on a group, but hardly a much smaller one.
        float largest = 8 / _shape.Largest;
        Vector128<float> seeds = Vector128.Create(0.3f, 0.5f, 0.75f, 1.1f) * usual;
        int count = _shape.Count / _shifts, first = group * _shape.PointsInGroup;
        for (int p = first; p < first + _shape.PointsInGroup; p++)
        {
            bool odd = IsOdd(p);
            GridSearch.Correlate(_shape, _x + (p * _shape.Dimension), _w + (p * _shape.Dimension), _a, _b, odd ? _f : null);
            float* a = odd && !PairsShareSigns ? _f : _a;
            for (int shift = 0; shift < _shifts; shift++) GridSearch.Envelop(a, _b, shift * count, count, seeds, largest, Plain(p, shift));
            if (odd && PairsShareSigns) GridSearch.Envelop(_f, _b, 0, count, seeds, largest, _flipped + p);
        }
    }

    /// <summary>The best scale of a group when it need not fit its neighbours.</summary>
    private Group FitGroup(int group)
    {
        float largest = 0;
        for (int i = 0; i < _shape.GroupLength; i++) largest = MathF.Max(largest, MathF.Abs(_x[(group * _shape.GroupLength) + i]));
        float usual = largest / _shape.Largest, scale = SweepFirst * usual, lowest = float.MaxValue, best = 0;
        Envelop(group, usual);
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
        int first = group * _shape.PointsInGroup;
        Vector128<float> lowest = Vector128.Create(float.MaxValue);
        for (int shift = 0; shift < _shifts; shift++)
        {
            Vector128<float> sum = Vector128<float>.Zero;
            for (int p = first; p < first + _shape.PointsInGroup; p++)
            {
                Vector128<float> nearest = Plain(p, shift)->Lowest(scales);
                if (PairsShareSigns && IsOdd(p))
                {
                    Vector128<float> inSecond = nearest + _flipped[p + 1].Lowest(scales);
                    nearest = Vector128.Min(inSecond, _flipped[p].Lowest(scales) + Plain(++p, 0)->Lowest(scales));
                }

                sum += nearest;
            }

            lowest = Vector128.Min(lowest, sum);
        }

        return lowest * scales;
    }

    /// <summary>Finds the points of a group at a scale.</summary>
    /// <returns>A and B of <see cref="PointEnvelope"/> over the group, and the squared error, less a constant.</returns>
    private (double A, double B, double Error) Choose(int group, float scale, ref GridCode code)
    {
        int first = group * _shape.PointsInGroup;
        double a = 0, b = 0, error = double.MaxValue;
        Span<ushort> chosen = stackalloc ushort[_shape.PointsInGroup];
        for (int shift = 0; shift < _shifts; shift++)
        {
            double sumA = 0, sumB = 0;
            for (int i = 0; i < chosen.Length; i++)
            {
                PointEnvelope* envelope = Plain(first + i, shift);
                if (PairsShareSigns && IsOdd(first + i)) envelope = Flips(first + i, scale) ? _flipped + first + i : envelope;
                envelope->Lowest(scale, out int line);
                (int index, float pointA, float pointB) = (*envelope)[line];
                chosen[i] = (ushort)index;
                sumA += pointA;
                sumB += pointB;
            }

            double sum = scale * ((scale * sumB) - sumA);
            if (sum >= error) continue;
            (a, b, error) = (sumA, sumB, sum);
            for (int i = 0; i < chosen.Length; i++) code.Points[first + i] = chosen[i];
        }

        return (a, b, error);
    }

    /// <summary>Whether a point, and not the other of its pair, takes the changed sign.</summary>
    private bool Flips(int point, float scale)
    {
        int first = point & ~1, second = first + 1;
        float inFirst = _flipped[first].Lowest(scale, out _) + Plain(second, 0)->Lowest(scale, out _);
        float inSecond = Plain(first, 0)->Lowest(scale, out _) + _flipped[second].Lowest(scale, out _);
        return point == first == (inFirst <= inSecond);
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

    /// <summary>True if a point's eight values have an odd number of minus signs, and may not.</summary>
    private bool IsOdd(int point) => _odd[point * _shape.Dimension / 8];

    /// <summary>The envelope of a point with one of the two shifts; with the cheapest sign changed, if that has to be in this point.</summary>
    private PointEnvelope* Plain(int point, int shift) => _plain + (shift * _points) + point;
}
