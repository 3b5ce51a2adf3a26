using Iced.Intel;
using Quern.Kernels.Cpu.Interleaved;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// Writes the instructions that read a step of an <see cref="InterleavedLayout"/> with AVX2 and F16C: what <see cref="StepReader"/> does for sixteen rows, for eight of them at a time, which are
/// half of each of the layout's vectors. ymm14 and ymm15 are used on the way. Constants lie in the kernel's frame, where they are aligned.
/// </summary>
internal sealed class Avx2StepReader(KernelAssembler kernel, InterleavedLayout layout, bool hasWords, bool isSigned, int frame)
{
    /// <summary>Bytes of the frame that constants take.</summary>
    public const int FrameBytes = 5 * Vector;

    private const int Vector = 32, Other = 14, Scratch = 15;
    private const int Mask = 0, Upper = 1, Table = 2, MaskBytes = 3, MaskBits = 4, EvenBytes = 3, Signs = 3, SignBit = 128;

    private Assembler Asm => kernel.Asm;

    /// <summary>Places constants in the frame; the first thing to call in it.</summary>
    public void PlaceConstants()
    {
        Place(Mask, kernel.Lane(layout.CodeBits switch { < 4 => 0x03030303u, _ => 0x0f0f0f0fu }));
        if (layout.Codebook is { } codebook)
        {
            Asm.vbroadcasti128(Y(Scratch), kernel.Sixteen(isSigned ? [.. codebook.Select(value => (byte)(value ^ SignBit))] : codebook));
            Asm.vmovdqa(At(Table), Y(Scratch));
        }

        if (hasWords) Place(EvenBytes, kernel.Lane(0x00ff00ff));
        if (isSigned) Place(Signs, kernel.Lane(0x01010101u * SignBit));
        if (layout.CodeBits == 6) Place(Upper, kernel.Lane(0x30303030));
        if (layout.CodeBits is not (3 or 5)) return;
        Place(Upper, kernel.Lane(0x01010101u << (layout.CodeBits - 1)));
        Asm.vmovdqu(Y(Scratch), __ymmword_ptr[kernel.Memory([.. Enumerable.Range(0, Vector).Select(i => (byte)(i / 8))])]);
        Asm.vmovdqa(At(MaskBytes), Y(Scratch));
        Asm.vmovdqu(Y(Scratch), __ymmword_ptr[kernel.Memory([.. Enumerable.Range(0, Vector).Select(i => (byte)(1 << (i % 8)))])]);
        Asm.vmovdqa(At(MaskBits), Y(Scratch));
    }

    /// <summary>Loads the scales, or the minimums, of eight rows; see <see cref="StepReader.LoadScale"/>.</summary>
    /// <param name="target">The vector register.</param>
    /// <param name="step">The step.</param>
    /// <param name="offset">Where they are in the step.</param>
    /// <param name="headerOffset">Where the numbers that they are multiplied with are in the block.</param>
    /// <param name="half">Which eight rows, 0 or 1.</param>
    public void LoadScale(int target, AssemblerRegister64 step, int offset, int headerOffset, int half)
    {
        switch (layout.Scale)
        {
            case ScaleKind.Half:
                Asm.vcvtph2ps(Y(target), __xmmword_ptr[step + offset + (16 * half)]);
                break;
            case ScaleKind.Exponent:
                Asm.vpmovzxbd(Y(target), __qword_ptr[step + offset + (8 * half)]);
                Asm.vpslld(Y(target), Y(target), 23);
                break;
            default:
                Asm.vpmovsxbd(Y(target), __qword_ptr[step + offset + (8 * half)]);
                Asm.vcvtdq2ps(Y(target), Y(target));
                Asm.vcvtph2ps(Y(Scratch), __xmmword_ptr[step + rbx + headerOffset + (16 * half)]);
                Asm.vmulps(Y(target), Y(target), Y(Scratch));
                break;
        }
    }

    /// <summary>Unpacks four columns of eight rows to bytes, or two of them to words.</summary>
    /// <param name="target">The vector register.</param>
    /// <param name="step">The step.</param>
    /// <param name="vector">Which four columns, 0 to 7.</param>
    /// <param name="half">Which eight rows, 0 or 1.</param>
    /// <param name="plane">Of words: 0 for even columns, 1 for odd ones.</param>
    public void Unpack(int target, AssemblerRegister64 step, int vector, int half, int plane)
    {
        int low = layout.CodesOffset + (Vector * half), high = low + layout.LowBytes, four = vector % 4;
        switch (layout.CodeBits)
        {
            case 8:
                Asm.vmovdqu(Y(target), __ymmword_ptr[step + low + (64 * vector)]);
                if (isSigned) Asm.vpxor(Y(target), Y(target), At(Signs));
                if (hasWords) Words(target, plane);
                return;
            case >= 4:
                Asm.vmovdqu(Y(target), __ymmword_ptr[step + low + (64 * four)]);
                if (vector >= 4) Asm.vpsrlw(Y(target), Y(target), 4);
                break;
            default:
                Asm.vmovdqu(Y(target), __ymmword_ptr[step + low + (64 * (vector / 4))]);
                if (four > 0) Asm.vpsrlw(Y(target), Y(target), (byte)(2 * four));
                break;
        }

        Asm.vpand(Y(target), Y(target), At(Mask));
        if (layout.CodeBits is 3 or 5) AddMask(target, step + layout.CodesOffset + layout.LowBytes + (8 * vector) + (4 * half));
        if (layout.CodeBits == 6) AddUpperPair(target, step + high + (64 * (vector / 4)), four);
        if (layout.Codebook is null) return;
        Asm.vmovdqa(Y(Scratch), At(Table));
        Asm.vpshufb(Y(target), Y(Scratch), Y(target));
        if (hasWords) Words(target, plane);
    }

    private void Words(int target, int plane)
    {
        if (plane == 0) Asm.vpand(Y(target), Y(target), At(EvenBytes));
        else Asm.vpsrlw(Y(target), Y(target), 8);
    }

    // A mask's 32 bits to 32 bytes: every byte gets the mask's byte that its bit is in, and keeps that bit.
    private void AddMask(int target, AssemblerMemoryOperand at)
    {
        Asm.vpbroadcastd(Y(Scratch), __dword_ptr[at]);
        Asm.vpshufb(Y(Scratch), Y(Scratch), At(MaskBytes));
        Asm.vmovdqa(Y(Other), At(MaskBits));
        Asm.vpand(Y(Scratch), Y(Scratch), Y(Other));
        Asm.vpcmpeqb(Y(Scratch), Y(Scratch), Y(Other));
        Asm.vpand(Y(Scratch), Y(Scratch), At(Upper));
        Asm.vpor(Y(target), Y(target), Y(Scratch));
    }

    // code |= pair << 4.
    private void AddUpperPair(int target, AssemblerMemoryOperand at, int pair)
    {
        Asm.vmovdqu(Y(Scratch), __ymmword_ptr[at]);
        if (pair < 2) Asm.vpsllw(Y(Scratch), Y(Scratch), (byte)(4 - (2 * pair)));
        if (pair > 2) Asm.vpsrlw(Y(Scratch), Y(Scratch), 2);
        Asm.vpand(Y(Scratch), Y(Scratch), At(Upper));
        Asm.vpor(Y(target), Y(target), Y(Scratch));
    }

    private void Place(int constant, AssemblerMemoryOperand lane)
    {
        Asm.vpbroadcastd(Y(Scratch), lane);
        Asm.vmovdqa(At(constant), Y(Scratch));
    }

    private AssemblerMemoryOperand At(int constant) => __ymmword_ptr[rsp + frame + (Vector * constant)];
}
