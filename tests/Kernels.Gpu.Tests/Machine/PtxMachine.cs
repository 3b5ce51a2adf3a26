using System.Runtime.InteropServices;

namespace Quern.Kernels.Gpu.Tests.Machine;

/// <summary>A thread: its registers, and where it is.</summary>
internal sealed class MachineThread(int registers, int x)
{
    public ulong[] Registers { get; } = new ulong[registers];

    public int X { get; } = x;

    public int Place { get; set; }

    public bool HasEnded { get; set; }

    /// <summary>Whether it has waited for the kernels before.</summary>
    public bool HasWaited { get; set; }

    /// <summary>Copies that are still to come, in batches of which the last is open.</summary>
    public List<List<(nint From, nint To)>> Copies { get; } = [[]];
}

/// <summary>
/// Does what the PTX of a kernel says, one thread after the other, so that the code that only a card runs (tensor cores, copies to shared memory, byte products) can be checked without one.
/// Threads wait for their warp at instructions of a warp and for their group at barriers. Of the copies that a card does some time later every other one is done at once, and the rest when
/// they are waited for: so whatever reads too early or is written over too soon gets wrong values.
/// </summary>
internal sealed unsafe partial class PtxMachine
{
    private readonly PtxProgram _program;
    private readonly byte[][] _parameters;
    private readonly DeviceArena _arena;
    private byte[] _shared = [];
    private MachineThread[] _threads = [];
    private (int X, int Y) _group, _grid;
    private (ulong Start, ulong End) _weights;
    private long _copies;

    private PtxMachine(PtxProgram program, DeviceArena arena, byte[] arguments)
    {
        (_program, _arena) = (program, arena);
        byte[] memory = GC.AllocateArray<byte>(24, pinned: true), pinned = GC.AllocateArray<byte>(arguments.Length, pinned: true);
        arguments.CopyTo(pinned, 0);
        MemoryMarshal.Write(memory, (ulong)arena.Base);
        MemoryMarshal.Write(memory.AsSpan(8), arena.Bytes);
        MemoryMarshal.Write(memory.AsSpan(16), (ulong)arena.Base);
        _parameters = [memory, pinned];
    }

    /// <summary>Runs a kernel on the memory of an arena of the simulated device; what lies between two offsets is written by no kernel, so that it alone may be read early and by <c>nc</c>.</summary>
    public static void Run<T>(Action<DeviceMemory, T> kernel, DeviceArena arena, T arguments, int groups, int rows, int threads, long weights = 0, long end = 0)
        where T : unmanaged
    {
        PtxProgram program = new(Ptx.PtxProbe.Compile(kernel));
        PtxMachine machine = new(program, arena, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in arguments)).ToArray()) { _grid = (groups, rows), _weights = ((ulong)arena.Base + (ulong)weights, (ulong)arena.Base + (ulong)end) };
        for (int y = 0; y < rows; y++)
            for (int x = 0; x < groups; x++) machine.RunGroup(x, y, threads);
    }

    private void RunGroup(int x, int y, int threads)
    {
        _group = (x, y);
        _shared = GC.AllocateArray<byte>(_program.SharedBytes, pinned: true);
        // What was there before is not zero.
        _shared.AsSpan().Fill(0xff);
        _threads = [.. Enumerable.Range(0, threads).Select(i => new MachineThread(_program.RegisterCount, i))];
        while (_threads.Any(thread => !thread.HasEnded))
        {
            foreach (MachineThread[] warp in _threads.Chunk(32)) RunWarp(warp);
            MachineThread[] alive = [.. _threads.Where(thread => !thread.HasEnded)];
            Assert.True(alive.All(thread => IsBarrier(thread) && thread.Place == alive[0].Place), "threads of a group wait in different places");
            foreach (MachineThread thread in alive) thread.Place++;
        }
    }

    // Until every thread of the warp has ended or is at a barrier of the group.
    private void RunWarp(MachineThread[] warp)
    {
        while (true)
        {
            foreach (MachineThread thread in warp) RunThread(thread);
            MachineThread[] alive = [.. warp.Where(thread => !thread.HasEnded)];
            if (alive.Length == 0 || alive.All(IsBarrier)) return;
            Instruction shared = _program.Instructions[alive[0].Place];
            Assert.True(alive.Length == 32 && alive.All(thread => thread.Place == alive[0].Place), $"a warp is not together at {shared.Text}");
            RunTogether(alive, shared);
            foreach (MachineThread thread in alive) thread.Place++;
        }
    }

    private void RunThread(MachineThread thread)
    {
        while (!thread.HasEnded)
        {
            if (thread.Place >= _program.Instructions.Length)
            {
                thread.HasEnded = true;
                return;
            }

            Instruction instruction = _program.Instructions[thread.Place];
            if (instruction.Guard >= 0 && (thread.Registers[instruction.Guard] != 0) == instruction.GuardNegated)
            {
                thread.Place++;
                continue;
            }

            if (instruction.Head is "bar" or "shfl" or "vote" or "mma" or "ldmatrix" or "wgmma") return;
            if (instruction.Head == "bra") thread.Place = instruction.Target;
            else if (instruction.Head is "ret" or "exit") thread.HasEnded = true;
            else
            {
                RunAlone(thread, instruction);
                thread.Place++;
            }
        }
    }

    private bool IsBarrier(MachineThread thread) => _program.Instructions[thread.Place] is { Head: "bar" } instruction && instruction.Name[1] != "warp";

    private ulong Value(MachineThread thread, Operand operand) => operand.Kind switch
    {
        OperandKind.Register => thread.Registers[operand.Register],
        OperandKind.Number => operand.Bits,
        OperandKind.Special => (ulong)(operand.Name switch
        {
            "%tid.x" => thread.X,
            "%ntid.x" => _threads.Length,
            "%ctaid.x" => _group.X,
            "%ctaid.y" => _group.Y,
            "%nctaid.x" => _grid.X,
            "%nctaid.y" => _grid.Y,
            _ => 0,
        }),
        _ => throw new NotSupportedException(operand.ToString()),
    };

    /// <summary>Memory at an address: of parameters, of the group, or of the arena, whose bounds are kept.</summary>
    private byte* At(MachineThread thread, Operand address, bool isShared, int bytes)
    {
        if (address.Register < -1) return Pinned(_parameters[-2 - address.Register], address.Bits, bytes);
        ulong place = (address.Register < 0 ? 0 : thread.Registers[address.Register]) + address.Bits;
        Assert.True(place % (ulong)bytes == 0, $"an access of {bytes} bytes at {place:x}");
        if (isShared) return Pinned(_shared, (uint)place, bytes);
        Assert.InRange(place, (ulong)_arena.Base, (ulong)_arena.Base + (ulong)_arena.Bytes - (ulong)bytes);
        return (byte*)place;
    }

    private static byte* Pinned(byte[] array, ulong place, int bytes)
    {
        Assert.InRange(place, 0UL, (ulong)(array.Length - bytes));
        return (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(array, (int)place);
    }
}
