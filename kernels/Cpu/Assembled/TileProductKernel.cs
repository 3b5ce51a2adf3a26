using System.Runtime.InteropServices;
using Iced.Intel;
using Quern.Kernels.Cpu.Tiles;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>What a product of tiles gets, by address; it is used up by the call.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TileProductArguments
{
    /// <summary>The first step of sixteen tokens.</summary>
    public byte* Activations;

    /// <summary>Bytes from there to the next sixteen tokens.</summary>
    public long ActivationBytes;

    /// <summary>The first step of sixteen weight rows.</summary>
    public byte* Weights;

    /// <summary>Bytes from there to the next sixteen rows.</summary>
    public long WeightBytes;

    /// <summary>Steps to multiply, at least 1.</summary>
    public long Steps;

    /// <summary>Products to make, at least 1, each of as many tokens and rows as the kernel has.</summary>
    public long Turns;

    /// <summary>Bytes from a turn's activations to the next one's; 0 where they are the same.</summary>
    public long TurnActivationBytes;

    /// <summary>Bytes from a turn's weights to the next one's; 0 where they are the same.</summary>
    public long TurnWeightBytes;

    /// <summary>[tokens, rows] what sums begin with, or null for zeros.</summary>
    public float* Before;

    /// <summary>Bytes from a token's numbers there to the next one's.</summary>
    public long BeforeTokenBytes;

    /// <summary>Bytes from a turn's numbers there to the next one's; 0 for zeros.</summary>
    public long TurnBeforeBytes;

    /// <summary>[tokens, rows] where sums go.</summary>
    public float* Y;

    /// <summary>Bytes from a token's sums to the next one's.</summary>
    public long YTokenBytes;

    /// <summary>Bytes from a turn's sums to the next one's.</summary>
    public long TurnYBytes;
}

/// <summary>
/// Assembles the product of bfloat16 tiles for the tile unit, one or two tiles of tokens by one or two of weight rows at a time:
/// <c>y[t, r] = before[t, r] + Σ_k x[t, k] · w[r, k]</c>, sums in binary32. Two by two take four loads for four products of sixteen cycles each.
/// The tile configuration is loaded when the call begins and given back when it ends, so that nothing of it outlives the call.
/// Registers: tmm0–3 sums, 4 and 5 activations, 6 and 7 weights. <see cref="TileScalar"/> is what it means.
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, TDPBF16PS, LDTILECFG.
/// </summary>
internal sealed class TileProductKernel
{
    private const int ActivationsField = 0, ActivationBytesField = 8, WeightsField = 16, WeightBytesField = 24, StepsField = 32, TurnsField = 40, TurnActivationBytesField = 48, TurnWeightBytesField = 56;
    private const int BeforeField = 64, BeforeTokenBytesField = 72, TurnBeforeBytesField = 80, YField = 88, YTokenBytesField = 96, TurnYBytesField = 104;
    private const int Sums = 0, Activations = 4, Weights = 6;
    private static readonly nint[] Kernels = new nint[4];
    private static readonly Lock Assembling = new();

    private readonly int _tokenTiles, _rowTiles;
    private readonly KernelAssembler _kernel = new();

    private readonly TileUnit _tiles;

    private TileProductKernel(int tokenTiles, int rowTiles)
    {
        (_tokenTiles, _rowTiles) = (tokenTiles, rowTiles);
        _tiles = TileUnit.Of(_kernel);
    }

    private Assembler Asm => _kernel.Asm;

    /// <summary>The address of a function that takes <see cref="TileProductArguments"/> by address, assembled when it is first asked for.</summary>
    /// <param name="tokenTiles">1 or 2 times sixteen tokens a turn.</param>
    /// <param name="rowTiles">1 or 2 times sixteen weight rows.</param>
    public static nint Find(int tokenTiles, int rowTiles)
    {
        ref nint kernel = ref Kernels[(2 * (tokenTiles - 1)) + rowTiles - 1];
        if (Volatile.Read(ref kernel) == 0)
        {
            lock (Assembling)
                if (kernel == 0) Volatile.Write(ref kernel, ExecutableMemory.Keep(new TileProductKernel(tokenTiles, rowTiles).Write()));
        }

        return kernel;
    }

    private byte[] Write()
    {
        _kernel.Begin();
        _tiles.Begin();
        Asm.mov(ebx, 64);
        Label turn = Asm.CreateLabel();
        Asm.Label(ref turn);
        Begin();
        _kernel.Load(rax, ActivationsField);
        _kernel.Load(rdx, WeightsField);
        if (_tokenTiles == 2) Second(rcx, rax, ActivationBytesField);
        if (_rowTiles == 2) Second(r8, rdx, WeightBytesField);
        _kernel.Load(r12, StepsField);
        _kernel.Repeat(r12, Step);
        Outputs(YField, YTokenBytesField, _tiles.Store);
        Advance(ActivationsField, TurnActivationBytesField);
        Advance(WeightsField, TurnWeightBytesField);
        Advance(BeforeField, TurnBeforeBytesField);
        Advance(YField, TurnYBytesField);
        Asm.dec(__qword_ptr[Arguments + TurnsField]);
        Asm.jnz(turn);
        _tiles.End();
        _kernel.End();
        return _kernel.ToBytes();
    }

    private void Advance(int field, int distanceField)
    {
        _kernel.Load(rax, distanceField);
        Asm.add(__qword_ptr[Arguments + field], rax);
    }

    private void Second(AssemblerRegister64 target, AssemblerRegister64 first, int distanceField)
    {
        _kernel.Load(target, distanceField);
        Asm.add(target, first);
    }

    private void Begin()
    {
        Label zero = Asm.CreateLabel(), done = Asm.CreateLabel();
        Asm.cmp(__qword_ptr[Arguments + BeforeField], 0);
        Asm.je(zero);
        Outputs(BeforeField, BeforeTokenBytesField, _tiles.Load);
        Asm.jmp(done);
        Asm.Label(ref zero);
        Outputs(BeforeField, BeforeTokenBytesField, (sum, _, _, _) => _tiles.Zero(sum));
        Asm.Label(ref done);
    }

    private void Outputs(int field, int distanceField, Action<int, AssemblerRegister64, int, AssemblerRegister64> act)
    {
        _kernel.Load(r9, field);
        _kernel.Load(r10, distanceField);
        for (int t = 0; t < _tokenTiles; t++)
        {
            if (t > 0)
            {
                Asm.mov(r12, r10);
                Asm.shl(r12, 4);
                Asm.add(r9, r12);
            }

            for (int r = 0; r < _rowTiles; r++) act(Sums + (2 * t) + r, r9, r * TileLayout.Rows * sizeof(float), r10);
        }
    }

    // Loads and products take turns: each product needs only what was loaded before it.
    private void Step()
    {
        _tiles.Load(Weights, rdx, 0, rbx);
        _tiles.Load(Activations, rax, 0, rbx);
        _tiles.MultiplyBrain(Sums, Activations, Weights);
        if (_rowTiles == 2)
        {
            _tiles.Load(Weights + 1, r8, 0, rbx);
            _tiles.MultiplyBrain(Sums + 1, Activations, Weights + 1);
        }

        if (_tokenTiles == 2)
        {
            _tiles.Load(Activations + 1, rcx, 0, rbx);
            _tiles.MultiplyBrain(Sums + 2, Activations + 1, Weights);
            if (_rowTiles == 2) _tiles.MultiplyBrain(Sums + 3, Activations + 1, Weights + 1);
            Asm.add(rcx, TileLayout.TileBytes);
        }

        if (_rowTiles == 2) Asm.add(r8, TileLayout.TileBytes);
        Asm.add(rax, TileLayout.TileBytes);
        Asm.add(rdx, TileLayout.TileBytes);
    }
}
