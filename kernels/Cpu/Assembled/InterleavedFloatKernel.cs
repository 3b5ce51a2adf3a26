using Iced.Intel;
using Quern.Kernels.Cpu.Interleaved;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// Assembles the product of interleaved rows of floating-point numbers with a few tokens in binary32, for AVX-512: <c>y[t, r] += Σ_k x[t, k] · w[r, k]</c>, one lane a row.
/// For every column and stream: widen sixteen numbers, and for every token one multiply-add whose factor is repeated sixteen times by the load.
/// <see cref="InterleavedScalar"/> is what it means. Registers: zmm0–7 weights, 16–31 outputs of streams × tokens.
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, VFMADD231PS, VCVTPH2PS.
/// </summary>
internal sealed class InterleavedFloatKernel
{
    /// <summary>Columns of a turn of the loop.</summary>
    private const int Unrolled = 4;

    private const int Outputs = 16, PrefetchBytes = 2048;
    private static readonly AssemblerRegister64[] Streams = [rdx, r8, r9, r10];

    private readonly InterleavedLayout _layout;
    private readonly int _tokens, _streams, _columnBytes;
    private readonly KernelAssembler _kernel = new();

    private InterleavedFloatKernel(InterleavedLayout layout, int tokens, int streams)
    {
        (_layout, _tokens, _streams) = (layout, tokens, streams);
        _columnBytes = layout.BlockBytes / layout.BlockColumns;
    }

    private Assembler Asm => _kernel.Asm;

    /// <summary>The address of a function that takes <see cref="KernelArguments"/> by address; it stays as long as the process.</summary>
    public static nint Assemble(InterleavedLayout layout, int tokens, int streams) =>
        ExecutableMemory.Keep(new InterleavedFloatKernel(layout, tokens, streams).Write());

    private byte[] Write()
    {
        _kernel.Begin();
        _kernel.LoadStreams(Streams.AsSpan(0, _streams));
        _kernel.Load(rax, 16);
        _kernel.Load(rcx, 24);
        Asm.imul(rcx, rcx, _layout.BlockColumns / Unrolled);
        for (int i = 0; i < _tokens * _streams; i++) _kernel.Clear(Outputs + i);
        _kernel.Repeat(rcx, Columns);
        _kernel.AddOutputs(Outputs, _tokens, _streams);
        _kernel.End();
        return _kernel.ToBytes();
    }

    private void Columns()
    {
        for (int s = 0; s < _streams; s++)
        {
            if (_streams > 1)
                for (int line = 0; line < Unrolled * _columnBytes; line += 64) Asm.prefetcht0(__byte_ptr[Streams[s] + PrefetchBytes + line]);
            for (int k = 0; k < Unrolled; k++)
            {
                int weights = (s + (k * _streams)) % 8;
                Widen(weights, Streams[s] + (k * _columnBytes));
                for (int t = 0; t < _tokens; t++)
                    Asm.vfmadd231ps(Z(Outputs + (s * _tokens) + t), Z(weights), Each(rax, ((k * _tokens) + t) * sizeof(float)));
            }
        }

        for (int s = 0; s < _streams; s++) Asm.add(Streams[s], Unrolled * _columnBytes);
        Asm.add(rax, Unrolled * _tokens * sizeof(float));
    }

    private void Widen(int target, AssemblerMemoryOperand at)
    {
        switch (_layout.Element)
        {
            case FloatElement.Half:
                Asm.vcvtph2ps(Z(target), __ymmword_ptr[at]);
                break;
            case FloatElement.Brain:
                Asm.vpmovzxwd(Z(target), __ymmword_ptr[at]);
                Asm.vpslld(Z(target), Z(target), 16);
                break;
            default:
                Asm.vmovups(Z(target), __zmmword_ptr[at]);
                break;
        }
    }
}
