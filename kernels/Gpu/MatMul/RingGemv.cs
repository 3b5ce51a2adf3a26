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

/// <summary>Where a warp is with its copies.</summary>
internal struct RingPlace
{
    /// <summary>The pair of rows, counted over all products.</summary>
    public int Unit;

    /// <summary>The next slice of them.</summary>
    public int Slice;

    /// <summary>The stage that it goes to.</summary>
    public int Stage;
    public RowAddress Row0;
    public RowAddress Row1;
}

/// <summary>
/// <c>y = x Wᵀ + bias</c> for one token on a Hopper card: <see cref="TokenGemv{TRow}"/> with weights that are copied to shared memory ahead. A warp has a ring of its own there, computes two
/// rows, then those that all warps of the launch are further, and always has some slices of 64 pieces under way, from before the kernels before are done: nothing waits for memory but the
/// first slice. Grid: (as many groups as the card holds at once). Only on such a card.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, section 9.7.9.25 (cp.async).
/// </summary>
internal static class RingGemv<TRow>
    where TRow : unmanaged, IGemvRow
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">Activations of one head, products.</param>
    [JoinsPieces]
    [MostRegisters(128)]
    public static void Kernel(DeviceMemory memory, GemvArguments a)
    {
        if (!CudaAsm.IsSupported) return;
        TRow row = default;
        int lane = Group.IdxX & 31, stages = RingGemv.Stages(row.Planes), pieces = row.Pieces(a.First.Weights);
        int units = a.First.Units(TokensGemv.Rows) + a.Second.Units(TokensGemv.Rows) + a.Third.Units(TokensGemv.Rows);
        uint ring = RingGemv.Declare() + (uint)((Group.IdxX >> 5) * RingGemv.RingBytes);
        RingPlace next = new() { Unit = Lane.Pin((Grid.IdxX * RingGemv.Warps) + (Group.IdxX >> 5)) };
        int unit = next.Unit, stage = 0;
        Find(memory, a, units, ref next);
        for (int i = 1; i < stages; i++) Copy(memory, a, ring, units, pieces, lane, ref next);
        Lane.WaitForKernelsBefore();
        ActivationAddress x = row.Activations(memory, a, 0, pieces);
        while (unit < units)
        {
            float s0 = 0, s1 = 0;
            for (int first = 0; first < pieces; first += RingGemv.Slice)
            {
                // What is read behind the end of a row is not used.
                GemvActivations x0 = row.Read(memory, x, first + lane, 0), x1 = row.Read(memory, x, first + lane, 1);
                RingGemv.WaitForCopies(stages - 2);

                // Every lane's copies are there, and what was read last is free.
                Warp.Barrier();
                Copy(memory, a, ring, units, pieces, lane, ref next);
                uint place = ring + (uint)(stage * RingGemv.StageBytes(row.Planes));
                stage = stage == stages - 1 ? 0 : stage + 1;
                SliceRow r0 = At(place, 0), r1 = At(place, 1);
                Add(ref s0, ref s1, row, row.Read(r0, lane), row.Read(r1, lane), x0, first + lane < pieces);
                Add(ref s0, ref s1, row, row.Read(r0, lane + 32), row.Read(r1, lane + 32), x1, first + lane + 32 < pieces);
            }

            Store(memory, a.Find(unit, TokensGemv.Rows), lane, s0, s1);
            unit += Grid.DimX * RingGemv.Warps;
        }
    }

    // The rows of a unit: the second one is the first again where there is none.
    private static void Find(DeviceMemory memory, GemvArguments a, int units, ref RingPlace next)
    {
        if (next.Unit >= units) return;
        GemvPlace place = a.Find(next.Unit, TokensGemv.Rows);
        DeviceWeights w = place.Part.Weights;
        long first = place.Part.FirstRow + place.Row, second = place.Row + 1 < w.Rows ? first + 1 : first;
        (next.Row0, next.Row1) = (default(TRow).At(memory, w, first), default(TRow).At(memory, w, second));
    }

    /// <summary>Starts the copy of a slice of two rows, if one is left, and goes on to the next one.</summary>
    private static void Copy(DeviceMemory memory, GemvArguments a, uint ring, int units, int pieces, int lane, ref RingPlace next)
    {
        BlockPlanes planes = default(TRow).Planes;
        if (next.Unit < units)
        {
            int left = pieces - (next.Slice * RingGemv.Slice);
            uint place = ring + (uint)(next.Stage * RingGemv.StageBytes(planes));
            CopyPlane(place, next.Row0.Quants, next.Row1.Quants, next.Slice, left, lane, 1024);
            CopyPlane(place + 2048, next.Row0.High, next.Row1.High, next.Slice, left, lane, planes.High);
            CopyPlane(place + 2048 + (2 * (uint)planes.High), next.Row0.Scales, next.Row1.Scales, next.Slice, left, lane, planes.Scales);
            CopyPlane(place + 2048 + (2 * (uint)(planes.High + planes.Scales)), next.Row0.Super, next.Row1.Super, next.Slice, left, lane, planes.Super);
            next.Slice++;
            if (next.Slice * RingGemv.Slice >= pieces)
            {
                next.Slice = 0;
                next.Unit += Grid.DimX * RingGemv.Warps;
                Find(memory, a, units, ref next);
            }
        }

        next.Stage = next.Stage == RingGemv.Stages(planes) - 1 ? 0 : next.Stage + 1;
        RingGemv.EndCopies();
    }

    /// <summary>A plane's bytes of a slice, row behind row: 16 bytes a lane and copy, of small planes half of the lanes for each row.</summary>
    private static void CopyPlane(uint place, ulong row0, ulong row1, int slice, int left, int lane, int bytes)
    {
        if (bytes == 0) return;
        uint start = (uint)(slice * bytes);
        if (bytes <= 256)
        {
            int at = (lane & 15) * 16;
            if (at < bytes && at * RingGemv.Slice < left * bytes) Lane.CopyLater(place + (uint)(((lane >> 4) * bytes) + at), (lane < 16 ? row0 : row1) + start + (uint)at);
            return;
        }

        CopyLane(place, row0 + start, left * bytes, lane, bytes);
        CopyLane(place + (uint)bytes, row1 + start, left * bytes, lane, bytes);
    }

    private static void CopyLane(uint place, ulong row, int left, int lane, int bytes)
    {
        int at = lane * 16;
        if (at * RingGemv.Slice < left) Lane.CopyLater(place + (uint)at, row + (uint)at);
        if (bytes > 512 && (at + 512) * RingGemv.Slice < left) Lane.CopyLater(place + (uint)at + 512, row + (uint)at + 512);
    }

    private static SliceRow At(uint stage, int row)
    {
        BlockPlanes planes = default(TRow).Planes;
        return new SliceRow
        {
            Quants = stage + (uint)(row * 1024),
            High = stage + 2048 + (uint)(row * planes.High),
            Scales = stage + 2048 + (uint)((2 * planes.High) + (row * planes.Scales)),
            Super = stage + 2048 + (uint)((2 * (planes.High + planes.Scales)) + (row * planes.Super)),
        };
    }

    // A piece of both rows, if they have it. It is multiplied all the same: with branches between them products would not be mixed.
    private static void Add(ref float s0, ref float s1, TRow row, RawBlock w0, RawBlock w1, GemvActivations x, bool isPiece)
    {
        float first = row.Dot(w0, x), second = row.Dot(w1, x), factor = row.Factor(x);
        s0 = isPiece ? s0 + (factor * first) : s0;
        s1 = isPiece ? s1 + (factor * second) : s1;
    }

    // Half of the lanes go on with one row each: lane 0 writes the first and lane 16 the second.
    private static void Store(DeviceMemory memory, GemvPlace place, int lane, float s0, float s1)
    {
        bool isUpper = (lane & 16) != 0;
        float sum = (isUpper ? s1 : s0) + Warp.ShuffleXor(isUpper ? s0 : s1, 16);
        sum += Warp.ShuffleXor(sum, 8);
        sum += Warp.ShuffleXor(sum, 4);
        sum += Warp.ShuffleXor(sum, 2);
        sum += Warp.ShuffleXor(sum, 1);
        int mine = place.Row + (lane >> 4);
        if ((lane & 15) != 0 || mine >= place.Part.Weights.Rows) return;
        if (place.Part.Bias >= 0) sum += memory.Floats[(place.Part.Bias >> 2) + mine];
        memory.Floats[place.Part.Y.Row(0) + mine] = sum;
    }
}
