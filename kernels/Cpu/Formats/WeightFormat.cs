using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu.Interleaved;
using Quern.Kernels.Cpu.MatMul;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// A weight format as an object, for callers that learn the format from a file. Virtual once per call on whole rows; below that everything is
/// generic over the format's struct.
/// </summary>
public abstract unsafe class WeightFormat
{
    /// <summary>Name, number and block geometry.</summary>
    public abstract FormatInfo Info { get; }

    /// <summary>The activations that this format's dot products read in fast mode.</summary>
    public abstract ActivationKind Activation { get; }

    /// <summary>Decodes whole blocks to binary32, bit for bit what the format says.</summary>
    /// <param name="blocks">Address of the first block.</param>
    /// <param name="values">Destination; its length is a multiple of the block length.</param>
    public void Decode(nint blocks, Span<float> values)
    {
        fixed (float* destination = values) Decode((byte*)blocks, values.Length / Info.BlockLength, destination);
    }

    /// <summary>Encodes binary32 values; see the format's file for how well.</summary>
    /// <param name="values">Finite values; their number is a multiple of the block length.</param>
    /// <param name="importance">Empty, or one weight for each value.</param>
    /// <param name="blocks">Destination, <c>values.Length / BlockLength × BlockBytes</c> bytes.</param>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public void Quantize(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<byte> blocks)
    {
        if (values.Length % Info.BlockLength != 0)
            throw new ArgumentException($"{Info.Name} takes multiples of {Info.BlockLength} values, not {values.Length}", nameof(values));
        if (blocks.Length != Info.RowBytes(values.Length))
            throw new ArgumentException($"{values.Length} values of {Info.Name} take {Info.RowBytes(values.Length)} bytes, not {blocks.Length}", nameof(blocks));
        if (importance.Length != 0 && importance.Length != values.Length)
            throw new ArgumentException($"expected {values.Length} weights, not {importance.Length}", nameof(importance));
        fixed (float* source = values)
        fixed (float* weights = importance)
        fixed (byte* destination = blocks)
            Quantize(source, importance.Length == 0 ? null : weights, values.Length / Info.BlockLength, destination);
    }

    /// <summary>The decoder as a function, for jobs.</summary>
    internal abstract delegate*<byte*, long, float*, void> DecodeKernel { get; }

    /// <summary>The format's product with few tokens straight from the blocks, with activations as <see cref="Activation"/> says; null where rows are decoded first.</summary>
    internal virtual delegate*<in RowProduct, int, int, void> RowKernel => null;

    /// <summary>How rows of this format lie interleaved, or null where they do not.</summary>
    internal virtual InterleavedLayout? Interleaved => null;

    /// <summary>Lays up to sixteen rows interleaved: see <see cref="Interleaver{T}.Run"/>. Null where <see cref="Interleaved"/> is.</summary>
    internal virtual delegate*<byte*, long, int, int, byte*, void> InterleaveKernel => null;

    internal abstract void Decode(byte* blocks, long blockCount, float* values);

    internal abstract void DecodeScalar(byte* blocks, long blockCount, float* values);

    internal abstract void Quantize(float* values, float* importance, long blockCount, byte* blocks);
}

/// <summary>A format that has no dot product of its own: rows are decoded to binary32 and multiplied there.</summary>
internal unsafe class DecodedFormat<T> : WeightFormat
    where T : struct, IWeightFormat
{
    public sealed override FormatInfo Info => T.Info;

    public override ActivationKind Activation => ActivationKind.F32;

    internal sealed override delegate*<byte*, long, float*, void> DecodeKernel => &DecodeBlocks;

    internal sealed override void Decode(byte* blocks, long blockCount, float* values) => T.Decode(blocks, blockCount, values);

    internal sealed override void DecodeScalar(byte* blocks, long blockCount, float* values) => T.DecodeScalar(blocks, blockCount, values);

    internal sealed override void Quantize(float* values, float* importance, long blockCount, byte* blocks) =>
        T.Quantize(values, importance, blockCount, blocks);

    private static void DecodeBlocks(byte* blocks, long blockCount, float* values) => T.Decode(blocks, blockCount, values);
}

/// <summary>Reads whole rows of a floating-point format at a given tier.</summary>
internal unsafe interface IFloatRows
{
    /// <summary>Loads <paramref name="count"/> values, whole vectors first and the rest one by one.</summary>
    void LoadRow(IsaTier tier, byte* row, int count, float* values);
}

/// <summary>Multiplies whole rows of a block format at a given tier: the simplest driver of <see cref="IDotFormat"/>.</summary>
internal unsafe interface IDotRows
{
    /// <summary>The product of a row of blocks and a quantised vector of as many values.</summary>
    float DotRow(IsaTier tier, byte* row, in Q8Vector x, int blockCount);
}

/// <summary>A floating-point format: see <see cref="IFloatFormat"/>.</summary>
internal sealed unsafe class FloatFormat<T> : DecodedFormat<T>, IFloatRows
    where T : struct, IFloatFormat
{
    internal override delegate*<in RowProduct, int, int, void> RowKernel => &FourRows<FloatRows<T>>.Run;

    internal override InterleavedLayout? Interleaved => T.Layout;

    internal override delegate*<byte*, long, int, int, byte*, void> InterleaveKernel => &FloatInterleaver<T>.Run;

    public void LoadRow(IsaTier tier, byte* row, int count, float* values)
    {
        int i = 0, bytes = T.Info.BlockBytes;
        if (tier == IsaTier.Avx512)
            for (; i + 16 <= count; i += 16) T.Load16(row + (bytes * i)).Store(values + i);
        if (tier == IsaTier.Avx2)
            for (; i + 8 <= count; i += 8) T.Load8(row + (bytes * i)).Store(values + i);
        for (; i < count; i++) values[i] = T.Load(row + (bytes * i));
    }
}

/// <summary>A block format with its own dot products: see <see cref="IDotFormat"/>.</summary>
internal sealed unsafe class DotFormat<T> : DecodedFormat<T>, IDotRows
    where T : struct, IDotFormat
{
    public override ActivationKind Activation => T.Activation;

    internal override delegate*<in RowProduct, int, int, void> RowKernel => &FourRows<QuantisedRows<T>>.Run;

    internal override InterleavedLayout? Interleaved => T.Layout;

    internal override delegate*<byte*, long, int, int, byte*, void> InterleaveKernel => &Interleaver<T>.Run;

    public float DotRow(IsaTier tier, byte* row, in Q8Vector x, int blockCount)
    {
        int i = 0, bytes = T.Info.BlockBytes;
        if (tier == IsaTier.Scalar)
        {
            float sum = 0;
            for (; i < blockCount; i++) sum += T.DotScalar(row + ((long)bytes * i), x, i);
            return sum;
        }

        Vector512<float> wide = Vector512<float>.Zero;
        if (tier == IsaTier.Avx512 && T.BlocksPerWideStep > 0)
            for (; i + T.BlocksPerWideStep <= blockCount; i += T.BlocksPerWideStep) wide = T.Step(row + ((long)bytes * i), x, i, wide);
        Vector256<float> lanes = Vector256<float>.Zero;
        for (; i < blockCount; i++) lanes = T.Step(row + ((long)bytes * i), x, i, lanes);
        return Vector256.Sum(lanes + (wide.GetLower() + wide.GetUpper()));
    }
}
