using Iced.Intel;
using Quern.Kernels.Cpu.Interleaved;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// What <see cref="InterleavedFloatKernel"/> does, for AVX2, FMA and F16C, over the same bytes, with the same bits as results: a vector is half of the layout's, eight rows.
/// <para>
/// Outputs of one token of four streams stay in registers. Other shapes have more than there are registers: theirs lie in the frame on the stack and are taken out for sixteen columns of one
/// stream and up to six tokens. Registers: ymm0–11 outputs, 12 and 13 weights, 14 an activation.
/// </para>
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, VFMADD231PS, VCVTPH2PS.
/// </summary>
internal sealed class InterleavedAvx2FloatKernel
{
    private const int Half = 32, Line = 64, TokensOfPart = 6, ColumnsOfTurn = 16, PrefetchBytes = 2048;
    private const int Weights = 12, Activation = 14;
    private static readonly AssemblerRegister64[] Streams = [rdx, r8, r9, r10];

    private readonly InterleavedLayout _layout;
    private readonly int _tokens, _streams, _columnBytes, _unrolled;
    private readonly bool _isKept;
    private readonly KernelAssembler _kernel = new();

    private InterleavedAvx2FloatKernel(InterleavedLayout layout, int tokens, int streams)
    {
        (_layout, _tokens, _streams) = (layout, tokens, streams);
        _columnBytes = layout.BlockBytes / layout.BlockColumns;
        _isKept = tokens * streams <= TokensOfPart;
        _unrolled = _isKept ? ColumnsOfTurn / streams : ColumnsOfTurn;
    }

    private Assembler Asm => _kernel.Asm;

    /// <summary>The address of a function that takes <see cref="KernelArguments"/> by address; it stays as long as the process.</summary>
    public static nint Assemble(InterleavedLayout layout, int tokens, int streams) =>
        ExecutableMemory.Keep(new InterleavedAvx2FloatKernel(layout, tokens, streams).Write());

    private byte[] Write()
    {
        _kernel.Begin();
        _kernel.EnterFrame(_tokens * _streams * Line);
        for (int i = 0; i < (_isKept ? 2 * _tokens * _streams : 1); i++) _kernel.Clear(i);
        if (!_isKept)
            for (int i = 0; i < 2 * _tokens * _streams; i++) Asm.vmovaps(Output(i), Y(0));
        _kernel.LoadStreams(Streams.AsSpan(0, _streams));
        _kernel.Load(rax, 16);
        _kernel.Load(rcx, 24);
        Asm.imul(rcx, rcx, _layout.BlockColumns / _unrolled);
        _kernel.Repeat(rcx, Turn);
        if (_isKept)
            for (int i = 0; i < 2 * _tokens * _streams; i++) Asm.vmovaps(Output(i), Y(i));
        _kernel.AddOutputsOfFrame(_tokens, _streams);
        _kernel.LeaveFrame();
        _kernel.End();
        return _kernel.ToBytes();
    }

    private void Turn()
    {
        for (int s = 0; s < _streams; s++)
        {
            if (_streams > 1)
                for (int line = 0; line < _unrolled * _columnBytes; line += Line) Asm.prefetcht0(__byte_ptr[Streams[s] + PrefetchBytes + line]);
            for (int first = 0; first < _tokens; first += TokensOfPart) Part(s, first, Math.Min(TokensOfPart, _tokens - first));
        }

        for (int s = 0; s < _streams; s++) Asm.add(Streams[s], _unrolled * _columnBytes);
        Asm.add(rax, _unrolled * _tokens * sizeof(float));
    }

    private void Part(int stream, int first, int count)
    {
        int outputs = 2 * ((stream * _tokens) + first), registers = _isKept ? outputs : 0;
        if (!_isKept)
            for (int i = 0; i < 2 * count; i++) Asm.vmovaps(Y(i), Output(outputs + i));
        for (int k = 0; k < _unrolled; k++)
        {
            for (int half = 0; half < 2; half++) Widen(Weights + half, Streams[stream] + (k * _columnBytes) + (half * _columnBytes / 2));
            for (int t = 0; t < count; t++)
            {
                Asm.vbroadcastss(Y(Activation), __dword_ptr[rax + (((k * _tokens) + first + t) * sizeof(float))]);
                for (int half = 0; half < 2; half++) Asm.vfmadd231ps(Y(registers + (2 * t) + half), Y(Weights + half), Y(Activation));
            }
        }

        if (!_isKept)
            for (int i = 0; i < 2 * count; i++) Asm.vmovaps(Output(outputs + i), Y(i));
    }

    private void Widen(int target, AssemblerMemoryOperand at)
    {
        switch (_layout.Element)
        {
            case FloatElement.Half:
                Asm.vcvtph2ps(Y(target), __xmmword_ptr[at]);
                break;
            case FloatElement.Brain:
                Asm.vpmovzxwd(Y(target), __xmmword_ptr[at]);
                Asm.vpslld(Y(target), Y(target), 16);
                break;
            default:
                Asm.vmovups(Y(target), __ymmword_ptr[at]);
                break;
        }
    }

    private static AssemblerMemoryOperand Output(int half) => __ymmword_ptr[rsp + (half * Half)];
}
