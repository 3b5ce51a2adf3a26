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
    private AssemblerMemoryOperand _mask, _constant;

    private InterleavedKernel(InterleavedLayout layout, int tokens, int streams) => (_layout, _tokens, _streams) = (layout, tokens, streams);

    private Assembler Asm => _kernel.Asm;

    /// <summary>The address of a function that takes <see cref="KernelArguments"/> by address; it stays as long as the process.</summary>
    public static nint Assemble(InterleavedLayout layout, int tokens, int streams) => ExecutableMemory.Keep(new InterleavedKernel(layout, tokens, streams).Write());

    private byte[] Write()
    {
        _kernel.Begin();
        PlaceConstants();
        _kernel.LoadStreams(Streams.AsSpan(0, _streams));
        _kernel.Load(rax, 16);
        _kernel.Load(rcx, 24);
        for (int i = 0; i < _tokens * _streams; i++) _kernel.Clear(Outputs + i);
        _kernel.Repeat(rcx, Block);
        _kernel.AddOutputs(Outputs, _tokens, _streams);
        _kernel.End();
        return _kernel.ToBytes();
    }

    private void PlaceConstants()
    {
        _mask = _kernel.Each(_layout.CodeBits < 4 ? 0x03030303u : 0x0f0f0f0fu);
        if (_layout.Codebook is { } codebook) _constant = _kernel.Sixteen(codebook);
        else if (_layout.CodeBits == 6) _constant = _kernel.Each(0x30303030);
        else if (_layout.CodeBits is 3 or 5) _constant = _kernel.Bytes((byte)(1 << (_layout.CodeBits - 1)));
    }

    // rbx is the way from a step back to its block's header.
    private void Block()
    {
        if (_layout.Scale != ScaleKind.Super)
        {
            Step();
            return;
        }

        for (int s = 0; s < _streams; s++) Asm.add(Streams[s], _layout.HeaderBytes);
        Asm.mov(rbx, -_layout.HeaderBytes);
        Asm.mov(r12, _layout.StepsPerBlock);
        _kernel.Repeat(r12, () =>
        {
            Step();
            Asm.sub(rbx, _layout.StepBytes);
        });
    }

    private void Step()
    {
        for (int s = 0; s < _streams; s++)
        {
            if (_streams > 1)
                for (int line = 0; line < _layout.StepBytes; line += 64) Asm.prefetcht0(__byte_ptr[Streams[s] + PrefetchBytes + line]);
            for (int half = 0; half < _layout.ScalesPerStep; half++)
            {
                Unpack(Streams[s], half);
                LoadScale(Scale, Streams[s], half * _layout.ScaleBytes, 0);
                if (_layout.HasMinimums) LoadScale(Minimum, Streams[s], _layout.MinimumsOffset + (half * _layout.ScaleBytes), 2 * InterleavedLayout.Rows);
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

    private void LoadScale(int target, AssemblerRegister64 step, int offset, int headerOffset)
    {
        switch (_layout.Scale)
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
                Asm.vcvtph2ps(Z(IntegerSums), __ymmword_ptr[step + rbx + headerOffset]);
                Asm.vmulps(Z(target), Z(target), Z(IntegerSums));
                break;
        }
    }

    // With a scale for 16 columns, vectors 0…3 or 4…7 go to the registers of vectors 0…3.
    private void Unpack(AssemblerRegister64 step, int half)
    {
        int low = _layout.CodesOffset, high = low + _layout.LowBytes, first = 4 * half, count = _layout.PerSixteen ? 4 : 8;
        switch (_layout.CodeBits)
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

        if (_layout.CodeBits is 3 or 5) Masks(step + high, first, count);
        if (_layout.CodeBits == 6) UpperPairs(step + high, first, count);
        if (_layout.Codebook is null) return;
        Asm.vbroadcasti32x4(Z(IntegerSums), _constant);
        for (int i = 0; i < count; i++) Asm.vpshufb(Z(Codes + i), Z(IntegerSums), Z(Codes + i));
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
        int moved = IntegerSums;
        for (int i = 0; i < count; i++)
        {
            int vector = first + i, pair = vector % 4;
            Asm.vmovdqu32(Z(moved), ZmmAt(at, 64 * (vector / 4)));
            if (pair < 2) Asm.vpsllw(Z(moved), Z(moved), (byte)(4 - (2 * pair)));
            if (pair > 2) Asm.vpsrlw(Z(moved), Z(moved), 2);
            Asm.vpternlogd(Z(Codes + i), Z(moved), _constant, Merge);
        }
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

    private static AssemblerMemoryOperand ZmmAt(AssemblerMemoryOperand at, int offset) => __zmmword_ptr[at + offset];
}
