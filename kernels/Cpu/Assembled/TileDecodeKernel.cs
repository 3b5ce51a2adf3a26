using System.Runtime.InteropServices;
using Iced.Intel;
using Quern.Kernels.Cpu.Interleaved;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>What a decoder of tiles gets, by address.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TileDecodeArguments
{
    /// <summary>The first block of sixteen rows.</summary>
    public byte* Weights;

    /// <summary>Blocks to decode, at least 1.</summary>
    public long Blocks;

    /// <summary>Destination, a tile for each step of 32 columns, or 16 numbers for each column; 64-byte aligned.</summary>
    public byte* Tiles;

    /// <summary>Of numbers without codes: bytes from a column of sixteen to the next.</summary>
    public long ColumnBytes;

    /// <summary>Of the same: bytes from a block of 32 columns to the next.</summary>
    public long BlockBytes;
}

/// <summary>
/// Assembles the way from the codes of a group of sixteen interleaved rows to tiles of bfloat16 numbers (<see cref="Tiles.TileLayout"/>): of every step, row p of the tile pairs columns p and 16 + p.
/// A code becomes a binary32 number without a conversion: put into the fraction of a power of two it is that power plus the code, and the multiply-add with the scale that follows takes the power
/// off again with the offset. Two such numbers are cut to their upper halves and put side by side; scales are raised a little so that cutting does not shrink weights on the mean. Or the numbers are kept
/// whole, column after column.
/// Registers: zmm0–7 codes, 8 and 9 scale and what is added for the first sixteen columns, 11 and 12 the same for the last, 13 and 14 the pair, 16–18 constants.
/// <see cref="Tiles.TileScalar"/> is what it means.
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 1, 18.3 (bfloat16 tiles).
/// </summary>
internal sealed class TileDecodeKernel
{
    private const int LowScale = 8, LowAdded = 9, HighScale = 11, HighAdded = 12, Low = 13, High = 14, CodeMask = 16, Power = 17, UpperHalf = 18;

    private readonly InterleavedLayout _layout;
    private readonly bool _whole;
    private readonly KernelAssembler _kernel = new();
    private readonly StepReader _reader;

    private TileDecodeKernel(InterleavedLayout layout, bool whole)
    {
        (_layout, _whole) = (layout, whole);
        _reader = new StepReader(_kernel, layout);
    }

    private Assembler Asm => _kernel.Asm;

    /// <summary>Where a code is put: bits that the fraction of a binary32 number has, for codes of 7 bits or of 8.</summary>
    private int CodeShift => _layout.CodeBits == 8 || _layout.Codebook?.Max() > 127 ? 8 : 16;

    /// <summary>How far scales are raised: not at all where nothing is cut.</summary>
    private uint Raise => BitConverter.SingleToUInt32Bits(_whole ? 1 : Tiles.TileLayout.Raise);

    /// <summary>The address of a function that takes <see cref="TileDecodeArguments"/> by address; it stays as long as the process.</summary>
    /// <param name="layout">The codes.</param>
    /// <param name="whole">Whether it gives binary32 numbers, [columns, 16], instead of tiles.</param>
    public static nint Assemble(InterleavedLayout layout, bool whole = false) => ExecutableMemory.Keep(new TileDecodeKernel(layout, whole).Write());

    private byte[] Write()
    {
        _kernel.Begin();
        _reader.PlaceConstants();
        _kernel.Load(rdx, 0);
        _kernel.Load(rcx, 8);
        _kernel.Load(rax, 16);
        _kernel.Fill(UpperHalf, 0xffff0000);
        _kernel.Fill(CodeMask, 0xffu << CodeShift);
        _kernel.Fill(Power, BitConverter.SingleToUInt32Bits(1 << (23 - CodeShift)));
        _kernel.Repeat(rcx, () => StepReader.Block(_kernel, _layout, [rdx], Step));
        _kernel.End();
        return _kernel.ToBytes();
    }

    private void Step()
    {
        _reader.Unpack(rdx, first: 0, count: 8);
        Scales(0, LowScale, LowAdded);
        if (_layout.PerSixteen) Scales(1, HighScale, HighAdded);
        for (int vector = 0; vector < 4; vector++)
            for (int place = 0; place < 4; place++)
            {
                Weight(Low, vector, place, LowScale, LowAdded);
                Weight(High, 4 + vector, place, _layout.PerSixteen ? HighScale : LowScale, _layout.PerSixteen ? HighAdded : LowAdded);
                AssemblerMemoryOperand at = rax + (64 * ((4 * vector) + place));
                if (_whole)
                {
                    Asm.vmovaps(__zmmword_ptr[at], Z(Low));
                    Asm.vmovaps(__zmmword_ptr[at + Tiles.TileLayout.TileBytes], Z(High));
                }
                else
                {
                    _kernel.StorePair(Low, High, UpperHalf, at);
                }
            }

        Asm.add(rdx, _layout.StepBytes);
        Asm.add(rax, (_whole ? 2 : 1) * Tiles.TileLayout.TileBytes);
    }

    // scale × (power + code) + added, where added = minimum − (power + offset) × scale.
    private void Scales(int half, int scale, int added)
    {
        AssemblerMemoryOperand raise = _kernel.Each(Raise);
        _reader.LoadScale(scale, rdx, half * _layout.ScaleBytes, 0);
        Asm.vmulps(Z(scale), Z(scale), raise);
        if (_layout.HasMinimums)
        {
            _reader.LoadScale(added, rdx, _layout.MinimumsOffset + (half * _layout.ScaleBytes), 2 * InterleavedLayout.Rows);
            Asm.vmulps(Z(added), Z(added), raise);
        }
        else
        {
            _kernel.Clear(added);
        }

        Asm.vfnmadd231ps(Z(added), Z(scale), _kernel.Each(BitConverter.SingleToUInt32Bits((1 << (23 - CodeShift)) + _layout.Offset)));
    }

    private void Weight(int target, int vector, int place, int scale, int added)
    {
        int shift = CodeShift - (8 * place);
        if (shift > 0) Asm.vpslld(Z(target), Z(vector), (byte)shift);
        else if (shift < 0) Asm.vpsrld(Z(target), Z(vector), (byte)-shift);
        else Asm.vmovaps(Z(target), Z(vector)); // costs no execution unit
        Asm.vpternlogd(Z(target), Z(CodeMask), Z(Power), KernelAssembler.AndOr);
        Asm.vfmadd213ps(Z(target), Z(scale), Z(added));
    }
}
