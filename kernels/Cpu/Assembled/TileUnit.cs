using Iced.Intel;
using Quern.Kernels.Cpu.Tiles;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// The words of the tile unit (AMX) in assembled kernels: eight tiles of sixteen rows of 64 bytes, and what is done with them. Where <see cref="Isa.TilesAreSimulated"/>, tiles lie in memory and each word is
/// written as AVX-512 instructions that do the same, so that kernels of tiles run, slowly, where there is no such unit: those spoil zmm16 to 23 and flags.
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 1, 18 (programming with AMX), and volume 2.
/// </summary>
/// <param name="kernel">The kernel.</param>
internal abstract class TileUnit(KernelAssembler kernel)
{
    protected Assembler Asm => Kernel.Asm;

    protected KernelAssembler Kernel { get; } = kernel;

    /// <summary>The words of this process.</summary>
    public static TileUnit Of(KernelAssembler kernel) => Isa.TilesAreSimulated ? new Simulated(kernel) : new Hardware(kernel);

    /// <summary>Takes the tiles: behind <see cref="KernelAssembler.Begin"/>. Uses rax.</summary>
    public abstract void Begin();

    /// <summary>Gives them back, so that nothing of them outlives the call: before <see cref="KernelAssembler.End"/>.</summary>
    public abstract void End();

    /// <summary>Sets a tile to zero.</summary>
    public abstract void Zero(int tile);

    /// <summary>Loads a tile.</summary>
    /// <param name="tile">Its number.</param>
    /// <param name="at">Where its first row is, with <paramref name="offset"/>.</param>
    /// <param name="offset">Bytes.</param>
    /// <param name="stride">Bytes from a row to the next one.</param>
    public abstract void Load(int tile, AssemblerRegister64 at, int offset, AssemblerRegister64 stride);

    /// <summary>Stores a tile; see <see cref="Load"/>.</summary>
    public abstract void Store(int tile, AssemblerRegister64 at, int offset, AssemblerRegister64 stride);

    /// <summary><c>sum[m, n] += Σ_k x[m, k] · w[k / 2, 2 n + k mod 2]</c> for 32 bfloat16 numbers k, in binary32.</summary>
    public abstract void MultiplyBrain(int sum, int x, int w);

    /// <summary><c>sum[m, n] += Σ_k x[m, k] · w[k / 4, 4 n + k mod 4]</c> for 64 signed bytes k, in 32-bit integers.</summary>
    public abstract void MultiplyBytes(int sum, int x, int w);

    /// <summary>The tile configuration: palette 1, eight tiles of sixteen rows of 64 bytes.</summary>
    public static byte[] Configuration()
    {
        byte[] bytes = new byte[64];
        bytes[0] = 1;
        for (int tile = 0; tile < 8; tile++) (bytes[16 + (2 * tile)], bytes[48 + tile]) = (64, 16);
        return bytes;
    }

    private sealed class Hardware(KernelAssembler kernel) : TileUnit(kernel)
    {
        private static readonly AssemblerRegisterTMM[] Tiles = [tmm0, tmm1, tmm2, tmm3, tmm4, tmm5, tmm6, tmm7];

        public override void Begin() => Asm.ldtilecfg(Kernel.Memory(Configuration()));

        public override void End() => Asm.tilerelease();

        public override void Zero(int tile) => Asm.tilezero(Tiles[tile]);

        public override void Load(int tile, AssemblerRegister64 at, int offset, AssemblerRegister64 stride) => Asm.tileloadd(Tiles[tile], __[at + (stride * 1) + offset]);

        public override void Store(int tile, AssemblerRegister64 at, int offset, AssemblerRegister64 stride) => Asm.tilestored(__[at + (stride * 1) + offset], Tiles[tile]);

        public override void MultiplyBrain(int sum, int x, int w) => Asm.tdpbf16ps(Tiles[sum], Tiles[x], Tiles[w]);

        public override void MultiplyBytes(int sum, int x, int w) => Asm.tdpbssd(Tiles[sum], Tiles[x], Tiles[w]);
    }

    // Tiles begin at rsp; what r13 to r15 held is behind them.
    private sealed class Simulated(KernelAssembler kernel) : TileUnit(kernel)
    {
        private const int Rows = TileLayout.Rows, RowBytes = 64, Saved = 8 * TileLayout.TileBytes, Page = 4096;
        private const int Sum = 16, Number = 17, Weights = 18, Product = 19, Other = 20, Constant = 21, Correction = 22;

        public override void Begin()
        {
            // Page by page: the system gives a stack its pages in order.
            Asm.mov(rax, rsp);
            for (int below = 0; below <= Saved; below += Page)
            {
                Asm.sub(rsp, Page);
                Asm.or(__qword_ptr[rsp], 0);
            }

            Asm.and(rsp, -64);
            Asm.mov(__qword_ptr[rsp + Saved], rax);
            Asm.mov(__qword_ptr[rsp + Saved + 8], r13);
            Asm.mov(__qword_ptr[rsp + Saved + 16], r14);
            Asm.mov(__qword_ptr[rsp + Saved + 24], r15);
        }

        public override void End()
        {
            Asm.mov(r13, __qword_ptr[rsp + Saved + 8]);
            Asm.mov(r14, __qword_ptr[rsp + Saved + 16]);
            Asm.mov(r15, __qword_ptr[rsp + Saved + 24]);
            Asm.mov(rsp, __qword_ptr[rsp + Saved]);
        }

        public override void Zero(int tile)
        {
            Kernel.Clear(Sum);
            for (int row = 0; row < Rows; row++) Asm.vmovaps(At(tile, row), Z(Sum));
        }

        public override void Load(int tile, AssemblerRegister64 at, int offset, AssemblerRegister64 stride) => Move(at, offset, stride, row =>
        {
            Asm.vmovups(Z(Sum), __zmmword_ptr[r13]);
            Asm.vmovaps(At(tile, row), Z(Sum));
        });

        public override void Store(int tile, AssemblerRegister64 at, int offset, AssemblerRegister64 stride) => Move(at, offset, stride, row =>
        {
            Asm.vmovaps(Z(Sum), At(tile, row));
            Asm.vmovups(__zmmword_ptr[r13], Z(Sum));
        });

        public override void MultiplyBrain(int sum, int x, int w)
        {
            Kernel.Fill(Constant, 0xffff0000);
            EachRow(sum, x, () =>
            {
                for (int pair = 0; pair < Rows; pair++)
                {
                    Asm.vpbroadcastd(Z(Number), __dword_ptr[r14 + (4 * pair)]);
                    Asm.vmovaps(Z(Weights), At(w, pair));
                    Asm.vpslld(Z(Product), Z(Number), 16);
                    Asm.vpslld(Z(Other), Z(Weights), 16);
                    Asm.vfmadd231ps(Z(Sum), Z(Product), Z(Other));
                    Asm.vpandd(Z(Number), Z(Number), Z(Constant));
                    Asm.vpandd(Z(Weights), Z(Weights), Z(Constant));
                    Asm.vfmadd231ps(Z(Sum), Z(Number), Z(Weights));
                }
            });
        }

        // VPDPBUSD takes one side unsigned: x + 128, less 128 × the sum of the weights.
        public override void MultiplyBytes(int sum, int x, int w)
        {
            Kernel.Fill(Constant, 0x80808080);
            Kernel.Clear(Correction);
            for (int four = 0; four < Rows; four++) Asm.vpdpbusd(Z(Correction), Z(Constant), At(w, four));
            EachRow(sum, x, () =>
            {
                for (int four = 0; four < Rows; four++)
                {
                    Asm.vpbroadcastd(Z(Number), __dword_ptr[r14 + (4 * four)]);
                    Asm.vpxord(Z(Number), Z(Number), Z(Constant));
                    Asm.vpdpbusd(Z(Sum), Z(Number), At(w, four));
                }

                Asm.vpsubd(Z(Sum), Z(Sum), Z(Correction));
            });
        }

        private void EachRow(int sum, int x, Action multiply)
        {
            Asm.lea(r13, __[rsp + (sum * TileLayout.TileBytes)]);
            Asm.lea(r14, __[rsp + (x * TileLayout.TileBytes)]);
            Asm.mov(r15, Rows);
            Kernel.Repeat(r15, () =>
            {
                Asm.vmovaps(Z(Sum), __zmmword_ptr[r13]);
                multiply();
                Asm.vmovaps(__zmmword_ptr[r13], Z(Sum));
                Asm.add(r13, RowBytes);
                Asm.add(r14, RowBytes);
            });
        }

        private void Move(AssemblerRegister64 at, int offset, AssemblerRegister64 stride, Action<int> move)
        {
            Asm.lea(r13, __[at + offset]);
            for (int row = 0; row < Rows; row++)
            {
                move(row);
                Asm.add(r13, stride);
            }
        }

        private static AssemblerMemoryOperand At(int tile, int row) => __zmmword_ptr[rsp + ((tile * TileLayout.TileBytes) + (row * RowBytes))];
    }
}
