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
    private AssemblerMemoryOperand _mask, _constant;

    private Assembler Asm => kernel.Asm;

    /// <summary>Places constants behind the kernel; the first thing to call.</summary>
    public void PlaceConstants()
    {
        _mask = kernel.Each(layout.CodeBits < 4 ? 0x03030303u : 0x0f0f0f0fu);
        if (layout.Codebook is { } codebook) _constant = kernel.Sixteen(codebook);
        else if (layout.CodeBits == 6) _constant = kernel.Each(0x30303030);
        else if (layout.CodeBits is 3 or 5) _constant = kernel.Bytes((byte)(1 << (layout.CodeBits - 1)));
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
        int low = layout.CodesOffset, high = low + layout.LowBytes;
        switch (layout.CodeBits)
        {
            case 8:
                for (int i = 0; i < count; i++) Asm.vmovdqu32(Z(Codes + i), __zmmword_ptr[step + low + (64 * (first + i))]);
                return;
            case >= 4:
                Nibbles(step + low, first, count);
                break;
            default:
                BitPairs(step + low, first, count);
                break;
        }

        if (layout.CodeBits is 3 or 5) Masks(step + high, first, count);
        if (layout.CodeBits == 6) UpperPairs(step + high, first, count);
        if (layout.Codebook is null) return;
        Asm.vbroadcasti32x4(Z(Scratch), _constant);
        for (int i = 0; i < count; i++) Asm.vpshufb(Z(Codes + i), Z(Scratch), Z(Codes + i));
    }

    private void Nibbles(AssemblerMemoryOperand at, int first, int count)
    {
        for (int i = 0; i < 4; i++) Asm.vmovdqu32(Z(Codes + i), ZmmAt(at, 64 * i));
        for (int i = 4; i < count; i++) Asm.vpsrlw(Z(Codes + i), Z(Codes + i - 4), 4);
        if (first == 4)
            for (int i = 0; i < 4; i++) Asm.vpsrlw(Z(Codes + i), Z(Codes + i), 4);
        for (int i = 0; i < count; i++) Asm.vpandd(Z(Codes + i), Z(Codes + i), _mask);
    }

    private void BitPairs(AssemblerMemoryOperand at, int first, int count)
    {
        for (int i = count - 1; i >= 0; i--)
        {
            int vector = first + i, pair = vector % 4;
            Asm.vmovdqu32(Z(Codes + i), ZmmAt(at, 64 * (vector / 4)));
            if (pair > 0) Asm.vpsrlw(Z(Codes + i), Z(Codes + i), (byte)(2 * pair));
            Asm.vpandd(Z(Codes + i), Z(Codes + i), _mask);
        }
    }

    private void Masks(AssemblerMemoryOperand at, int first, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Asm.kmovq(k1, __qword_ptr[at + (8 * (first + i))]);
            Asm.vpaddb(Z(Codes + i).k1, Z(Codes + i), _constant);
        }
    }

    // code |= pair << 4, by moving bit pair j to bits 4 and 5 and merging under the constant 0x30: a | (b & c).
    private void UpperPairs(AssemblerMemoryOperand at, int first, int count)
    {
        const byte Merge = 0xF8;
        int moved = Scratch;
        for (int i = 0; i < count; i++)
        {
            int vector = first + i, pair = vector % 4;
            Asm.vmovdqu32(Z(moved), ZmmAt(at, 64 * (vector / 4)));
            if (pair < 2) Asm.vpsllw(Z(moved), Z(moved), (byte)(4 - (2 * pair)));
            if (pair > 2) Asm.vpsrlw(Z(moved), Z(moved), 2);
            Asm.vpternlogd(Z(Codes + i), Z(moved), _constant, Merge);
        }
    }

    private static AssemblerMemoryOperand ZmmAt(AssemblerMemoryOperand at, int offset) => __zmmword_ptr[at + offset];
}
