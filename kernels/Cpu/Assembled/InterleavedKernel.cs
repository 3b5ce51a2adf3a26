using Iced.Intel;
using Quern.Kernels.Cpu.Interleaved;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// Assembles the product of interleaved rows with a few tokens, for AVX-512 VNNI: <c>y[t, r] += Σ_k x[t, k] · w[r, k]</c>, one lane a row. One kernel serves one token (four streams of weights
/// side by side, bound by memory) and prompts (sixteen tokens to one unpacking, bound by VPDPBUSD): it is the same loop with other numbers of tokens and streams.
/// For every step of 32 columns and every stream: unpack the codes to unsigned bytes (eight vectors), load the scales, and for every token add eight VPDPBUSD whose
/// signed operand is four activations repeated sixteen times by the load, convert, and add d × scale × sum. <see cref="InterleavedScalar"/> is what it means.
/// Registers: zmm0–7 codes, 8 scale, 9 minimum, 10–15 integer sums of up to six tokens (so many chains of additions hide VPDPBUSD's latency of five cycles),
/// 16–31 outputs of streams × tokens. Constants are operands from memory.
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, VPDPBUSD.
/// </summary>
internal sealed class InterleavedKernel
{
    private const int Codes = 0, Scale = 8, Minimum = 9, IntegerSums = 10, Interleave = 6, Outputs = 16;

    /// <summary>How far ahead of the loads a stream's lines are asked for, where memory is the limit.</summary>
    private const int PrefetchBytes = 2048;

    private static readonly AssemblerRegister64[] Streams = [rdx, r8, r9, r10];

    private readonly InterleavedLayout _layout;
    private readonly int _tokens, _streams;
    private readonly KernelAssembler _kernel = new();
    private readonly StepReader _reader;

    private InterleavedKernel(InterleavedLayout layout, int tokens, int streams)
    {
        (_layout, _tokens, _streams) = (layout, tokens, streams);
        _reader = new StepReader(_kernel, layout);
    }

    private Assembler Asm => _kernel.Asm;

    /// <summary>The address of a function that takes <see cref="KernelArguments"/> by address; it stays as long as the process.</summary>
    public static nint Assemble(InterleavedLayout layout, int tokens, int streams) => ExecutableMemory.Keep(new InterleavedKernel(layout, tokens, streams).Write());

    private byte[] Write()
    {
        _kernel.Begin();
        _reader.PlaceConstants();
        _kernel.LoadStreams(Streams.AsSpan(0, _streams));
        _kernel.Load(rax, 16);
        _kernel.Load(rcx, 24);
        for (int i = 0; i < _tokens * _streams; i++) _kernel.Clear(Outputs + i);
        _kernel.Repeat(rcx, () => StepReader.Block(_kernel, _layout, Streams.AsSpan(0, _streams), Step));
        _kernel.AddOutputs(Outputs, _tokens, _streams);
        _kernel.End();
        return _kernel.ToBytes();
    }

    private void Step()
    {
        for (int s = 0; s < _streams; s++)
        {
            if (_streams > 1 || _tokens > 8)
                for (int line = 0; line < _layout.StepBytes; line += 64) Asm.prefetcht0(__byte_ptr[Streams[s] + PrefetchBytes + line]);
            for (int half = 0; half < _layout.ScalesPerStep; half++)
            {
                _reader.Unpack(Streams[s], first: 4 * half, count: _layout.PerSixteen ? 4 : 8);
                _reader.LoadScale(Scale, Streams[s], half * _layout.ScaleBytes, 0);
                if (_layout.HasMinimums) _reader.LoadScale(Minimum, Streams[s], _layout.MinimumsOffset + (half * _layout.ScaleBytes), 2 * InterleavedLayout.Rows);
                int parts = (_tokens + Interleave - 1) / Interleave;
                for (int part = 0; part < parts; part++)
                {
                    int token = _tokens * part / parts;
                    Multiply(token, (_tokens * (part + 1) / parts) - token, half, Outputs + (s * _tokens));
                }
            }
        }

        for (int s = 0; s < _streams; s++) Asm.add(Streams[s], _layout.StepBytes);
        Asm.add(rax, _tokens * InterleavedActivations.BlockBytes);
    }

    private void Multiply(int firstToken, int count, int half, int outputs)
    {
        int vectors = _layout.PerSixteen ? 4 : 8;
        for (int t = 0; t < count; t++)
        {
            if (_layout.Offset == 0) _kernel.Clear(IntegerSums + t);
            else Asm.vpbroadcastd(Z(IntegerSums + t), __dword_ptr[rax + Field(firstToken + t, InterleavedActivations.Corrections + (4 * half))]);
        }

        for (int i = 0; i < vectors; i++)
            for (int t = 0; t < count; t++) Asm.vpdpbusd(Z(IntegerSums + t), Z(Codes + i), Each(rax, Field(firstToken + t, 4 * ((4 * half) + i))));
        for (int t = 0; t < count; t++)
        {
            AssemblerRegisterZMM sum = Z(IntegerSums + t), output = Z(outputs + firstToken + t);
            Asm.vcvtdq2ps(sum, sum);
            Asm.vmulps(sum, sum, Each(rax, Field(firstToken + t, InterleavedActivations.Scale)));
            Asm.vfmadd231ps(output, sum, Z(Scale));
            if (_layout.HasMinimums) Asm.vfmadd231ps(output, Z(Minimum), Each(rax, Field(firstToken + t, InterleavedActivations.Sums + (4 * half))));
        }
    }

    private static int Field(int token, int field) => (token * InterleavedActivations.BlockBytes) + field;
}
