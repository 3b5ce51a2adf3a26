using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;
using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu;

/// <summary>
/// The back end that computes on a card. Every operation is put into one stream and returns before it is done; reading a tensor waits. Addresses of tensors and weights are the device's.
/// </summary>
public sealed unsafe partial class GpuBackend : Backend
{
    private const int ElementThreads = 256;
    private readonly GpuDevice _device;
    private readonly DeviceArena _arena;
    private readonly PassTensors _pass;
    private readonly PassInputs _inputs;
    private readonly DeviceScratch _bytes, _padded, _selected;
    private readonly Dictionary<DeviceFormat, WeightKernels> _kernels = [];

    /// <param name="device">The card; owned from here.</param>
    /// <param name="mode">How products with weights are computed. Exact: every matrix lies on the card as binary32.</param>
    /// <param name="memoryBytes">How much of its memory to take, for weights, keys and values, and passes; 0 for nine tenths of what is free.</param>
    public GpuBackend(GpuDevice device, ComputeMode mode = ComputeMode.Fast, long memoryBytes = 0)
    {
        ArgumentNullException.ThrowIfNull(device);
        _device = device;
        (Mode, UsesRings) = (mode, device.HasWarpgroups);
        _arena = new DeviceArena(device, memoryBytes != 0 ? memoryBytes : device.Kind == GpuKind.Simulated ? 1L << 30 : device.FreeBytes / 10 * 9);
        (_pass, _inputs) = (new PassTensors(_arena), new PassInputs(device, _arena));
        (_bytes, _padded) = (new DeviceScratch(device, _arena, "activations in bytes"), new DeviceScratch(device, _arena, "padded activations"));
        _selected = new DeviceScratch(device, _arena, "the largest logits");
    }

    /// <summary>The card's memory.</summary>
    internal DeviceArena Arena => _arena;

    /// <inheritdoc/>
    public override string Description => _device.Description;

    /// <inheritdoc/>
    public override ComputeMode Mode { get; }

    /// <summary>Bytes of the card's memory that were taken and are not in use.</summary>
    public long FreeBytes => _arena.FreeBytes;

    /// <inheritdoc/>
    public override long? CacheMemory => _arena.FreeBytes;

    /// <inheritdoc/>
    public override bool Copies(WeightFormat format, int cols, MatrixUse use) => true;

    /// <summary>Bytes that a matrix takes on the card.</summary>
    public static long BytesOf(WeightFormat format, long rows, int cols, ComputeMode mode)
    {
        ArgumentNullException.ThrowIfNull(format);
        return WeightUpload.Bytes(DeviceFormatTable.Of(format, mode == ComputeMode.Exact), rows, cols);
    }

    /// <inheritdoc/>
    public override WeightMatrix BindMatrix(string name, WeightFormat format, int count, int rows, int cols, nint address, MatrixUse use = MatrixUse.Product)
    {
        ArgumentNullException.ThrowIfNull(format);
        return WeightUpload.Run(_arena, DeviceFormatTable.Of(format, Mode == ComputeMode.Exact), name, format, count, rows, cols, address);
    }

    /// <inheritdoc/>
    public override WeightVector BindVector(string name, WeightFormat format, int length, nint address)
    {
        ArgumentNullException.ThrowIfNull(format);
        float[] values = new float[length];
        format.Decode(address, values);
        nint place = _arena.Take((long)length * sizeof(float), name);
        _arena.Write<float>(place, values);
        return new WeightVector(name, length, place);
    }

    /// <inheritdoc/>
    public override TensorBuffer Allocate(int rows, int cols) => new DeviceTensorBuffer(_device, _arena, rows, cols);

    /// <inheritdoc/>
    public override void BeginPass()
    {
        _pass.Reset();
        _inputs.BeginPass();
    }

    /// <inheritdoc/>
    public override void BeginPass(Batch batch)
    {
        BeginPass();
        _inputs.Require(batch);
    }

    /// <inheritdoc/>
    public override Tensor Take(int rows, int cols) => _pass.Take(rows, cols);

    /// <inheritdoc/>
    public override void Read(Tensor source, Span<float> destination)
    {
        if (source.Stride == source.Cols)
        {
            _arena.Read(source.Address, destination[..(source.Rows * source.Cols)]);
            return;
        }

        for (int i = 0; i < source.Rows; i++) _arena.Read(source.Address + ((nint)i * source.Stride * sizeof(float)), destination.Slice(i * source.Cols, source.Cols));
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<float> source, Tensor destination)
    {
        if (destination.Stride == destination.Cols)
        {
            _arena.Write(destination.Address, source[..(destination.Rows * destination.Cols)]);
            return;
        }

        for (int i = 0; i < destination.Rows; i++) _arena.Write(destination.Address + ((nint)i * destination.Stride * sizeof(float)), source.Slice(i * destination.Cols, destination.Cols));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        _device.Synchronize();
        _inputs.Dispose();
        _arena.Dispose();
        _device.Dispose();
    }

    private WeightKernels Kernels(DeviceFormat layout)
    {
        if (_kernels.TryGetValue(layout, out WeightKernels? kernels)) return kernels;
        return _kernels[layout] = layout.CreateKernels(_device);
    }

    /// <summary>Threads of a group: as asked on a card of NVIDIA, one warp elsewhere: see <see cref="Lane"/>.</summary>
    private int Threads(int threads) => _device.Kind == GpuKind.Cuda ? threads : GpuDevice.WarpThreads;

    private long Offset(WeightVector? vector) => vector is null ? -1 : _arena.Offset(vector.Address);

    private DeviceTensor Place(Tensor tensor) => _arena.Tensor(tensor);

    private static int Groups(int items, int each) => (items + each - 1) / each;
}
