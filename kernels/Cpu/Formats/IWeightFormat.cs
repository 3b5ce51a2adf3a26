using Quern.Kernels.Cpu.Interleaved;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>What activations a dot product of a format wants.</summary>
public enum ActivationKind
{
    /// <summary>binary32, as they are.</summary>
    F32,

    /// <summary>Signed bytes with one binary32 scale for 32 values (<see cref="Q8Vector"/>, sums of 32).</summary>
    Q8Of32,

    /// <summary>Signed bytes with one binary32 scale for 256 values (<see cref="Q8Vector"/>, sums of 16).</summary>
    Q8Of256,
}

/// <summary>The facts about a format that a file's reader and a driver need.</summary>
/// <param name="Name">The name as GGUF spells it, for example <c>Q4_K</c>.</param>
/// <param name="TypeId">The number of the ggml type in a GGUF tensor entry.</param>
/// <param name="BlockLength">Values in one block.</param>
/// <param name="BlockBytes">Bytes of one block.</param>
public sealed record FormatInfo(string Name, int TypeId, int BlockLength, int BlockBytes)
{
    /// <summary>Bytes of a row of <paramref name="cols"/> values; <paramref name="cols"/> is a multiple of <see cref="BlockLength"/>.</summary>
    public long RowBytes(long cols) => cols / BlockLength * BlockBytes;
}

/// <summary>
/// One way to store weights: a block of <see cref="FormatInfo.BlockLength"/> values in <see cref="FormatInfo.BlockBytes"/> bytes.
/// A format is a struct in a file of its own; its members are static, so that generic drivers compile to straight code. Where a member
/// takes several blocks they are consecutive in memory, without any alignment.
/// </summary>
internal unsafe interface IWeightFormat
{
    /// <summary>Name, number and block geometry.</summary>
    static abstract FormatInfo Info { get; }

    /// <summary>Decodes <paramref name="blockCount"/> blocks to binary32. The obvious loop: it gives the format its meaning.</summary>
    static abstract void DecodeScalar(byte* blocks, long blockCount, float* values);

    /// <summary>The same bits as <see cref="DecodeScalar"/>, at the widest tier of <see cref="Isa"/> that the format has code for.</summary>
    static abstract void Decode(byte* blocks, long blockCount, float* values);

    /// <summary>
    /// Encodes binary32 values so that the squared error, weighted by <paramref name="importance"/>, is small.
    /// </summary>
    /// <param name="values">Finite values, <paramref name="blockCount"/> × block length of them.</param>
    /// <param name="importance">As many weights (an importance matrix's row), or null for the format's own choice.</param>
    /// <param name="blockCount">Blocks to write.</param>
    /// <param name="blocks">Destination.</param>
    static abstract void Quantize(float* values, float* importance, long blockCount, byte* blocks);
}

/// <summary>A format whose values are plain floating-point numbers: a block is one value, activations stay binary32.</summary>
internal unsafe interface IFloatFormat : IWeightFormat
{
    /// <summary>How rows lie interleaved.</summary>
    static abstract InterleavedLayout Layout { get; }

    /// <summary>The value at <paramref name="source"/>.</summary>
    static abstract float Load(byte* source);

    /// <summary>Eight consecutive values. AVX2.</summary>
    static abstract System.Runtime.Intrinsics.Vector256<float> Load8(byte* source);

    /// <summary>Sixteen consecutive values. AVX-512.</summary>
    static abstract System.Runtime.Intrinsics.Vector512<float> Load16(byte* source);
}

/// <summary>
/// A block format with a dot product against quantised activations, block by block. Drivers own the loops over blocks, rows and threads;
/// they keep one accumulator a row and call a step for each, so a step is inlined and reduces nothing across lanes.
/// </summary>
internal unsafe interface IDotFormat : IInterleavedFormat
{
    /// <summary>The activations that the steps read.</summary>
    static abstract ActivationKind Activation { get; }

    /// <summary>
    /// Σ over the values of block <paramref name="index"/> of weight × activation, in the obvious way: integer sums, then the scales.
    /// </summary>
    /// <param name="block">The weight block.</param>
    /// <param name="x">The activation vector of the whole row.</param>
    /// <param name="index">Which block of the row this is: its activations begin at <c>index × BlockLength</c>.</param>
    static abstract float DotScalar(byte* block, in Q8Vector x, int index);

    /// <summary>Adds one block's product to <paramref name="sum"/>; the caller adds up the lanes at the end of the row. AVX2 and FMA.</summary>
    static abstract System.Runtime.Intrinsics.Vector256<float> Step(
        byte* block, in Q8Vector x, int index, System.Runtime.Intrinsics.Vector256<float> sum);

    /// <summary>
    /// Blocks that one 512-bit step takes, or 0 where a format has none because the 256-bit step was measured as fast: then drivers use that
    /// at every tier. A row's blocks that are left over go through the 256-bit step.
    /// </summary>
    static virtual int BlocksPerWideStep => 0;

    /// <summary>Adds the product of <see cref="BlocksPerWideStep"/> consecutive blocks to <paramref name="sum"/>. AVX-512 BW.</summary>
    static virtual System.Runtime.Intrinsics.Vector512<float> Step(
        byte* block, in Q8Vector x, int index, System.Runtime.Intrinsics.Vector512<float> sum) =>
        throw new NotSupportedException("a format whose BlocksPerWideStep is 0 has no 512-bit step");
}
