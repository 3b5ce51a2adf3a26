using Iced.Intel;
using Quern.Kernels.Cpu.Interleaved;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// Writes the instructions that read a step of an <see cref="InterleavedLayout"/> with AVX2 and F16C: what <see cref="StepReader"/> does for sixteen rows, for eight of them at a time, which are
/// half of each of the layout's vectors. ymm15 is used on the way. Constants lie in the kernel's frame, where they are aligned.
/// </summary>
internal sealed class Avx2StepReader(KernelAssembler kernel, InterleavedLayout layout, bool hasWords, bool isSigned, int frame)
{
    /// <summary>Bytes of the frame that constants take.</summary>
    public const int FrameBytes = (3 + MostMasks) * Vector;

    private const int Vector = 32, Scratch = 15, MostMasks = 8, SignBit = 128;
    private const int Table = 0, EvenBytes = 1, Signs = 2, Masks = 3;

    // The bits of codes that their pieces are.
    private readonly int[] _masks = [.. Enumerable.Range(0, 8).SelectMany(layout.Pieces).Select(piece => piece.Mask).Distinct()];

    private Assembler Asm => kernel.Asm;

    /// <summary>Places constants in the frame; the first thing to call in it.</summary>
    public void PlaceConstants()
    {
        for (int i = 0; i < _masks.Length; i++) Place(Masks + i, kernel.Lane(0x01010101u * (uint)_masks[i]));
        if (layout.Codebook is { } codebook)
        {
            Asm.vbroadcasti128(Y(Scratch), kernel.Sixteen(isSigned ? [.. codebook.Select(value => (byte)(value ^ SignBit))] : codebook));
            Asm.vmovdqa(At(Table), Y(Scratch));
        }

        if (hasWords) Place(EvenBytes, kernel.Lane(0x00ff00ff));
        if (isSigned) Place(Signs, kernel.Lane(0x01010101u * SignBit));
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
        foreach (CodePiece piece in layout.Pieces(vector))
        {
            int part = piece.To == 0 ? target : Scratch, right = piece.From - piece.To;
            Asm.vmovdqu(Y(part), __ymmword_ptr[step + layout.CodesOffset + (64 * piece.Source) + (Vector * half)]);
            if (right > 0) Asm.vpsrlw(Y(part), Y(part), (byte)right);
            if (layout.CodeBits < 8) Asm.vpand(Y(part), Y(part), At(Masks + Array.IndexOf(_masks, piece.Mask)));
            if (part == Scratch) Asm.vpor(Y(target), Y(target), Y(Scratch));
        }

        if (layout.CodeBits == 8)
        {
            if (isSigned) Asm.vpxor(Y(target), Y(target), At(Signs));
            if (hasWords) Words(target, plane);
            return;
        }

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

    private void Place(int constant, AssemblerMemoryOperand lane)
    {
        Asm.vpbroadcastd(Y(Scratch), lane);
        Asm.vmovdqa(At(constant), Y(Scratch));
    }

    private AssemblerMemoryOperand At(int constant) => __ymmword_ptr[rsp + frame + (Vector * constant)];
}
