using Iced.Intel;
using Quern.Kernels.Cpu.BytePanels;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// Assembles the product of a panel with tokens for AVX-512 VNNI, four tokens by 64 rows at a time (<see cref="BytePanelArguments"/>; weights are stored with <see cref="BytePanelLayout.Offset"/> added, and
/// sums begin with the corrections): of every four columns, four loads of rows and four of activations, repeated in all lanes, for sixteen VPDPBUSD.
/// Registers: zmm0–3 activations, 4–7 rows, 8–11 the rows' scales, 12–15 the tokens', 16–31 sums. <see cref="BytePanelScalar"/> is what it means.
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, VPDPBUSD.
/// </summary>
internal sealed class BytePanelKernel
{
    /// <summary>Tokens of a turn.</summary>
    public const int Tokens = 4;

    private const int Activations = 0, Rows = 4, RowScales = 8, TokenScales = 12, Sums = 16, ColumnsAtOnce = 4, RowVectorBytes = 64, TokenBytes = BytePanelLayout.BlockColumns;

    private static readonly Lazy<nint> Assembled = new(() => ExecutableMemory.Keep(new BytePanelKernel().Write()));

    private readonly KernelAssembler _kernel = new();

    private Assembler Asm => _kernel.Asm;

    /// <summary>The address of a function that takes <see cref="BytePanelArguments"/> by address, assembled when it is first asked for.</summary>
    public static nint Find() => Assembled.Value;

    private byte[] Write()
    {
        _kernel.Begin();
        _kernel.Load(rax, 8);
        for (int g = 0; g < BytePanelLayout.Groups; g++) Asm.vmovups(Z(RowScales + g), __zmmword_ptr[rax + (64 * g)]);
        _kernel.Load(r8, 16);
        _kernel.Load(r9, 24);
        _kernel.Load(r10, 32);
        _kernel.Load(rbx, 40);
        _kernel.Load(r12, 56);
        _kernel.Repeat(r12, Turn);
        _kernel.End();
        return _kernel.ToBytes();
    }

    private void Turn()
    {
        for (int t = 0; t < Tokens; t++)
            for (int g = 0; g < BytePanelLayout.Groups; g++) Asm.vpbroadcastd(Z(Sum(t, g)), __dword_ptr[r10 + (4 * t)]);
        Asm.mov(rax, r8);
        _kernel.Load(rdx, 0);
        _kernel.Load(rcx, 48);
        _kernel.Repeat(rcx, Step);
        for (int t = 0; t < Tokens; t++) AddSums(t);
        Asm.add(r8, Tokens * TokenBytes);
        Asm.add(r9, Tokens * sizeof(float));
        Asm.add(r10, Tokens * sizeof(int));
        Asm.add(rbx, Tokens * BytePanelLayout.Rows * sizeof(float));
    }

    private void Step()
    {
        for (int k = 0; k < BytePanelLayout.StepColumns; k += ColumnsAtOnce)
        {
            for (int t = 0; t < Tokens; t++) Asm.vpbroadcastd(Z(Activations + t), __dword_ptr[rax + (t * TokenBytes) + k]);
            for (int g = 0; g < BytePanelLayout.Groups; g++)
            {
                Asm.vmovdqa32(Z(Rows + g), __zmmword_ptr[rdx + (g * BytePanelLayout.GroupBytes) + (k / ColumnsAtOnce * RowVectorBytes)]);
                for (int t = 0; t < Tokens; t++) Asm.vpdpbusd(Z(Sum(t, g)), Z(Rows + g), Z(Activations + t));
            }
        }

        Asm.add(rax, BytePanelLayout.StepColumns);
        Asm.add(rdx, BytePanelLayout.StepColumns / ColumnsAtOnce * RowVectorBytes);
    }

    private void AddSums(int token)
    {
        Asm.vbroadcastss(Z(TokenScales + token), __dword_ptr[r9 + (4 * token)]);
        for (int g = 0; g < BytePanelLayout.Groups; g++)
        {
            AssemblerRegisterZMM sum = Z(Sum(token, g));
            AssemblerMemoryOperand y = __zmmword_ptr[rbx + (token * BytePanelLayout.Rows * sizeof(float)) + (64 * g)];
            Asm.vcvtdq2ps(sum, sum);
            Asm.vmulps(sum, sum, Z(RowScales + g));
            Asm.vfmadd213ps(sum, Z(TokenScales + token), y);
            Asm.vmovaps(y, sum);
        }
    }

    private static int Sum(int token, int group) => Sums + (token * BytePanelLayout.Groups) + group;
}
