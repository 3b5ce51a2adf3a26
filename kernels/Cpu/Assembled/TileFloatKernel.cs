using Iced.Intel;
using Quern.Kernels.Cpu.Interleaved;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// Assembles the way from columns of sixteen floating-point numbers, wherever they lie, to tiles of bfloat16 numbers (<see cref="Tiles.TileLayout"/>): row p of a tile pairs columns p and 16 + p.
/// Numbers are rounded by adding half a unit of what stays; bfloat16 numbers are what they are. Serves interleaved weights, and pages of keys and values.
/// <see cref="Tiles.TileScalar"/> is what it means. Registers: zmm13 and 14 the pair, 15 a rounded number, 18 and 19 constants.
/// </summary>
internal sealed class TileFloatKernel
{
    private const int Low = 13, High = 14, Rounded = 15, UpperHalf = 18, HalfUnit = 19;

    private static readonly nint[] Kernels = new nint[8];
    private static readonly Lock Assembling = new();

    private readonly FloatElement _element;
    private readonly bool _rest;
    private readonly KernelAssembler _kernel = new();

    private TileFloatKernel(FloatElement element, bool rest) => (_element, _rest) = (element, rest);

    private Assembler Asm => _kernel.Asm;

    /// <summary>The address of a function that takes <see cref="TileDecodeArguments"/> by address, assembled when it is first asked for.</summary>
    /// <param name="element">What numbers are.</param>
    /// <param name="rest">Whether tiles get what rounding takes off the numbers, in place of the numbers.</param>
    public static nint Find(FloatElement element, bool rest = false)
    {
        ref nint kernel = ref Kernels[(2 * (int)element) + (rest ? 1 : 0)];
        if (Volatile.Read(ref kernel) == 0)
        {
            lock (Assembling)
                if (kernel == 0) Volatile.Write(ref kernel, ExecutableMemory.Keep(new TileFloatKernel(element, rest).Write()));
        }

        return kernel;
    }

    /// <summary>A step of <see cref="Tiles.TileLayout.Parts"/> tiles: rounded numbers twice, and what rounding takes off.</summary>
    /// <param name="element">What numbers are.</param>
    /// <param name="arguments">One block.</param>
    public static unsafe void PlaceParts(FloatElement element, ref TileDecodeArguments arguments)
    {
        byte* target = arguments.Tiles;
        fixed (TileDecodeArguments* at = &arguments)
        {
            ((delegate* unmanaged<TileDecodeArguments*, void>)Find(element))(at);
            Buffer.MemoryCopy(target, target + Tiles.TileLayout.TileBytes, Tiles.TileLayout.TileBytes, Tiles.TileLayout.TileBytes);
            at->Tiles = target + (2 * Tiles.TileLayout.TileBytes);
            ((delegate* unmanaged<TileDecodeArguments*, void>)Find(element, rest: true))(at);
        }
    }

    private byte[] Write()
    {
        _kernel.Begin();
        _kernel.Load(rdx, 0);
        _kernel.Load(rcx, 8);
        _kernel.Load(rax, 16);
        _kernel.Load(rbx, 24);
        _kernel.Fill(UpperHalf, 0xffff0000);
        _kernel.Fill(HalfUnit, 0x8000);
        _kernel.Repeat(rcx, Block);
        _kernel.End();
        return _kernel.ToBytes();
    }

    private void Block()
    {
        Asm.mov(r8, rdx);
        Asm.mov(r9, rbx);
        Asm.shl(r9, 4);
        Asm.add(r9, rdx);
        for (int row = 0; row < 16; row++)
        {
            Number(Low, r8);
            Number(High, r9);
            _kernel.StorePair(Low, High, UpperHalf, rax + (64 * row));
            Asm.add(r8, rbx);
            Asm.add(r9, rbx);
        }

        Asm.add(rdx, __qword_ptr[Arguments + 32]);
        Asm.add(rax, Tiles.TileLayout.TileBytes);
    }

    private void Number(int target, AssemblerRegister64 at)
    {
        switch (_element)
        {
            case FloatElement.Brain:
                Asm.vpmovzxwd(Z(target), __ymmword_ptr[at]);
                Asm.vpslld(Z(target), Z(target), 16);
                return;
            case FloatElement.Half:
                Asm.vcvtph2ps(Z(target), __ymmword_ptr[at]);
                break;
            default:
                Asm.vmovups(Z(target), __zmmword_ptr[at]);
                break;
        }

        if (_rest)
        {
            Asm.vpaddd(Z(Rounded), Z(target), Z(HalfUnit));
            Asm.vpandd(Z(Rounded), Z(Rounded), Z(UpperHalf));
            Asm.vsubps(Z(target), Z(target), Z(Rounded));
        }

        Asm.vpaddd(Z(target), Z(target), Z(HalfUnit));
    }
}
