using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu.Tests.Machine;

/// <summary>Instructions of a warp. Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, sections 9.7.9.5 (shfl), 9.7.12.2 (vote), 9.7.14.4.8 (fragments of m16n8k16), 9.7.14.4.15 (ldmatrix) and 9.7.15 (wgmma).</summary>
internal sealed unsafe partial class PtxMachine
{
    private void RunTogether(MachineThread[] warp, Instruction i)
    {
        if (i.Head == "shfl") Shuffle(warp, i);
        else if (i.Head == "vote") Vote(warp, i);
        else if (i.Head == "mma") Multiply(warp, i);
        else if (i.Head == "ldmatrix") LoadMatrices(warp, i);
        else if (i.Head == "wgmma" && i.Name[1] == "mma_async") MultiplyTokens(warp, i);
    }

    // A warp's 16 rows of the product of a warpgroup: weights from registers, [n, 16] in shared memory as a descriptor says, n rows of 128 bytes whose 16 bytes are exchanged by address.
    private void MultiplyTokens(MachineThread[] warp, Instruction i)
    {
        Assert.Equal("k16", i.Name[4][i.Name[4].IndexOf('k')..]);
        int n = int.Parse(i.Name[4].AsSpan(4, i.Name[4].IndexOf('k') - 4), System.Globalization.CultureInfo.InvariantCulture);
        bool isBrain = i.Name.Contains("bf16");
        ulong descriptor = Value(warp[0], i.Operands[2]);
        Assert.All(warp, thread => Assert.Equal(descriptor, Value(thread, i.Operands[2])));
        Assert.Equal(1UL, descriptor >> 62);
        Assert.Equal(0UL, (descriptor >> 49) & 7);
        uint start = (uint)(descriptor & 0x3fff) << 4, stride = (uint)((descriptor >> 32) & 0x3fff) << 4;
        float[,] a = new float[16, 16], b = new float[16, n];
        for (int lane = 0; lane < 32; lane++)
            for (int r = 0; r < 4; r++)
            {
                uint pair = (uint)Value(warp[lane], i.Operands[1].Parts![r]);
                (int row, int col) = ((lane / 4) + (8 * (r % 2)), (2 * (lane % 4)) + (8 * (r / 2)));
                (a[row, col], a[row, col + 1]) = (Widen(isBrain, pair), Widen(isBrain, pair >> 16));
            }

        for (int col = 0; col < n; col++)
            for (int k = 0; k < 16; k++)
            {
                uint place = start + ((uint)(col / 8) * stride) + ((uint)(col % 8) * 128) + (uint)(2 * k);
                place ^= ((place >> 7) & 7) << 4;
                b[k, col] = Widen(isBrain, *(ushort*)Pinned(_shared, place, 2));
            }

        Operand[] sums = i.Operands[0].Parts!;
        Assert.Equal(n / 2, sums.Length);
        bool adds = Value(warp[0], i.Operands[3]) != 0;
        for (int lane = 0; lane < 32; lane++)
            for (int r = 0; r < sums.Length; r++)
            {
                (int row, int col) = ((lane / 4) + (8 * (r / 2 % 2)), (8 * (r / 4)) + (2 * (lane % 4)) + (r % 2));
                float sum = adds ? Single(Value(warp[lane], sums[r])) : 0;
                for (int k = 0; k < 16; k++) sum += a[row, k] * b[k, col];
                warp[lane].Registers[sums[r].Register] = BitConverter.SingleToUInt32Bits(sum);
            }
    }

    private void Vote(MachineThread[] warp, Instruction i)
    {
        Assert.Equal("ballot", i.Name[2]);
        uint votes = 0;
        for (int lane = 0; lane < 32; lane++) votes |= Value(warp[lane], i.Operands[1]) != 0 ? 1u << lane : 0;
        foreach (MachineThread thread in warp) thread.Registers[i.Operands[0].Register] = votes;
    }

    private void Shuffle(MachineThread[] warp, Instruction i)
    {
        ulong[] values = [.. warp.Select(thread => Value(thread, i.Operands[1]))];
        for (int lane = 0; lane < 32; lane++)
        {
            int other = (int)Value(warp[lane], i.Operands[2]), source = i.Name[2] switch { "bfly" => lane ^ other, "idx" => other & 31, "down" => lane + other, _ => lane - other };
            warp[lane].Registers[i.Operands[0].Register] = values[source is >= 0 and < 32 ? source : lane];
        }
    }

    // Lane 8 j + r has the address of row r of matrix j; it gets two elements of row lane / 4 of each, or of column lane / 4.
    private void LoadMatrices(MachineThread[] warp, Instruction i)
    {
        Operand[] targets = i.Operands[0].Parts!;
        ushort[,] rows = new ushort[8 * targets.Length, 8];
        for (int row = 0; row < 8 * targets.Length; row++)
        {
            ushort* place = (ushort*)At(warp[row], i.Operands[1], true, 16);
            for (int col = 0; col < 8; col++) rows[row, col] = place[col];
        }

        for (int lane = 0; lane < 32; lane++)
        {
            for (int j = 0; j < targets.Length; j++)
            {
                (int line, int pair) = (lane / 4, 2 * (lane % 4));
                uint value = i.Name.Contains("trans")
                    ? rows[(8 * j) + pair, line] | ((uint)rows[(8 * j) + pair + 1, line] << 16)
                    : rows[(8 * j) + line, pair] | ((uint)rows[(8 * j) + line, pair + 1] << 16);
                warp[lane].Registers[targets[j].Register] = value;
            }
        }
    }

    private void Multiply(MachineThread[] warp, Instruction i)
    {
        bool isBrain = i.Name.Contains("bf16");
        float[,] a = new float[16, 16], b = new float[16, 8];
        for (int lane = 0; lane < 32; lane++)
        {
            (int g, int t) = (lane / 4, 2 * (lane % 4));
            for (int r = 0; r < 4; r++)
            {
                uint pair = (uint)Value(warp[lane], i.Operands[1].Parts![r]);
                (int row, int col) = (g + (8 * (r % 2)), t + (8 * (r / 2)));
                (a[row, col], a[row, col + 1]) = (Widen(isBrain, pair), Widen(isBrain, pair >> 16));
            }

            for (int r = 0; r < 2; r++)
            {
                uint pair = (uint)Value(warp[lane], i.Operands[2].Parts![r]);
                (b[t + (8 * r), g], b[t + (8 * r) + 1, g]) = (Widen(isBrain, pair), Widen(isBrain, pair >> 16));
            }
        }

        for (int lane = 0; lane < 32; lane++)
        {
            (int g, int t) = (lane / 4, 2 * (lane % 4));
            for (int r = 0; r < 4; r++)
            {
                (int row, int col) = (g + (8 * (r / 2)), t + (r % 2));
                float sum = Single(Value(warp[lane], i.Operands[3].Parts![r]));
                for (int k = 0; k < 16; k++) sum += a[row, k] * b[k, col];
                warp[lane].Registers[i.Operands[0].Parts![r].Register] = BitConverter.SingleToUInt32Bits(sum);
            }
        }
    }

    private static float Widen(bool isBrain, uint bits) => isBrain ? BitConverter.UInt32BitsToSingle(bits << 16) : Float16.ToSingle((ushort)bits);
}
