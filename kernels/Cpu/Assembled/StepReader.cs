using Iced.Intel;
using Quern.Kernels.Cpu.Interleaved;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// Writes the instructions that read a step of an <see cref="InterleavedLayout"/>: its codes become vectors of unsigned bytes in zmm0–7, its scales vectors of sixteen binary32 numbers.
/// zmm10 is used on the way; with <see cref="ScaleKind.Super"/>, rbx is the way from a step back to its block's header.
/// </summary>
internal sealed class StepReader(KernelAssembler kernel, InterleavedLayout layout)
{
    private const int Codes = 0, Scratch = 10;
    private const byte Merge = 0xF8;
    private readonly Dictionary<int, AssemblerMemoryOperand> _masks = [];
    private AssemblerMemoryOperand _codebook;

    private Assembler Asm => kernel.Asm;

    /// <summary>Places constants behind the kernel; the first thing to call.</summary>
    public void PlaceConstants()
    {
        if (layout.Codebook is { } codebook) _codebook = kernel.Sixteen(codebook);
        foreach (int mask in Enumerable.Range(0, 8).SelectMany(layout.Pieces).Select(piece => piece.Mask).Distinct()) _masks[mask] = kernel.Each(0x01010101u * (uint)mask);
    }

    /// <summary>Writes what is done with every step of a block, whose streams then begin at the next one. With <see cref="ScaleKind.Super"/> it is a loop counted in r12.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="layout">Its layout.</param>
    /// <param name="streams">Where blocks begin, one or several side by side.</param>
    /// <param name="step">One step; it moves the streams on.</param>
    public static void Block(KernelAssembler kernel, InterleavedLayout layout, ReadOnlySpan<AssemblerRegister64> streams, Action step)
    {
        if (layout.Scale != ScaleKind.Super)
        {
            step();
            return;
        }

        foreach (AssemblerRegister64 stream in streams) kernel.Asm.add(stream, layout.HeaderBytes);
        kernel.Asm.mov(rbx, -layout.HeaderBytes);
        kernel.Asm.mov(r12, layout.StepsPerBlock);
        kernel.Repeat(r12, () =>
        {
            step();
            kernel.Asm.sub(rbx, layout.StepBytes);
        });
    }

    /// <summary>Loads the scales, or the minimums, of sixteen rows.</summary>
    /// <param name="target">The vector register.</param>
    /// <param name="step">The step.</param>
    /// <param name="offset">Where they are in the step.</param>
    /// <param name="headerOffset">Where the numbers that they are multiplied with are in the block.</param>
    public void LoadScale(int target, AssemblerRegister64 step, int offset, int headerOffset)
    {
        switch (layout.Scale)
        {
            case ScaleKind.Half:
                Asm.vcvtph2ps(Z(target), __ymmword_ptr[step + offset]);
                break;
            case ScaleKind.Exponent:
                Asm.vpmovzxbd(Z(target), __xmmword_ptr[step + offset]);
                Asm.vpslld(Z(target), Z(target), 23);
                break;
            default:
                Asm.vpmovsxbd(Z(target), __xmmword_ptr[step + offset]);
                Asm.vcvtdq2ps(Z(target), Z(target));
                Asm.vcvtph2ps(Z(Scratch), __ymmword_ptr[step + rbx + headerOffset]);
                Asm.vmulps(Z(target), Z(target), Z(Scratch));
                break;
        }
    }

    /// <summary>Unpacks vectors <paramref name="first"/> and following of a step to zmm0 and following.</summary>
    /// <param name="step">The step.</param>
    /// <param name="first">0, or 4 with a count of 4.</param>
    /// <param name="count">8 or 4.</param>
    public void Unpack(AssemblerRegister64 step, int first, int count)
    {
        int low = layout.CodesOffset;
        switch (layout.CodeBits)
        {
            case 8:
                for (int i = 0; i < count; i++) Asm.vmovdqu32(Z(Codes + i), __zmmword_ptr[step + low + (64 * (first + i))]);
                return;
            case 4:
                Nibbles(step + low, first, count);
                break;
            default:
                Pieces(step + low, first, count);
                break;
        }

        if (layout.Codebook is null) return;
        Asm.vbroadcasti32x4(Z(Scratch), _codebook);
        for (int i = 0; i < count; i++) Asm.vpshufb(Z(Codes + i), Z(Scratch), Z(Codes + i));
    }

    private void Nibbles(AssemblerMemoryOperand at, int first, int count)
    {
        for (int i = 0; i < 4; i++) Asm.vmovdqu32(Z(Codes + i), ZmmAt(at, 64 * i));
        for (int i = 4; i < count; i++) Asm.vpsrlw(Z(Codes + i), Z(Codes + i - 4), 4);
        if (first == 4)
            for (int i = 0; i < 4; i++) Asm.vpsrlw(Z(Codes + i), Z(Codes + i), 4);
        for (int i = 0; i < count; i++) Asm.vpandd(Z(Codes + i), Z(Codes + i), _masks[15]);
    }

    // The first piece of a code is moved and masked, others are merged under their masks: a | (b & c).
    private void Pieces(AssemblerMemoryOperand at, int first, int count)
    {
        for (int i = 0; i < count; i++)
            foreach (CodePiece piece in layout.Pieces(first + i))
            {
                int target = piece.To == 0 ? Codes + i : Scratch, right = piece.From - piece.To;
                Asm.vmovdqu32(Z(target), ZmmAt(at, 64 * piece.Source));
                if (right > 0) Asm.vpsrlw(Z(target), Z(target), (byte)right);
                if (target == Scratch) Asm.vpternlogd(Z(Codes + i), Z(Scratch), _masks[piece.Mask], Merge);
                else Asm.vpandd(Z(target), Z(target), _masks[piece.Mask]);
            }
    }

    private static AssemblerMemoryOperand ZmmAt(AssemblerMemoryOperand at, int offset) => __zmmword_ptr[at + offset];
}
