using Iced.Intel;
using Quern.Kernels.Cpu.BytePanels;
using Quern.Kernels.Cpu.Tiles;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// Assembles the product of a panel with tokens for the tile unit, 32 tokens by 64 rows a turn (<see cref="BytePanelArguments"/>, which is used up; weights are signed and there are no corrections): two by two
/// tiles of 32-bit sums over a block, which then go through memory to be scaled and added to the outputs by vectors.
/// Registers: tmm0–3 sums, 4 and 5 activations, 6 and 7 weights; zmm0 and 1 the rows' scales, 2 a token's, 3 and 4 sums. <see cref="BytePanelScalar"/> is what it means.
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, TDPBSSD.
/// </summary>
internal sealed class TileByteKernel
{
    /// <summary>Tokens of a turn.</summary>
    public const int Tokens = 2 * TileLayout.Rows;

    private const int Sums = 0, Activations = 4, Weights = 6;
    private const int TokenBytes = BytePanelLayout.BlockColumns, YTokenBytes = BytePanelLayout.Rows * sizeof(float), SumTokenBytes = Tokens * sizeof(int), TokensAtOnce = 4;

    private static readonly Lazy<nint> Assembled = new(() => ExecutableMemory.Keep(new TileByteKernel().Write()));

    private readonly KernelAssembler _kernel = new();
    private readonly TileUnit _tiles;

    private TileByteKernel() => _tiles = TileUnit.Of(_kernel);

    private Assembler Asm => _kernel.Asm;

    /// <summary>The address of a function that takes <see cref="BytePanelArguments"/> by address, assembled when it is first asked for.</summary>
    public static nint Find() => Assembled.Value;

    private byte[] Write()
    {
        _kernel.Begin();
        _tiles.Begin();
        Asm.mov(ebx, 64);
        Asm.mov(r8d, TokenBytes);
        Asm.mov(r9d, SumTokenBytes);
        Label turn = Asm.CreateLabel();
        Asm.Label(ref turn);
        for (int first = 0; first < BytePanelLayout.Groups; first += 2)
        {
            Multiply(first);
            AddSums(first);
        }

        Asm.add(__qword_ptr[Arguments + 16], Tokens * TokenBytes);
        Asm.add(__qword_ptr[Arguments + 24], Tokens * sizeof(float));
        Asm.add(__qword_ptr[Arguments + 40], Tokens * YTokenBytes);
        Asm.dec(__qword_ptr[Arguments + 56]);
        Asm.jnz(turn);
        _tiles.End();
        _kernel.End();
        return _kernel.ToBytes();
    }

    // Two groups of rows with two tiles of tokens; loads and products take turns, each product needs only what was loaded before it.
    private void Multiply(int group)
    {
        for (int sum = 0; sum < 4; sum++) _tiles.Zero(Sums + sum);
        _kernel.Load(rax, 16);
        _kernel.Load(rdx, 0);
        _kernel.Load(rcx, 48);
        _kernel.Repeat(rcx, () =>
        {
            _tiles.Load(Weights, rdx, group * BytePanelLayout.GroupBytes, rbx);
            _tiles.Load(Activations, rax, 0, r8);
            _tiles.MultiplyBytes(Sums, Activations, Weights);
            _tiles.Load(Weights + 1, rdx, (group + 1) * BytePanelLayout.GroupBytes, rbx);
            _tiles.MultiplyBytes(Sums + 1, Activations, Weights + 1);
            _tiles.Load(Activations + 1, rax, TileLayout.Rows * TokenBytes, r8);
            _tiles.MultiplyBytes(Sums + 2, Activations + 1, Weights);
            _tiles.MultiplyBytes(Sums + 3, Activations + 1, Weights + 1);
            Asm.add(rax, BytePanelLayout.StepColumns);
            Asm.add(rdx, TileLayout.TileBytes);
        });
        _kernel.Load(r10, 64);
        for (int t = 0; t < 2; t++)
            for (int r = 0; r < 2; r++) _tiles.Store(Sums + (2 * t) + r, r10, (t * TileLayout.Rows * SumTokenBytes) + (r * 64), r9);
    }

    private void AddSums(int group)
    {
        _kernel.Load(rax, 8);
        _kernel.Load(rdx, 24);
        _kernel.Load(r12, 40);
        for (int r = 0; r < 2; r++) Asm.vmovups(Z(r), __zmmword_ptr[rax + (64 * (group + r))]);
        Asm.mov(rcx, Tokens / TokensAtOnce);
        _kernel.Repeat(rcx, () =>
        {
            for (int t = 0; t < TokensAtOnce; t++)
            {
                Asm.vbroadcastss(Z(2), __dword_ptr[rdx + (t * sizeof(float))]);
                for (int r = 0; r < 2; r++)
                {
                    AssemblerMemoryOperand y = __zmmword_ptr[r12 + ((t * YTokenBytes) + (64 * (group + r)))];
                    Asm.vcvtdq2ps(Z(3 + r), __zmmword_ptr[r10 + ((t * SumTokenBytes) + (64 * r))]);
                    Asm.vmulps(Z(3 + r), Z(3 + r), Z(r));
                    Asm.vfmadd213ps(Z(3 + r), Z(2), y);
                    Asm.vmovaps(y, Z(3 + r));
                }
            }

            Asm.add(rdx, TokensAtOnce * sizeof(float));
            Asm.add(r10, TokensAtOnce * SumTokenBytes);
            Asm.add(r12, TokensAtOnce * YTokenBytes);
        });
    }
}
