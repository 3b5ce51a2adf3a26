using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Assembled;
using Quern.Kernels.Cpu.Memory;
using static Iced.Intel.AssemblerRegisters;

namespace Quern.Benchmarks.Limits;

/// <summary>
/// What this machine allows, measured with the team that kernels run on: bytes read from memory in huge pages, eight independent streams a thread (what ends a one-token
/// step), binary32 multiply-adds (what ends a prompt of floating-point weights), with AVX-512 VNNI byte products (what ends one of other weights) and with AMX products of bfloat16 tiles (what ends any).
/// </summary>
internal static unsafe class MachineLimits
{
    private const int Rounds = 7;
    private const long StreamBytes = 1L << 30;
    private static readonly Iced.Intel.AssemblerRegisterTMM[] Tiles = [tmm0, tmm1, tmm2, tmm3, tmm4, tmm5, tmm6, tmm7];
    private static byte* _streamed;

    /// <summary>Prints one JSON object: medians of seven rounds.</summary>
    public static int Print(int threads)
    {
        using ThreadTeam team = new(threads);
        double[] read = new double[Rounds], multiply = new double[Rounds], bytes = new double[Rounds], tiles = new double[Rounds];
        for (int i = 0; i < Rounds; i++)
        {
            read[i] = ReadBytesPerSecond(team) / 1e9;
            multiply[i] = MultiplyAddsPerSecond(team) / 1e9;
            if (HasByteProducts) bytes[i] = ByteProductsPerSecond(team) / 1e9;
            if (HasTiles) tiles[i] = TileProductsPerSecond(team) / 1e9;
        }

        foreach (double[] list in new[] { read, multiply, bytes, tiles }) Array.Sort(list);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{{\"isa\":\"{Isa.Tier}\",\"threads\":{threads},\"readGBs\":{read[Rounds / 2]:f1},\"readBestGBs\":{read[^1]:f1},\"fmaGflops\":{multiply[Rounds / 2]:f0},\"fmaBestGflops\":{multiply[^1]:f0},\"byteGops\":{bytes[Rounds / 2]:f0},\"tileGflops\":{tiles[Rounds / 2]:f0}}}"));
        return 0;
    }

    /// <summary>Whether there are assembled kernels with byte products.</summary>
    public static bool HasByteProducts { get; } = Isa.HasAvx512Vnni || Isa.HasAssembledAvx2;

    /// <summary>The instruction that multiplies bytes in this process.</summary>
    public static string ByteProduct => Isa.HasAvx512Vnni ? "VPDPBUSD" : Isa.HasAvxVnni ? "VPDPBUSD of 256 bits" : "VPMADDUBSW";

    /// <summary>Code that does nothing but 16,000 of them: <see cref="ByteProducts.CallOperations"/> a call.</summary>
    public static nint ByteProductLoop { get; } = HasByteProducts ? ExecutableMemory.Keep(WriteByteProducts()) : 0;

    // One that is simulated has no limit to look at.
    private static bool HasTiles => Isa.HasAmx && !Isa.TilesAreSimulated;

    /// <summary>Code that does nothing but 12,000 TDPBF16PS: <see cref="TileProducts.CallOperations"/> a call.</summary>
    public static nint TileProductLoop { get; } = HasTiles ? ExecutableMemory.Keep(WriteTileProducts()) : 0;

    /// <summary>One look at the streaming read rate, over memory that stays taken.</summary>
    public static double ReadBytesPerSecond(ThreadTeam team)
    {
        if (_streamed == null)
        {
            _streamed = (byte*)NativeMemory.AlignedAlloc((nuint)StreamBytes, 1 << 21);
            PageAdvice.Huge((nint)_streamed, StreamBytes);
            new Span<byte>(_streamed, (int)StreamBytes).Fill(1);
        }

        return StreamBytes / Seconds(() => team.Run(new ReadStreams(_streamed), ReadStreams.Chunks, 1));
    }

    /// <summary>One look at the rate of binary32 multiply-adds; each is two operations.</summary>
    public static double MultiplyAddsPerSecond(ThreadTeam team) => MultiplyAdds.Operations * 64 / Seconds(() => team.Run(new MultiplyAdds(), 64, 1));

    /// <summary>One look at the rate of byte products; a product and its addition are two operations.</summary>
    public static double ByteProductsPerSecond(ThreadTeam team) => ByteProducts.Operations * 64 / Seconds(() => team.Run(new ByteProducts(ByteProductLoop), 64, 1));

    /// <summary>One look at the rate of TDPBF16PS; a product and its addition are two operations.</summary>
    public static double TileProductsPerSecond(ThreadTeam team) => TileProducts.Operations * 64 / Seconds(() => team.Run(new TileProducts(TileProductLoop), 64, 1));

    /// <summary>One look at the rate of the best product instruction that kernels use on this machine.</summary>
    public static double BestProductsPerSecond(ThreadTeam team) =>
        HasTiles ? TileProductsPerSecond(team) : HasByteProducts ? ByteProductsPerSecond(team) : MultiplyAddsPerSecond(team);

    private static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private readonly struct ReadStreams(byte* memory) : ITeamJob
    {
        public const int Chunks = 64;
        private const long Stream = StreamBytes / Chunks / 8;
        private readonly byte* _memory = memory;

        public void Run(int from, int to, int worker)
        {
            Vector512<long> a = default, b = default, c = default, d = default;
            for (int i = from; i < to; i++)
            {
                byte* p = _memory + (i * 8 * Stream);
                for (long o = 0; o < Stream; o += 64)
                {
                    a ^= Vector512.Load((long*)(p + o)) ^ Vector512.Load((long*)(p + (4 * Stream) + o));
                    b ^= Vector512.Load((long*)(p + Stream + o)) ^ Vector512.Load((long*)(p + (5 * Stream) + o));
                    c ^= Vector512.Load((long*)(p + (2 * Stream) + o)) ^ Vector512.Load((long*)(p + (6 * Stream) + o));
                    d ^= Vector512.Load((long*)(p + (3 * Stream) + o)) ^ Vector512.Load((long*)(p + (7 * Stream) + o));
                }
            }

            if (Vector512.Sum(a ^ b ^ c ^ d) == 42) Console.Error.WriteLine("read");
        }
    }

    private static byte[] WriteByteProducts()
    {
        KernelAssembler kernel = new();
        kernel.Begin();
        kernel.Asm.mov(rcx, ByteProducts.Steps);
        kernel.Repeat(rcx, () =>
        {
            for (int i = 0; i < 16; i++)
            {
                if (Isa.HasAvx512Vnni) kernel.Asm.vpdpbusd(KernelAssembler.Z(i), KernelAssembler.Z(30), KernelAssembler.Z(31));
                else if (Isa.HasAvxVnni) kernel.Asm.vpdpbusd(KernelAssembler.Y(i % 14), KernelAssembler.Y(14), KernelAssembler.Y(15));
                else kernel.Asm.vpmaddubsw(KernelAssembler.Y(i % 14), KernelAssembler.Y(14), KernelAssembler.Y(15));
            }
        });
        kernel.End();
        return kernel.ToBytes();
    }

    /// <summary>Byte products with nothing else.</summary>
    public readonly struct ByteProducts(nint loop) : ITeamJob
    {
        /// <summary>Turns of the loop in a call.</summary>
        public const int Steps = 1000;

        /// <summary>Operations of a call: 16 instructions a turn, 64 or 32 products of each, a multiplication and an addition.</summary>
        public static double CallOperations => (double)Steps * 16 * (Isa.HasAvx512Vnni ? 64 : 32) * 2;

        private const int Calls = 100;
        private readonly nint _loop = loop;

        /// <summary>Operations of one item.</summary>
        public static double Operations => CallOperations * Calls;

        public void Run(int from, int to, int worker)
        {
            for (int i = from * Calls; i < to * Calls; i++) ((delegate* unmanaged<nint, void>)_loop)(0);
        }
    }

    // Six sums: a product takes 52 cycles, and the unit for 16 of them.
    private static byte[] WriteTileProducts()
    {
        KernelAssembler kernel = new();
        kernel.Begin();
        kernel.Asm.ldtilecfg(kernel.Memory(TileUnit.Configuration()));
        for (int i = 0; i < 8; i++) kernel.Asm.tilezero(Tiles[i]);
        kernel.Asm.mov(rcx, TileProducts.Steps);
        kernel.Repeat(rcx, () =>
        {
            for (int i = 0; i < 12; i++) kernel.Asm.tdpbf16ps(Tiles[i % 6], tmm6, tmm7);
        });
        kernel.Asm.tilerelease();
        kernel.End();
        return kernel.ToBytes();
    }

    /// <summary>Products of tiles with nothing else.</summary>
    public readonly struct TileProducts(nint loop) : ITeamJob
    {
        /// <summary>Turns of the loop in a call.</summary>
        public const int Steps = 1000;

        /// <summary>Operations of a call: 12 instructions a turn, 16 × 16 × 32 products of each, a multiplication and an addition.</summary>
        public const double CallOperations = (double)Steps * 12 * 16 * 16 * 32 * 2;

        private const int Calls = 20;
        private readonly nint _loop = loop;

        /// <summary>Operations of one item.</summary>
        public const double Operations = CallOperations * Calls;

        public void Run(int from, int to, int worker)
        {
            for (int i = from * Calls; i < to * Calls; i++) ((delegate* unmanaged<nint, void>)_loop)(0);
        }
    }

    private readonly struct MultiplyAdds : ITeamJob
    {
        private const int Steps = 1_000_000;

        /// <summary>Operations of one item: 8 accumulators of 16 values, a multiplication and an addition each.</summary>
        public const double Operations = (double)Steps * 8 * 16 * 2;

        public void Run(int from, int to, int worker)
        {
            Vector512<float> x = Vector512.Create(1.0001f), y = Vector512.Create(1e-9f);
            for (int item = from; item < to; item++)
            {
                Vector512<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y;
                for (int i = 0; i < Steps; i++)
                {
                    a = Vector512.FusedMultiplyAdd(a, x, y);
                    b = Vector512.FusedMultiplyAdd(b, x, y);
                    c = Vector512.FusedMultiplyAdd(c, x, y);
                    d = Vector512.FusedMultiplyAdd(d, x, y);
                    e = Vector512.FusedMultiplyAdd(e, x, y);
                    f = Vector512.FusedMultiplyAdd(f, x, y);
                    g = Vector512.FusedMultiplyAdd(g, x, y);
                    h = Vector512.FusedMultiplyAdd(h, x, y);
                }

                if (Vector512.Sum(a + b + c + d + e + f + g + h) == 42) Console.Error.WriteLine("multiplied");
            }
        }
    }
}
