using ILGPU;
using ILGPU.Algorithms;
using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>
/// What lanes, warps and groups have found of a row and of the heads that go together, put together: in shared memory what a group's lanes have, in the arena what groups have. The group that is the
/// last to be done, which a counter tells, reads what the others have found. Counters are 0 before a launch, and after it.
/// </summary>
internal readonly struct PartsOfRow(int firstHead, int heads, int together, int chunk, int split, long number)
{
    /// <summary>Most parts of a row.</summary>
    public const int MostSplits = 64;

    /// <summary>Values of shared memory: 32 of each lane.</summary>
    public const int FoundLength = 32 * ((PagedAttention.Warps * GpuDevice.WarpThreads) + Gap);

    /// <summary>Values of each part's maximums and totals.</summary>
    public const int StateLength = 8;

    // Lanes that write, and those that read, a value each then do not meet in a bank.
    private const int Gap = 4, Unrolled = 8;

    /// <summary>Writes eight values, some values apart.</summary>
    public static void Put(Float8 v, ArrayView<float> shared, int place, int apart)
    {
        shared[place] = v.V0;
        shared[place + apart] = v.V1;
        shared[place + (2 * apart)] = v.V2;
        shared[place + (3 * apart)] = v.V3;
        shared[place + (4 * apart)] = v.V4;
        shared[place + (5 * apart)] = v.V5;
        shared[place + (6 * apart)] = v.V6;
        shared[place + (7 * apart)] = v.V7;
    }

    /// <summary>Puts everything together; all threads of a group take part.</summary>
    public void Join(DeviceMemory memory, AttentionArguments a, ArrayView<float> found, HeadState s0, HeadState s1, HeadState s2, HeadState s3)
    {
        ArrayView<float> states = SharedMemory.Allocate<float>(StateLength * MostSplits), shares = SharedMemory.Allocate<float>(4 * MostSplits), most = SharedMemory.Allocate<float>(4);
        int wide = 1 << a.LaneBits, width = 8 * wide, apart = Group.DimX + Gap, own = Group.IdxX, count = Group.DimX >> a.LaneBits;
        // Warps have all their lanes where blocks are quantised: those behind the last values have these again.
        int all = heads * width, whole = (all + 127) & -128;
        Group.Barrier();
        Put(s0.Sum, found, own, apart);
        if (together > 1) Put(s1.Sum, found, own + (8 * apart), apart);
        if (together > 2) Put(s2.Sum, found, own + (16 * apart), apart);
        if (together > 2) Put(s3.Sum, found, own + (24 * apart), apart);
        if ((own & (wide - 1)) == 0)
        {
            int state = (own >> a.LaneBits) * StateLength;
            (states[state], states[state + 1], states[state + 2], states[state + 3]) = (s0.Most, s1.Most, s2.Most, s3.Most);
            (states[state + 4], states[state + 5], states[state + 6], states[state + 7]) = (s0.Total, s1.Total, s2.Total, s3.Total);
        }

        Group.Barrier();
        Share(states, shares, most, count);
        Group.Barrier();
        for (int value = 4 * own; value < whole; value += 4 * Group.DimX)
        {
            int i = IntrinsicMath.Min(value, all - 4), head = i >> (a.LaneBits + 3), place = (((8 * head) + (i & 4)) * apart) + ((i >> 3) & (wide - 1));
            FourSums sums = default;
            for (int part = 0; part < count; part += 2)
            {
                // A share behind the last part is 0.
                int next = IntrinsicMath.Min(part + 1, count - 1), at = place + (part << a.LaneBits), after = place + (next << a.LaneBits);
                float share = shares[(4 * part) + head], nextShare = shares[(4 * part) + 4 + head];
                sums.Total += (share * states[(part * StateLength) + 4 + head]) + (nextShare * states[(next * StateLength) + 4 + head]);
                sums.V0 += (share * found[at]) + (nextShare * found[after]);
                sums.V1 += (share * found[at + apart]) + (nextShare * found[after + apart]);
                sums.V2 += (share * found[at + (2 * apart)]) + (nextShare * found[after + (2 * apart)]);
                sums.V3 += (share * found[at + (3 * apart)]) + (nextShare * found[after + (3 * apart)]);
            }

            if (a.Splits == 1) Store(memory, a, head, i & (width - 1), most[head], sums, value < all);
            else Keep(memory, a, head, i, width, most[head], sums);
        }

        if (a.Splits == 1) return;
        ArrayView<int> arrived = SharedMemory.Allocate<int>(1);
        Group.Barrier();
        if (own == 0)
        {
            MemoryFence.DeviceLevel();
            arrived[0] = Atomic.Add(ref memory.Ints[(a.Arrived >> 2) + number], 1);
            MemoryFence.DeviceLevel();
        }

        Group.Barrier();
        if (arrived[0] != a.Splits - 1) return;
        if (own == 0) memory.Ints[(a.Arrived >> 2) + number] = 0;
        for (int i = own; i < StateLength * a.Splits; i += Group.DimX) states[i] = memory.Floats[(a.States >> 2) + (number * a.Splits * StateLength) + i];
        Group.Barrier();
        Share(states, shares, most, a.Splits);
        Group.Barrier();
        ArrayView<Uint4> parts = memory.Bytes.Cast<Uint4>();
        long first = (a.Parts >> 4) + (number * a.Splits * (together * width / 4)), each = together * width / 4;
        for (int value = 4 * own; value < whole; value += 4 * Group.DimX)
        {
            int i = IntrinsicMath.Min(value, all - 4), head = i >> (a.LaneBits + 3), end = a.Splits - 1;
            long place = first + (i >> 2);
            FourSums sums = default;
            for (int part = 0; part < a.Splits; part += Unrolled)
            {
                Uint4 p0 = parts[place + (part * each)], p1 = parts[place + (IntrinsicMath.Min(part + 1, end) * each)];
                Uint4 p2 = parts[place + (IntrinsicMath.Min(part + 2, end) * each)], p3 = parts[place + (IntrinsicMath.Min(part + 3, end) * each)];
                Uint4 p4 = parts[place + (IntrinsicMath.Min(part + 4, end) * each)], p5 = parts[place + (IntrinsicMath.Min(part + 5, end) * each)];
                Uint4 p6 = parts[place + (IntrinsicMath.Min(part + 6, end) * each)], p7 = parts[place + (IntrinsicMath.Min(part + 7, end) * each)];
                int share = (4 * part) + head;
                sums.Add(shares[share], p0, states[(part * StateLength) + 4 + head]);
                sums.Add(shares[share + 4], p1, states[(IntrinsicMath.Min(part + 1, end) * StateLength) + 4 + head]);
                sums.Add(shares[share + 8], p2, states[(IntrinsicMath.Min(part + 2, end) * StateLength) + 4 + head]);
                sums.Add(shares[share + 12], p3, states[(IntrinsicMath.Min(part + 3, end) * StateLength) + 4 + head]);
                sums.Add(shares[share + 16], p4, states[(IntrinsicMath.Min(part + 4, end) * StateLength) + 4 + head]);
                sums.Add(shares[share + 20], p5, states[(IntrinsicMath.Min(part + 5, end) * StateLength) + 4 + head]);
                sums.Add(shares[share + 24], p6, states[(IntrinsicMath.Min(part + 6, end) * StateLength) + 4 + head]);
                sums.Add(shares[share + 28], p7, states[(IntrinsicMath.Min(part + 7, end) * StateLength) + 4 + head]);
            }

            Store(memory, a, head, i & (width - 1), most[head], sums, value < all);
        }
    }

    // The largest score of each head, and what each part's sums have to be multiplied with; 0 behind the last part, up to a multiple of eight.
    private static void Share(ArrayView<float> states, ArrayView<float> shares, ArrayView<float> most, int count)
    {
        for (int i = Group.IdxX; i < 4 * ((count + Unrolled - 1) & -Unrolled); i += Group.DimX)
        {
            int head = i & 3, part = i >> 2, end = count - 1;
            float largest = HeadState.Nothing;
            for (int p = 0; p < count; p += Unrolled)
            {
                float m0 = states[(p * StateLength) + head], m1 = states[(IntrinsicMath.Min(p + 1, end) * StateLength) + head];
                float m2 = states[(IntrinsicMath.Min(p + 2, end) * StateLength) + head], m3 = states[(IntrinsicMath.Min(p + 3, end) * StateLength) + head];
                float m4 = states[(IntrinsicMath.Min(p + 4, end) * StateLength) + head], m5 = states[(IntrinsicMath.Min(p + 5, end) * StateLength) + head];
                float m6 = states[(IntrinsicMath.Min(p + 6, end) * StateLength) + head], m7 = states[(IntrinsicMath.Min(p + 7, end) * StateLength) + head];
                m0 = IntrinsicMath.Max(IntrinsicMath.Max(m0, m1), IntrinsicMath.Max(m2, m3));
                m4 = IntrinsicMath.Max(IntrinsicMath.Max(m4, m5), IntrinsicMath.Max(m6, m7));
                largest = IntrinsicMath.Max(largest, IntrinsicMath.Max(m0, m4));
            }

            shares[i] = part <= end ? XMath.Exp(states[(IntrinsicMath.Min(part, end) * StateLength) + head] - largest) : 0f;
            if (part == 0) most[head] = largest;
        }
    }

    // Leaves four values of the group for the one that is done last.
    private void Keep(DeviceMemory memory, AttentionArguments a, int head, int i, int width, float most, FourSums sums)
    {
        long part = (number * a.Splits) + split;
        memory.Bytes.Cast<Uint4>()[(a.Parts >> 4) + (part * (together * width / 4)) + (i >> 2)] = sums.Bits;
        if ((i & (width - 1)) != 0) return;
        long state = (a.States >> 2) + (part * StateLength) + head;
        memory.Floats[state] = most;
        memory.Floats[state + 4] = sums.Total;
    }

    // Divides by the sum of all weights, and a sink's; where asked, quantises besides.
    private void Store(DeviceMemory memory, AttentionArguments a, int head, int place, float most, FourSums sums, bool isOwn)
    {
        int col = (chunk * 8 * PagedAttention.WarpPieces) + place, count = a.Values.Length - col;
        float factor = 1f, total = sums.Total;
        if (a.Sinks >= 0)
        {
            float sink = memory.Floats[(a.Sinks >> 2) + firstHead + head], both = IntrinsicMath.Max(most, sink);
            factor = XMath.Exp(most - both);
            total = (total * factor) + XMath.Exp(sink - both);
        }

        factor /= total;
        long y = a.Y.Row(Grid.IdxY) + ((long)(firstHead + head) * a.Values.Length) + col;
        float v0 = sums.V0 * factor, v1 = sums.V1 * factor, v2 = sums.V2 * factor, v3 = sums.V3 * factor;
        if (count > 0) memory.Floats[y] = v0;
        if (count > 1) memory.Floats[y + 1] = v1;
        if (count > 2) memory.Floats[y + 2] = v2;
        if (count > 3) memory.Floats[y + 3] = v3;
        if (a.Bytes.Are != 0) QuantiseActivations.Four(memory, a.Bytes, ((long)Grid.IdxY * a.Y.Cols) + ((firstHead + head) * a.Values.Length) + col, v0, v1, v2, v3, count > 0 && isOwn);
    }

    /// <summary>Four neighbouring values of a head, and the sum of its weights.</summary>
    private struct FourSums
    {
        public float V0;
        public float V1;
        public float V2;
        public float V3;
        public float Total;

        public readonly Uint4 Bits => new() { X = Interop.FloatAsInt(V0), Y = Interop.FloatAsInt(V1), Z = Interop.FloatAsInt(V2), W = Interop.FloatAsInt(V3) };

        public void Add(float share, Uint4 part, float total)
        {
            V0 += share * Interop.IntAsFloat(part.X);
            V1 += share * Interop.IntAsFloat(part.Y);
            V2 += share * Interop.IntAsFloat(part.Z);
            V3 += share * Interop.IntAsFloat(part.W);
            Total += share * total;
        }
    }
}
