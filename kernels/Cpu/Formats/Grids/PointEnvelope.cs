using System.Diagnostics;
using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Formats.Grids;

/// <summary>
/// The grid points that are nearest to a few values at some scale. At scale s a point's squared error is <c>Σ w x² + s × (s × B − A)</c>
/// with <c>A = 2 Σ w x g</c> and <c>B = Σ w g²</c>; so in s each point is a line <c>s × B − A</c>, and only the lines of the lower envelope are ever
/// nearest: a dozen of a thousand. Once they are known any scale can be asked at next to no cost.
/// Lines are kept by rising B, which is also by rising A, and by falling scale.
/// </summary>
internal unsafe struct PointEnvelope
{
    /// <summary>Most lines that are kept. More than 30 were never seen; a line too many is ignored.</summary>
    public const int Capacity = 48;

    private fixed float _a[Capacity], _b[Capacity];
    private fixed ushort _index[Capacity];

    /// <summary>Number of lines.</summary>
    public int Count { get; private set; }

    /// <summary>Forgets all lines.</summary>
    public void Clear() => Count = 0;

    /// <summary>A line of the envelope: the point's index, its A and its B.</summary>
    public readonly (int Index, float A, float B) this[int line] => (_index[line], _a[line], _b[line]);

    /// <summary>Takes a point in, if it is below the envelope somewhere, and drops those that no longer are.</summary>
    public void Add(float a, float b, int index)
    {
        int place = 0;
        while (place < Count && _b[place] < b) place++;
        if (place > 0 && _a[place - 1] >= a) return;
        if (place < Count && _b[place] == b && _a[place] >= a) return;
        if (place > 0 && place < Count && !IsBelow(_a[place - 1], _b[place - 1], a, b, _a[place], _b[place])) return;
        if (Count == Capacity) return;
        Open(place);
        (_a[place], _b[place], _index[place]) = (a, b, (ushort)index);
        while (place + 1 < Count && (_a[place + 1] <= a
            || (place + 2 < Count && !IsBelow(a, b, _a[place + 1], _b[place + 1], _a[place + 2], _b[place + 2])))) Close(place + 1);
        while (place > 1 && !IsBelow(_a[place - 2], _b[place - 2], _a[place - 1], _b[place - 1], a, b)) Close(--place);
    }

    /// <summary>
    /// Scales, and the envelope there, such that a line that is above all of them is above the envelope at every scale from
    /// <paramref name="first"/> to <paramref name="last"/>: the ends and the kinks, as the envelope is concave.
    /// </summary>
    /// <returns>How many.</returns>
    public readonly int Kinks(float first, float last, float* scales, float* values)
    {
        int count = 0;
        scales[count] = last;
        values[count++] = Lowest(last, out _);
        for (int i = 1; i < Count; i++)
        {
            float scale = (_a[i] - _a[i - 1]) / (_b[i] - _b[i - 1]);
            if (scale >= last) continue;
            if (scale <= first) break;
            scales[count] = scale;
            values[count++] = (scale * _b[i]) - _a[i];
        }

        scales[count] = first;
        values[count++] = Lowest(first, out _);
        return count;
    }

    /// <summary>The least <c>s × B − A</c> at a scale, and its line.</summary>
    public readonly float Lowest(float scale, out int line)
    {
        Debug.Assert(Count > 0, "an envelope has a line");
        line = 0;
        float lowest = (scale * _b[0]) - _a[0];
        for (int i = 1; i < Count; i++)
        {
            float value = (scale * _b[i]) - _a[i];
            if (value >= lowest) break;
            lowest = value;
            line = i;
        }

        return lowest;
    }

    /// <summary>The least <c>s × B − A</c> at each of four scales.</summary>
    public readonly Vector128<float> Lowest(Vector128<float> scales)
    {
        Vector128<float> lowest = (scales * _b[0]) - Vector128.Create(_a[0]);
        for (int i = 1; i < Count; i++) lowest = Vector128.MinNative(lowest, (scales * _b[i]) - Vector128.Create(_a[i]));
        return lowest;
    }

    /// <summary>True if the middle one of three lines with rising B is below the two others where these cross.</summary>
    private static bool IsBelow(float a0, float b0, float a1, float b1, float a2, float b2) =>
        ((double)a1 - a0) * ((double)b2 - b0) > ((double)a2 - a0) * ((double)b1 - b0);

    private void Open(int place)
    {
        for (int i = Count++; i > place; i--) (_a[i], _b[i], _index[i]) = (_a[i - 1], _b[i - 1], _index[i - 1]);
    }

    private void Close(int place)
    {
        Count--;
        for (int i = place; i < Count; i++) (_a[i], _b[i], _index[i]) = (_a[i + 1], _b[i + 1], _index[i + 1]);
    }
}
