using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Gpu.Weights;

/// <summary>Bytes that one row of a matrix has in each plane, 0 where the plane is not used.</summary>
internal readonly record struct PlaneSizes(long Quants, long High = 0, long Scales = 0, long Super = 0)
{
    /// <summary>Bytes of a row in all planes.</summary>
    public long Total => Quants + High + Scales + Super;
}

/// <summary>One row in each plane, in the memory of this process.</summary>
internal readonly unsafe struct PlaneRow(byte* quants, byte* high, byte* scales, byte* super)
{
    public readonly byte* Quants = quants;
    public readonly byte* High = high;
    public readonly byte* Scales = scales;
    public readonly byte* Super = super;

    /// <summary>The largest magnitude of binary16 numbers in a plane.</summary>
    /// <param name="plane">The first.</param>
    /// <param name="count">How many.</param>
    /// <param name="apart">From one to the next, in numbers.</param>
    public static float Largest(byte* plane, int count, int apart = 1)
    {
        int largest = 0;
        for (int i = 0; i < count; i++) largest = Math.Max(largest, ((ushort*)plane)[i * apart] & 0x7fff);
        return Cpu.Float16.ToSingle((ushort)largest);
    }
}

/// <summary>How a format's rows are laid into planes. Implemented by the struct that reads them in kernels.</summary>
internal unsafe interface IPlaneLayout
{
    /// <summary>Lays one row.</summary>
    /// <param name="format">The stored format.</param>
    /// <param name="blocks">The row's stored blocks.</param>
    /// <param name="cols">Values of the row.</param>
    /// <param name="row">Destination.</param>
    static abstract void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row);

    /// <summary>What no weight of a laid row exceeds in magnitude, from its scales alone; of formats of blocks.</summary>
    static virtual float Largest(int cols, PlaneRow row) => 0;
}

/// <summary>A layout of weights on a card, as an object: how rows are laid, and the kernels compiled for it.</summary>
internal abstract unsafe class DeviceFormat(string name)
{
    /// <summary>Its name, for people.</summary>
    public string Name { get; } = name;

    /// <summary>Bytes of a row in each plane.</summary>
    public abstract PlaneSizes Sizes(int cols);

    /// <summary>Lays one row: see <see cref="IPlaneLayout.Lay"/>.</summary>
    public abstract void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row);

    /// <summary>See <see cref="IPlaneLayout.Largest"/>.</summary>
    public abstract float Largest(int cols, PlaneRow row);

    /// <summary>Whether products take activations of 8 bits; binary32 otherwise.</summary>
    public abstract bool TakesBytes { get; }

    /// <summary>The kernels, each compiled for a device when it is first needed.</summary>
    public abstract MatMul.WeightKernels CreateKernels(GpuDevice device);
}

/// <summary>A format of blocks.</summary>
internal sealed unsafe class BlockDeviceFormat<T>(string name) : DeviceFormat(name)
    where T : unmanaged, IBlockFormat, IPlaneLayout
{
    public override bool TakesBytes => true;

    public override PlaneSizes Sizes(int cols)
    {
        BlockPlanes planes = default(T).Planes;
        int blocks = cols / 32;
        return new PlaneSizes(16 * blocks, BlockPlanes.RowBytes(blocks, planes.High), BlockPlanes.RowBytes(blocks, planes.Scales), BlockPlanes.RowBytes(blocks, planes.Super));
    }

    public override void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row) => T.Lay(format, blocks, cols, row);

    public override float Largest(int cols, PlaneRow row) => T.Largest(cols, row);

    public override MatMul.WeightKernels CreateKernels(GpuDevice device) => MatMul.WeightKernels.OfBlocks<T>(device);
}

/// <summary>A floating-point format.</summary>
internal sealed unsafe class FloatDeviceFormat<T>(string name) : DeviceFormat(name)
    where T : unmanaged, IFloatFormat, IPlaneLayout
{
    public override bool TakesBytes => false;

    public override PlaneSizes Sizes(int cols) => new(16L * ((cols + default(T).Values - 1) / default(T).Values));

    public override void Lay(WeightFormat format, byte* blocks, int cols, PlaneRow row) => T.Lay(format, blocks, cols, row);

    public override float Largest(int cols, PlaneRow row) => T.Largest(cols, row);

    public override MatMul.WeightKernels CreateKernels(GpuDevice device) => MatMul.WeightKernels.OfFloats<T>(device);
}
