using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Ops;

namespace Quern.Kernels.Gpu;

/// <summary>Norms, rotations, copies and operations value by value.</summary>
public sealed unsafe partial class GpuBackend
{
    private readonly Dictionary<RopeTable, long> _revolutions = [];
    private GpuKernel<RmsNormArguments>? _rmsNorm;
    private GpuKernel<LayerNormArguments>? _layerNorm;
    private GpuKernel<RopeAnglesArguments>? _ropeAngles;
    private GpuKernel<RopeArguments>? _rope;
    private GpuKernel<ElementwiseArguments>? _elementwise;
    private GpuKernel<GatherArguments>? _gather;
    private GpuKernel<CopyHeadsArguments>? _copyHeads;

    /// <inheritdoc/>
    public override void RmsNorm(Tensor x, WeightVector gain, float epsilon, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(gain);
        _rmsNorm ??= new GpuKernel<RmsNormArguments>(_device, Ops.RmsNorm.Kernel);
        RmsNormArguments arguments = new(Place(x), Place(y), Offset(gain), gain.Length, epsilon);
        if (x.Cols == gain.Length && _elementwise is not null && _elementwise.TryLast(x.Rows, out ElementwiseArguments before, out _)
            && before.Kind == (int)ElementwiseKind.Add && before.Bytes.Are == 0 && before.Y.Is(arguments.X))
        {
            // A residual stream is added to and normed in one launch.
            _elementwise.TakeBack();
            arguments = new RmsNormArguments(before.A, arguments.Y, arguments.Gain, gain.Length, epsilon) { IsSum = 1, Addend = before.B, Sum = before.Y };
        }

        Run(arguments, x.Cols / gain.Length, x.Rows);
    }

    /// <inheritdoc/>
    public override void LayerNorm(Tensor x, int length, WeightVector? gain, WeightVector? bias, float epsilon, Tensor y)
    {
        _layerNorm ??= new GpuKernel<LayerNormArguments>(_device, Ops.LayerNorm.Kernel);
        LayerNormArguments arguments = new(Place(x), Place(y), Offset(gain), gain?.Length ?? 0, Offset(bias), bias?.Length ?? 0, length, epsilon);
        _layerNorm.Run(_arena.Memory, arguments, x.Cols / length, x.Rows, NormThreads(length));
    }

    /// <inheritdoc/>
    public override void RopeAngles(RopeTable table, ReadOnlySpan<int> positions, Tensor angles)
    {
        ArgumentNullException.ThrowIfNull(table);
        long places = _inputs.Indices(positions);
        int threads = Threads(64);
        _ropeAngles ??= new GpuKernel<RopeAnglesArguments>(_device, Ops.Rope.Angles);
        _ropeAngles.Run(_arena.Memory, new RopeAnglesArguments(places, Revolutions(table), table.Pairs, table.Magnitude, Place(angles)), Groups(table.Pairs, threads), positions.Length, threads);
    }

    /// <inheritdoc/>
    public override void Rope(Tensor x, int headLength, Tensor angles, RopePairing pairing)
    {
        int threads = Threads(ElementThreads), pairs = angles.Cols / 2;
        _rope ??= new GpuKernel<RopeArguments>(_device, Ops.Rope.Turn);
        RopeArguments arguments = new(Place(x), Place(angles), headLength, pairs, pairing == RopePairing.Interleaved);
        int heads = Groups(x.Cols, headLength);
        if (_rope.TryLast(x.Rows, out RopeArguments before, out _) && before.More.Cols == 0 && before.Angles.Is(arguments.Angles) && before.HeadLength == headLength
            && before.Interleaved == arguments.Interleaved && before.X.IsApart(arguments.X, x.Rows))
        {
            // Queries and keys are turned in one launch.
            _rope.TakeBack();
            heads += Groups(before.X.Cols, headLength);
            arguments = before with { More = arguments.X };
        }

        _rope.Run(_arena.Memory, arguments, Groups(heads * pairs, threads), x.Rows, threads);
    }

    /// <inheritdoc/>
    public override void Gate(Tensor gate, Tensor up, Activation activation, Tensor y) => Run(ElementwiseKind.Gate, gate, up, default, y, 0, activation);

    /// <inheritdoc/>
    public override void Activate(Tensor x, Activation activation, Tensor y) => Run(ElementwiseKind.Activate, x, default, default, y, 0, activation);

    /// <inheritdoc/>
    public override void GateRows(Tensor x, Tensor gate, Tensor y) => Run(ElementwiseKind.GateRow, x, gate, default, y);

    /// <inheritdoc/>
    public override void Add(Tensor a, Tensor b, Tensor y) => Run(ElementwiseKind.Add, a, b, default, y);

    /// <inheritdoc/>
    public override void AddBias(Tensor x, WeightVector bias, Tensor y) => Run(ElementwiseKind.Add, x, Repeated(bias, y), default, y);

    /// <inheritdoc/>
    public override void Scale(Tensor x, float factor) => Run(ElementwiseKind.Scale, x, default, default, x, factor);

    /// <inheritdoc/>
    public override void Clamp(Tensor x, float limit) => Run(ElementwiseKind.Clamp, x, default, default, x, limit);

    /// <inheritdoc/>
    public override void SoftCap(Tensor x, float cap) => Run(ElementwiseKind.SoftCap, x, default, default, x, cap);

    /// <inheritdoc/>
    public override void Lerp(Tensor x, Tensor z, Tensor weights, Tensor y) => Run(ElementwiseKind.Lerp, x, z, weights, y);

    /// <inheritdoc/>
    public override void Lerp(Tensor x, Tensor z, WeightVector weights, Tensor y) => Run(ElementwiseKind.Lerp, x, z, Repeated(weights, y), y);

    /// <inheritdoc/>
    public override void GatherRows(Tensor x, ReadOnlySpan<int> rows, Tensor y)
    {
        long places = _inputs.Indices(rows);
        int threads = Threads(ElementThreads);
        _gather ??= new GpuKernel<GatherArguments>(_device, RowCopies.Gather);
        _gather.Run(_arena.Memory, new GatherArguments(Place(x), places, Place(y)), Groups(y.Cols, threads), rows.Length, threads);
    }

    /// <inheritdoc/>
    public override void CopyHeads(Tensor x, int apart, int heads, int length, Tensor y, int apartInY)
    {
        int threads = Threads(ElementThreads);
        _copyHeads ??= new GpuKernel<CopyHeadsArguments>(_device, RowCopies.Heads);
        _copyHeads.Run(_arena.Memory, new CopyHeadsArguments(Place(x), apart, heads, length, Place(y), apartInY), Groups(heads * length, threads), x.Rows, threads);
    }

    private void Run(ElementwiseKind kind, Tensor a, Tensor b, Tensor c, Tensor y, float p = 0, Activation activation = default)
    {
        int threads = Threads(ElementThreads);
        _elementwise ??= new GpuKernel<ElementwiseArguments>(_device, Elementwise.Kernel);
        _elementwise.Run(_arena.Memory, new ElementwiseArguments(kind, (int)activation, p, Place(a), Place(b), Place(c), Place(y)), Groups(y.Cols, threads), y.Rows, threads);
    }

    /// <summary>A vector as a tensor whose rows are all the same.</summary>
    private static Tensor Repeated(WeightVector vector, Tensor shape) => new(vector.Address, shape.Rows, shape.Cols, 0);

    private void Run(RmsNormArguments a, int groups, int rows)
    {
        bool isWide = a.Length % 32 == 0 && IsWide(a.X) && IsWide(a.Y) && IsWide(a.Addend) && IsWide(a.Sum) && a.Gain % 16 == 0 && a.Bytes.Quants % 4 == 0;
        int threads = isWide ? Math.Clamp(Groups(a.Length, Ops.RmsNorm.Kept * GpuDevice.WarpThreads) * GpuDevice.WarpThreads, GpuDevice.WarpThreads, 512) : NormThreads(a.Length);
        _rmsNorm!.Run(_arena.Memory, a with { IsWide = isWide ? 1 : 0 }, groups, rows, Threads(threads));

        static bool IsWide(DeviceTensor tensor) => tensor.Offset % 16 == 0 && tensor.Stride % 4 == 0;
    }

    private int NormThreads(int length) => Threads(length >= 4096 ? 1024 : length >= 2048 ? 512 : length >= 512 ? 256 : length > 64 ? 64 : GpuDevice.WarpThreads);

    /// <summary>The frequencies of a table as fractions of a revolution, on the device: see <see cref="RopeAnglesArguments"/>.</summary>
    private long Revolutions(RopeTable table)
    {
        if (_revolutions.TryGetValue(table, out long place)) return place;
        ulong[] steps = new ulong[table.Pairs];
        for (int i = 0; i < steps.Length; i++)
        {
            double turns = table.Frequencies[i] / Math.Tau;
            steps[i] = (ulong)((turns - Math.Floor(turns)) * 18446744073709551616.0);
        }

        nint address = _arena.Take((long)steps.Length * sizeof(ulong), "rotary frequencies");
        _arena.Write<ulong>(address, steps);
        return _revolutions[table] = _arena.Offset(address);
    }
}
