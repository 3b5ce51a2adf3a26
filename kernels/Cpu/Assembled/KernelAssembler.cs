using System.Diagnostics;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// The words that assembled kernels are written in, over Iced's assembler: a function of one pointer that keeps to the calling convention of the system it runs on.
/// Between <see cref="Begin"/> and <see cref="End"/> a kernel may use rax, rbx, rcx, rdx, r8 to r12, every vector and every mask register; <see cref="Arguments"/> is its pointer.
/// Source: System V AMD64 ABI 1.0; Microsoft x64 calling convention.
/// </summary>
internal sealed class KernelAssembler
{
    /// <summary>Of VPTERNLOGD: (a and b) or c.</summary>
    public const byte AndOr = 0xEA;

    private static readonly AssemblerRegisterZMM[] Vectors =
    [
        zmm0, zmm1, zmm2, zmm3, zmm4, zmm5, zmm6, zmm7, zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15,
        zmm16, zmm17, zmm18, zmm19, zmm20, zmm21, zmm22, zmm23, zmm24, zmm25, zmm26, zmm27, zmm28, zmm29, zmm30, zmm31,
    ];

    private static readonly AssemblerRegisterXMM[] LowVectors =
        [xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15];

    private static readonly AssemblerRegisterYMM[] HalfVectors =
        [ymm0, ymm1, ymm2, ymm3, ymm4, ymm5, ymm6, ymm7, ymm8, ymm9, ymm10, ymm11, ymm12, ymm13, ymm14, ymm15];

    private static readonly AssemblerRegisterXMM[] SavedOnWindows = LowVectors[6..];

    private readonly List<(Label Label, byte[] Bytes)> _constants = [];
    private int _frameBytes;

    /// <summary>Iced's assembler, for the instructions themselves.</summary>
    public Assembler Asm { get; } = new(64);

    /// <summary>Holds the function's argument.</summary>
    public static AssemblerRegister64 Arguments => r11;

    /// <summary>Vector register <paramref name="number"/>, 512 bits.</summary>
    public static AssemblerRegisterZMM Z(int number) => Vectors[number];

    /// <summary>Vector register <paramref name="number"/>, 256 bits; the first sixteen.</summary>
    public static AssemblerRegisterYMM Y(int number) => HalfVectors[number];

    /// <summary>Sixteen equal 32-bit lanes from memory, as an operand that costs no instruction of its own.</summary>
    public static AssemblerMemoryOperand Each(AssemblerRegister64 at, int offset) => __dword_bcst[at + offset];

    /// <summary>Saves what the convention wants saved, and takes the argument.</summary>
    public void Begin()
    {
        Asm.push(rbx);
        Asm.push(r12);
        if (OperatingSystem.IsWindows())
        {
            Asm.sub(rsp, 16 * SavedOnWindows.Length);
            for (int i = 0; i < SavedOnWindows.Length; i++) Asm.movups(__xmmword_ptr[rsp + (16 * i)], SavedOnWindows[i]);
        }

        Asm.mov(r11, OperatingSystem.IsWindows() ? rcx : rdi);
    }

    /// <summary>Loads a field of the argument.</summary>
    public void Load(AssemblerRegister64 register, int field) => Asm.mov(register, __qword_ptr[Arguments + field]);

    /// <summary>
    /// Sets a vector to zero. The 128-bit form clears the whole register without using an execution unit, unlike the 512-bit one; it reaches the first sixteen.
    /// Source: Intel 64 and IA-32 Architectures Optimization Reference Manual, zero idioms.
    /// </summary>
    public void Clear(int vector)
    {
        if (vector < LowVectors.Length) Asm.vpxor(LowVectors[vector], LowVectors[vector], LowVectors[vector]);
        else Asm.vpxord(Z(vector), Z(vector), Z(vector));
    }

    /// <summary>A constant as an operand: sixteen equal 32-bit lanes.</summary>
    public AssemblerMemoryOperand Each(uint number) => __dword_bcst[Constant(BitConverter.GetBytes(number))];

    /// <summary>A constant of 16 bytes.</summary>
    public AssemblerMemoryOperand Sixteen(byte[] bytes) => __xmmword_ptr[Constant(bytes)];

    /// <summary>Fills a vector with sixteen equal 32-bit lanes.</summary>
    public void Fill(int vector, uint number) => Asm.vpbroadcastd(Z(vector), __dword_ptr[Constant(BitConverter.GetBytes(number))]);

    /// <summary>Stores sixteen pairs of bfloat16 numbers: the upper halves of two vectors of binary32 numbers, which are spoilt, the first's in the lower half of each element.</summary>
    /// <param name="low">The first vector.</param>
    /// <param name="high">The second.</param>
    /// <param name="upperHalf">A vector of 0xffff0000.</param>
    /// <param name="at">Destination, aligned to 64 bytes.</param>
    public void StorePair(int low, int high, int upperHalf, AssemblerMemoryOperand at)
    {
        Asm.vpsrld(Z(low), Z(low), 16);
        Asm.vpternlogd(Z(high), Z(upperHalf), Z(low), AndOr);
        Asm.vmovdqa64(__zmmword_ptr[at], Z(high));
    }

    /// <summary>A constant as an operand of one 32-bit lane.</summary>
    public AssemblerMemoryOperand Lane(uint number) => __dword_ptr[Constant(BitConverter.GetBytes(number))];

    /// <summary>A constant's address as an operand.</summary>
    public AssemblerMemoryOperand Memory(byte[] bytes) => __[Constant(bytes)];

    /// <summary>Of <see cref="Interleaved.KernelArguments"/>: takes where each stream begins. Uses rax.</summary>
    public void LoadStreams(ReadOnlySpan<AssemblerRegister64> streams)
    {
        Load(streams[0], 0);
        Load(rax, 8);
        for (int s = 1; s < streams.Length; s++) Asm.lea(streams[s], __[streams[s - 1] + rax]);
    }

    /// <summary>Of the same: adds vectors of sixteen outputs, <c>[streams, tokens]</c>, to y. Uses rax, rcx, rdx and r8.</summary>
    public void AddOutputs(int first, int tokens, int streams)
    {
        Load(rax, 32);
        Load(rcx, 40);
        Load(r8, 48);
        for (int s = 0; s < streams; s++)
        {
            Asm.mov(rdx, rax);
            for (int t = 0; t < tokens; t++)
            {
                AssemblerRegisterZMM output = Z(first + (s * tokens) + t);
                Asm.vaddps(output, output, __zmmword_ptr[rdx]);
                Asm.vmovups(__zmmword_ptr[rdx], output);
                Asm.add(rdx, r8);
            }

            Asm.add(rax, rcx);
        }
    }

    /// <summary>The same with 256 bits, of outputs that lie at the beginning of the frame. Uses two vectors besides.</summary>
    public void AddOutputsOfFrame(int tokens, int streams)
    {
        const int Half = 32;
        Load(rax, 32);
        Load(rcx, 40);
        Load(r8, 48);
        for (int s = 0; s < streams; s++)
        {
            Asm.mov(rdx, rax);
            for (int t = 0; t < tokens; t++)
            {
                for (int half = 0; half < 2; half++)
                {
                    Asm.vmovaps(Y(half), __ymmword_ptr[rsp + (((((s * tokens) + t) * 2) + half) * Half)]);
                    Asm.vaddps(Y(half), Y(half), __ymmword_ptr[rdx + (half * Half)]);
                    Asm.vmovups(__ymmword_ptr[rdx + (half * Half)], Y(half));
                }

                Asm.add(rdx, r8);
            }

            Asm.add(rax, rcx);
        }
    }

    /// <summary>
    /// Takes memory on the stack, aligned to 64 bytes, that begins at rsp until <see cref="LeaveFrame"/>. Uses rax. Less than a page, so that no guard page is stepped over.
    /// </summary>
    public void EnterFrame(int bytes)
    {
        _frameBytes = bytes;
        Debug.Assert(bytes % 64 == 0 && bytes + 128 < 4096, "a frame within a page");
        Asm.mov(rax, rsp);
        Asm.sub(rsp, bytes + 64);
        Asm.and(rsp, -64);
        Asm.mov(__qword_ptr[rsp + bytes], rax);
    }

    /// <summary>Gives that memory back.</summary>
    public void LeaveFrame() => Asm.mov(rsp, __qword_ptr[rsp + _frameBytes]);

    /// <summary>A loop whose body ends by counting <paramref name="counter"/> down to 0.</summary>
    public void Repeat(AssemblerRegister64 counter, Action body)
    {
        Label again = Asm.CreateLabel();
        Asm.Label(ref again);
        body();
        Asm.dec(counter);
        Asm.jnz(again);
    }

    /// <summary>Restores and returns; behind it the constants.</summary>
    public void End()
    {
        Asm.vzeroupper();
        if (OperatingSystem.IsWindows())
        {
            for (int i = 0; i < SavedOnWindows.Length; i++) Asm.movups(SavedOnWindows[i], __xmmword_ptr[rsp + (16 * i)]);
            Asm.add(rsp, 16 * SavedOnWindows.Length);
        }

        Asm.pop(r12);
        Asm.pop(rbx);
        Asm.ret();
        foreach ((Label label, byte[] bytes) in _constants)
        {
            Label here = label;
            Asm.Label(ref here);
            Asm.db(bytes);
        }
    }

    /// <summary>The machine code.</summary>
    public byte[] ToBytes()
    {
        using MemoryStream stream = new();
        Asm.Assemble(new StreamCodeWriter(stream), rip: 0);
        return stream.ToArray();
    }

    private Label Constant(byte[] bytes)
    {
        Label label = Asm.CreateLabel();
        _constants.Add((label, bytes));
        return label;
    }
}
