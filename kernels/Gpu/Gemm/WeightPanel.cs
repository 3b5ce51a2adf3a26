using ILGPU;
using ILGPU.Runtime.Cuda;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Gemm;

/// <summary>32 weights of a row: as they were read, or of 16 bits, two in a word.</summary>
internal struct PanelBlock
{
    public Uint4 A;
    public Uint4 B;
    public Uint4 C;
    public Uint4 D;
    public float Scale;
    public float UpperScale;
    public float Minimum;
}

/// <summary>How the product on tensor cores reads weights: a block of 32 early, and makes it what tensor cores take when its place in shared memory is free.</summary>
internal interface IWeightPanel
{
    /// <summary>Which weights of 128 a quarter is.</summary>
    ActivationOrder Order { get; }

    /// <summary>Whether weights and activations are multiplied as binary16; as bfloat16 otherwise.</summary>
    bool IsHalf { get; }

    /// <summary>Reads a block.</summary>
    PanelBlock Load(DeviceMemory memory, DeviceWeights w, long row, int block);

    /// <summary>Reads a lane's quarter of 128 weights, which meet activations in <see cref="Order"/>.</summary>
    PanelBlock LoadQuarter(DeviceMemory memory, DeviceWeights w, long row, int piece, int quarter);

    /// <summary>Has the cache of the card fetch what <see cref="LoadQuarter"/> will read, scales aside.</summary>
    void Prefetch(DeviceMemory memory, DeviceWeights w, long row, int piece, int quarter);

    /// <summary>Makes it binary16 or bfloat16.</summary>
    /// <param name="block">What was loaded.</param>
    /// <param name="factor">What weights made binary16 are multiplied by.</param>
    PanelBlock Decode(PanelBlock block, float factor);
}

/// <summary>
/// Weights of a block format: <c>scale · code − minimum</c>, as binary16 times a power of two of the whole matrix (<see cref="DeviceMatrix.Factor"/>). Scale and minimum are rounded to eleven bits, and so is what
/// they come to.
/// </summary>
internal readonly struct BlockPanel<T> : IWeightPanel
    where T : unmanaged, IBlockFormat
{
    public ActivationOrder Order => ActivationOrder.Blocks;

    public bool IsHalf => true;

    public PanelBlock Load(DeviceMemory memory, DeviceWeights w, long row, int block)
    {
        BlockCodes codes = BlockCodes.Load<T>(memory, w, row, IntrinsicMath.Min(block, w.Blocks - 1));
        return new PanelBlock
        {
            A = new Uint4 { X = codes.C0, Y = codes.C1, Z = codes.C2, W = codes.C3 },
            B = new Uint4 { X = codes.C4, Y = codes.C5, Z = codes.C6, W = codes.C7 },
            Scale = codes.Scale,
            UpperScale = codes.UpperScale,
            Minimum = codes.Minimum,
        };
    }

    public PanelBlock LoadQuarter(DeviceMemory memory, DeviceWeights w, long row, int piece, int quarter) => Load(memory, w, row, (4 * piece) + quarter);

    public void Prefetch(DeviceMemory memory, DeviceWeights w, long row, int piece, int quarter) =>
        Lane.Prefetch(memory, w.Quants + (((row * w.Blocks) + IntrinsicMath.Min((4 * piece) + quarter, w.Blocks - 1)) * 16));

    public PanelBlock Decode(PanelBlock b, float factor)
    {
        uint scale = Twice(b.Scale * factor), upper = default(T).HasTwoScales ? Twice(b.UpperScale * factor) : scale, minimum = default(T).HasMinimum ? Twice(-b.Minimum * factor) : 0;
        return new PanelBlock
        {
            A = Eight(b.A.X, b.A.Y, scale, minimum),
            B = Eight(b.A.Z, b.A.W, scale, minimum),
            C = Eight(b.B.X, b.B.Y, upper, minimum),
            D = Eight(b.B.Z, b.B.W, upper, minimum),
        };
    }

    private static uint Twice(float value) => Narrow.ToHalves(value, value);

    private static Uint4 Eight(uint first, uint second, uint scale, uint minimum)
    {
        // Signed bytes become unsigned ones; where there are minimums, codes are not negative.
        if (!default(T).HasMinimum)
        {
            first ^= 0x80808080;
            second ^= 0x80808080;
        }

        uint centre = default(T).HasMinimum ? 0u : 128u;
        return new Uint4
        {
            X = Lane.ScaledBytes(first, 0, centre, scale, minimum),
            Y = Lane.ScaledBytes(first, 1, centre, scale, minimum),
            Z = Lane.ScaledBytes(second, 0, centre, scale, minimum),
            W = Lane.ScaledBytes(second, 1, centre, scale, minimum),
        };
    }
}

/// <summary>Weights of a floating-point format: binary16 as it is, others rounded to bfloat16.</summary>
internal readonly struct FloatPanel<T> : IWeightPanel
    where T : unmanaged, IFloatFormat
{
    public ActivationOrder Order => ActivationOrder.Eights;

    public bool IsHalf => default(T).IsHalf;

    public PanelBlock Load(DeviceMemory memory, DeviceWeights w, long row, int block) => Load(memory, w, row, 4 * block, 1);

    public PanelBlock LoadQuarter(DeviceMemory memory, DeviceWeights w, long row, int piece, int quarter) => Load(memory, w, row, (16 * piece) + quarter, 4);

    public void Prefetch(DeviceMemory memory, DeviceWeights w, long row, int piece, int quarter)
    {
        int eights = 8 / default(T).Values, units = (w.Cols + default(T).Values - 1) / default(T).Values;
        Lane.Prefetch(memory, w.Quants + (((row * units) + IntrinsicMath.Min(((16 * piece) + (4 * quarter)) * eights, units - 1)) * 16));
    }

    public PanelBlock Decode(PanelBlock b, float factor)
    {
        if (default(T).IsHalf || default(T).Values == 4) return new PanelBlock { A = Again(b.A, factor), B = Again(b.B, factor), C = Again(b.C, factor), D = Again(b.D, factor) };
        return new PanelBlock { A = Eight(b.A, default), B = Eight(b.B, default), C = Eight(b.C, default), D = Eight(b.D, default) };
    }

    // Nothing is left to do, but tensor cores that read registers later need registers that nothing is loaded to. The assembler does not know that the last bit of a power of two is 0.
    private static Uint4 Again(Uint4 w, float factor) => new() { X = Again(w.X, factor), Y = Again(w.Y, factor), Z = Again(w.Z, factor), W = Again(w.W, factor) };

    private static uint Again(uint w, float factor)
    {
        if (!default(T).IsHalf) return Narrow.ToBrains(Interop.IntAsFloat(w << 16), Interop.IntAsFloat(w & 0xffff0000));
        if (!CudaAsm.IsSupported) return w;
        CudaAsm.Emit("{ .reg .b32 z; and.b32 z, %2, 1; or.b32 %0, %1, z; }", out uint again, w, Interop.FloatAsInt(factor));
        return again;
    }

    // Four times eight weights.
    private static PanelBlock Load(DeviceMemory memory, DeviceWeights w, long row, int first, int step) => new()
    {
        A = Eight(memory, w, row, first),
        B = Eight(memory, w, row, first + step),
        C = Eight(memory, w, row, first + (2 * step)),
        D = Eight(memory, w, row, first + (3 * step)),
    };

    private static Uint4 Eight(DeviceMemory memory, DeviceWeights w, long row, int eight)
    {
        if (default(T).Values == 8) return Unit(memory, w, row, eight);
        return Eight(Unit(memory, w, row, 2 * eight), Unit(memory, w, row, (2 * eight) + 1));
    }

    // Behind the end of a row its last values stand: activations are zero there.
    private static Uint4 Unit(DeviceMemory memory, DeviceWeights w, long row, int unit)
    {
        int units = (w.Cols + default(T).Values - 1) / default(T).Values;
        return Lane.Stream16(memory, memory.Address + (ulong)(w.Quants + (((row * units) + IntrinsicMath.Min(unit, units - 1)) * 16)));
    }

    private static Uint4 Eight(Uint4 first, Uint4 second)
    {
        Float8 v = default(T).Decode(first);
        if (default(T).Values == 8)
            return new Uint4 { X = Narrow.ToBrains(v.V0, v.V1), Y = Narrow.ToBrains(v.V2, v.V3), Z = Narrow.ToBrains(v.V4, v.V5), W = Narrow.ToBrains(v.V6, v.V7) };
        Float8 u = default(T).Decode(second);
        return new Uint4 { X = Narrow.ToBrains(v.V0, v.V1), Y = Narrow.ToBrains(v.V2, v.V3), Z = Narrow.ToBrains(u.V0, u.V1), W = Narrow.ToBrains(u.V2, u.V3) };
    }
}
