using ILGPU;
using ILGPU.Runtime.Cuda;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.MatMul;

/// <summary>What all products through rings share.</summary>
internal static class RingGemv
{
    /// <summary>Warps of a group.</summary>
    public const int Warps = 8;

    /// <summary>Groups that a multiprocessor of Hopper holds at once, by their shared memory.</summary>
    public const int GroupsOfMultiprocessor = 2;

    /// <summary>Pieces of a slice: two for each lane.</summary>
    public const int Slice = 64;

    /// <summary>Bytes of a warp's ring: from three slices of two rows (Q8_0) to six.</summary>
    public const int RingBytes = 13440;

    private const int MostStages = 6;

    /// <summary>Bytes that two rows of a slice have in shared memory.</summary>
    public static int StageBytes(BlockPlanes planes) => 2 * (1024 + planes.High + planes.Scales + planes.Super);

    /// <summary>Slices of two rows in a ring: one in hand, the others under way.</summary>
    public static int Stages(BlockPlanes planes) => IntrinsicMath.Min(RingBytes / StageBytes(planes), MostStages);

    /// <summary>The stage behind one, both as bytes from the beginning of the ring.</summary>
    public static uint Next(BlockPlanes planes, uint stage) => stage == (uint)((Stages(planes) - 1) * StageBytes(planes)) ? 0 : stage + (uint)StageBytes(planes);

    /// <summary>Names the shared memory of a group; once, first.</summary>
    /// <returns>Its address, a multiple of 128.</returns>
    public static uint Declare()
    {
        CudaAsm.Emit(".shared .align 128 .b8 rings[107520];");
        CudaAsm.Emit("mov.u32 %0, rings;", out uint address);
        return address;
    }

    /// <summary>Closes a batch of copies.</summary>
    public static void EndCopies() => CudaAsm.Emit("cp.async.commit_group;");

    /// <summary>Waits until of the batches of this thread only the newest ones are under way.</summary>
    /// <param name="newest">Their number: 1 to 4.</param>
    public static void WaitForCopies(int newest)
    {
        if (newest == 1) CudaAsm.Emit("cp.async.wait_group 1;");
        else if (newest == 2) CudaAsm.Emit("cp.async.wait_group 2;");
        else if (newest == 3) CudaAsm.Emit("cp.async.wait_group 3;");
        else CudaAsm.Emit("cp.async.wait_group 4;");
    }
}

/// <summary>Where a warp is with its copies, and from where a lane takes the next ones.</summary>
internal struct RingPlace
{
    /// <summary>The pair of rows, counted over all products.</summary>
    public int Unit;

    /// <summary>Pieces of these rows that are left to copy.</summary>
    public int Left;

    /// <summary>The first of them in its product, and how many rows that has.</summary>
    public int Row;
    public int Rows;

    /// <summary>Bytes from the beginning of the ring to the stage that the next slice goes to.</summary>
    public uint Stage;
    public ulong Quants0;
    public ulong Quants1;
    public ulong High0;
    public ulong High1;
    public ulong Scales;
    public ulong Super;
}

/// <summary>
/// <c>y = x Wᵀ + bias</c> for one token on a Hopper card: <see cref="TokenGemv{TRow}"/> of a block format with weights that are copied to shared memory ahead. A warp has a ring of its own there, computes two
/// rows, then those that all warps of the launch are further, and always has some slices of 64 pieces under way, from before the kernels before are done: nothing waits for memory but the
/// first slice. Grid: (as many groups as the card holds at once). Only on such a card.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, section 9.7.9.25 (cp.async).
/// </summary>
internal static class RingGemv<T>
    where T : unmanaged, IBlockFormat
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Activations of one head, products.</param>
    [JoinsPieces]
    [MostRegisters(128)]
    public static void Kernel(DeviceMemory memory, GemvArguments a)
    {
        if (!CudaAsm.IsSupported) return;
        BlockRow<T> row = default;
        int lane = Group.IdxX & 31, stages = RingGemv.Stages(default(T).Planes), pieces = row.Pieces(a.First.Weights), warps = Grid.DimX * RingGemv.Warps;
        int units = a.First.Units(TokensGemv.Rows) + a.Second.Units(TokensGemv.Rows) + a.Third.Units(TokensGemv.Rows);
        uint ring = RingGemv.Declare() + (uint)((Group.IdxX >> 5) * RingGemv.RingBytes), stage = 0;
        int unit = Lane.Pin((Grid.IdxX * RingGemv.Warps) + (Group.IdxX >> 5)), ahead = 1 - stages, first = 0;
        RingPlace next = new() { Unit = unit };
        ActivationAddress x = row.Activations(memory, a, 0, pieces);
        float s0 = 0, s1 = 0;

        // The first times around only fill the ring: one text for both, since a kernel's instructions are read from memory too.
        while (unit < units)
        {
            if (ahead == 0) Lane.WaitForKernelsBefore();
            if (ahead >= 0)
            {
                RingGemv.WaitForCopies(stages - 2);

                // Every lane's copies are there, and what was read last is free.
                Lane.Barrier();
            }

            Copy(memory, a, ring, units, pieces, lane, warps, ref next);
            ahead++;
            if (ahead <= 0) continue;

            // What is read behind the end of a row is not used.
            GemvActivations x0 = row.Read(memory, x, first + lane, 0), x1 = row.Read(memory, x, first + lane, 1);
            SliceRow r0 = At(ring + stage, 0), r1 = At(ring + stage, 1);
            stage = RingGemv.Next(default(T).Planes, stage);
            TokenGemv.Add(ref s0, ref s1, row, default(T).Read(r0, lane), default(T).Read(r1, lane), x0, first + lane < pieces);
            TokenGemv.Add(ref s0, ref s1, row, default(T).Read(r0, lane + 32), default(T).Read(r1, lane + 32), x1, first + lane + 32 < pieces);
            first += RingGemv.Slice;
            if (first < pieces) continue;
            TokenGemv.Store(memory, a.Find(unit, TokensGemv.Rows), lane, s0, s1);
            unit += warps;
            (s0, s1, first) = (0, 0, 0);
        }
    }

    /// <summary>Starts the copy of a slice of two rows, if one is left, and goes on to the next one.</summary>
    private static void Copy(DeviceMemory memory, GemvArguments a, uint ring, int units, int pieces, int lane, int warps, ref RingPlace next)
    {
        BlockPlanes planes = default(T).Planes;
        if (next.Unit < units)
        {
            if (next.Left <= 0)
            {
                next.Row += TokensGemv.Rows * warps;
                if (next.Row + 1 < next.Rows) GoOn(a.First.Weights, warps, ref next);
                else Find(memory, a, lane, ref next);
                next.Left = pieces;
            }

            uint place = ring + next.Stage;
            CopyLanes(place, next.Quants0, next.Left, lane, 1024);
            CopyLanes(place + 1024, next.Quants1, next.Left, lane, 1024);
            (next.Quants0, next.Quants1) = (next.Quants0 + 1024, next.Quants1 + 1024);
            place += 2048;
            if (planes.High > 256)
            {
                CopyLanes(place, next.High0, next.Left, lane, planes.High);
                CopyLanes(place + (uint)planes.High, next.High1, next.Left, lane, planes.High);
                (next.High0, next.High1) = (next.High0 + (uint)planes.High, next.High1 + (uint)planes.High);
            }
            else
            {
                next.High0 = CopyHalves(place, next.High0, next.Left, lane, planes.High);
            }

            place += 2 * (uint)planes.High;
            next.Scales = CopyHalves(place, next.Scales, next.Left, lane, planes.Scales);
            next.Super = CopyHalves(place + (2 * (uint)planes.Scales), next.Super, next.Left, lane, planes.Super);
            next.Left -= RingGemv.Slice;
            if (next.Left <= 0) next.Unit += warps;
        }

        next.Stage = RingGemv.Next(planes, next.Stage);
        RingGemv.EndCopies();
    }

    // The rows of a unit: the second one is the first again where there is none.
    private static void Find(DeviceMemory memory, GemvArguments a, int lane, ref RingPlace next)
    {
        GemvPlace place = a.Find(next.Unit, TokensGemv.Rows);
        DeviceWeights w = place.Part.Weights;
        long first = place.Part.FirstRow + place.Row, second = place.Row + 1 < w.Rows ? first + 1 : first;
        RowAddress row0 = RowAddress.Of<T>(memory, w, first), row1 = RowAddress.Of<T>(memory, w, second);
        (next.Row, next.Rows) = (place.Row, w.Rows);
        ulong own = (uint)lane * 16UL, half = (uint)(lane & 15) * 16UL;
        (next.Quants0, next.Quants1) = (row0.Quants + own, row1.Quants + own);
        (next.High0, next.High1) = default(T).Planes.High > 256 ? (row0.High + own, row1.High + own) : ((lane < 16 ? row0.High : row1.High) + half, 0);
        next.Scales = (lane < 16 ? row0.Scales : row1.Scales) + half;
        next.Super = (lane < 16 ? row0.Super : row1.Super) + half;
    }

    // From behind the last slice of a pair of rows to a later pair of the same product; all products have rows of the same length.
    private static void GoOn(DeviceWeights w, int warps, ref RingPlace next)
    {
        BlockPlanes planes = default(T).Planes;
        int rows = TokensGemv.Rows * warps, slices = (w.Blocks + RingGemv.Slice - 1) / RingGemv.Slice;
        ulong quants = (ulong)(((long)rows * w.Blocks * 16) - (slices * 1024)), high = Jump(w, rows, slices, planes.High);
        (next.Quants0, next.Quants1) = (next.Quants0 + quants, next.Quants1 + quants);
        (next.High0, next.High1) = (next.High0 + high, next.High1 + high);
        (next.Scales, next.Super) = (next.Scales + Jump(w, rows, slices, planes.Scales), next.Super + Jump(w, rows, slices, planes.Super));
    }

    // Backwards where rows are short.
    private static ulong Jump(DeviceWeights w, int rows, int slices, int bytes) => (ulong)(((long)rows * BlockPlanes.RowBytes(w.Blocks, bytes)) - (slices * bytes));

    /// <summary>A row's bytes of a slice, 16 a lane and copy.</summary>
    private static void CopyLanes(uint place, ulong from, int left, int lane, int bytes)
    {
        int own = lane * 16, end = (int)((uint)(left * bytes) / RingGemv.Slice);
        place += (uint)own;
        if (own < end) Lane.CopyLater(place, from);
        if (bytes > 512 && own + 512 < end) Lane.CopyLater(place + 512, from + 512);
    }

    /// <summary>Two rows' bytes of a small plane: half of the lanes for each.</summary>
    /// <returns>Where the next slice is.</returns>
    private static ulong CopyHalves(uint place, ulong from, int left, int lane, int bytes)
    {
        if (bytes == 0) return from;
        int own = (lane & 15) * 16;
        if (own < IntrinsicMath.Min((int)((uint)(left * bytes) / RingGemv.Slice), bytes)) Lane.CopyLater(place + (uint)(((lane >> 4) * bytes) + own), from);
        return from + (uint)bytes;
    }

    private static SliceRow At(uint stage, int row)
    {
        BlockPlanes planes = default(T).Planes;
        return new SliceRow
        {
            Quants = stage + (uint)(row * 1024),
            High = stage + 2048 + (uint)(row * planes.High),
            Scales = stage + 2048 + (uint)((2 * planes.High) + (row * planes.Scales)),
            Super = stage + 2048 + (uint)((2 * (planes.High + planes.Scales)) + (row * planes.Super)),
        };
    }
}
