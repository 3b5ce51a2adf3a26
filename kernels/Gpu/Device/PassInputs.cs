using System.Runtime.InteropServices;
using ILGPU.Runtime;
using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Where the numbers of a pass lie on the device, as byte offsets of 32-bit integers. They stay where they are from pass to pass while the capacities hold, so that the same launches
/// read what each step brings.
/// </summary>
/// <param name="Tokens">[tokens] ids.</param>
/// <param name="Positions">[tokens].</param>
/// <param name="Outputs">[outputs] rows whose logits are wanted.</param>
/// <param name="RowRuns">[tokens] number of the run that a row belongs to.</param>
/// <param name="Seen">[tokens, 2] what rows of trees see of them, 64 bits.</param>
/// <param name="Runs">[runs, <see cref="PassInputs.RunLength"/>]: first row, count, first slot, start and length in the tables, prefix, first slot of a tree, 0.</param>
/// <param name="Tables">Block tables of all runs, page numbers.</param>
internal readonly record struct InputPlaces(long Tokens, long Positions, long Outputs, long RowRuns, long Seen, long Runs, long Tables);

/// <summary>
/// What a batch tells kernels: copied to the device in one piece, and only when it differs from what is there. Numbers that no batch holds (rows to gather, ids to look up) are taken
/// from it where they are the same, and copied on their own otherwise.
/// </summary>
internal sealed class PassInputs : IDisposable
{
    /// <summary>Integers of a run.</summary>
    public const int RunLength = 8;

    // Of a row: token, position, output, run, and two of its mask.
    private const int RowLength = 6;

    private const int LooseLength = 4096;
    private readonly GpuDevice _device;
    private readonly DeviceArena _arena;
    private PageLockedArray1D<int> _staging;
    private int[] _now = [];
    private int _tokens, _runs, _outputs;
    private int _tokenCapacity, _runCapacity, _tableCapacity;
    private nint _block;
    private nint _loose;
    private int _looseCapacity, _looseUsed;

    /// <param name="device">The device.</param>
    /// <param name="arena">Its memory.</param>
    public PassInputs(GpuDevice device, DeviceArena arena)
    {
        (_device, _arena) = (device, arena);
        _staging = device.Accelerator.AllocatePageLocked1D<int>(1);
        _loose = arena.Take((_looseCapacity = LooseLength) * sizeof(int), "indices");
        Grow(512, 16, 1024);
    }

    /// <summary>Where the numbers lie.</summary>
    public InputPlaces Places { get; private set; }

    /// <summary>Grows with every change of <see cref="Places"/>: launches that were recorded before are void.</summary>
    public int Generation { get; private set; }

    /// <summary>Forgets indices that were copied on their own.</summary>
    public void BeginPass() => _looseUsed = 0;

    /// <summary>Brings a batch to the device if it is not there.</summary>
    public InputPlaces Require(Batch batch)
    {
        if (batch.TokenCount > _tokenCapacity || batch.RunCount > _runCapacity || batch.BlockTables.Length > _tableCapacity)
            Grow(Math.Max(batch.TokenCount, _tokenCapacity), Math.Max(batch.RunCount, _runCapacity), Math.Max(batch.BlockTables.Length, _tableCapacity));
        if (Holds(batch)) return Places;
        _device.Stream.Synchronize();
        int length = Fill(batch);
        (_tokens, _runs, _outputs) = (batch.TokenCount, batch.RunCount, batch.OutputCount);
        _now.AsSpan(0, length).CopyTo(_staging.Span);
        _arena.Put(_block, _staging, length);
        return Places;
    }

    /// <summary>Byte offset of indices on the device: those of the batch where they are the same, a copy otherwise.</summary>
    public long Indices(ReadOnlySpan<int> indices)
    {
        InputPlaces places = Places;
        if (Is(indices, places.Tokens, _tokens)) return places.Tokens;
        if (Is(indices, places.Positions, _tokens)) return places.Positions;
        if (Is(indices, places.Outputs, _outputs)) return places.Outputs;
        if (_looseUsed + indices.Length > _looseCapacity)
        {
            // What is in the stream still reads the piece; it goes back when the stream is empty.
            _device.Stream.Synchronize();
            _arena.Return(_loose);
            _looseCapacity = Math.Max(2 * _looseCapacity, indices.Length);
            (_loose, _looseUsed) = (_arena.Take((long)_looseCapacity * sizeof(int), "indices"), 0);
        }

        nint place = _loose + ((nint)_looseUsed * sizeof(int));
        _arena.Write(place, indices);
        _looseUsed += indices.Length;
        return _arena.Offset(place);
    }

    /// <inheritdoc/>
    public void Dispose() => _staging.Dispose();

    private bool Is(ReadOnlySpan<int> indices, long place, int count)
    {
        int first = (int)((place - Places.Tokens) / sizeof(int));
        return indices.Length == count && count != 0 && indices.SequenceEqual(_now.AsSpan(first, count));
    }

    private bool Holds(Batch batch)
    {
        if (batch.TokenCount != _tokens || batch.RunCount != _runs || batch.OutputCount != _outputs) return false;
        ReadOnlySpan<int> now = _now;
        for (int i = 0; i < batch.RunCount; i++)
        {
            SequenceRun run = batch.Runs[i];
            ReadOnlySpan<int> own = now.Slice((RowLength * _tokenCapacity) + (RunLength * i), RunLength);
            if (own[0] != run.FirstRow || own[1] != run.Count || own[2] != run.FirstSlot || own[3] != run.TableStart || own[4] != run.TableLength || own[5] != run.Prefix || own[6] != run.TreeSlot) return false;
            if (run.TreeSlot != SequenceRun.NoTree && !Masks(batch, run).SequenceEqual(now.Slice((4 * _tokenCapacity) + (2 * run.FirstRow), 2 * run.Count))) return false;
        }

        return batch.Tokens.SequenceEqual(now[.._tokens]) && batch.Positions.SequenceEqual(now.Slice(_tokenCapacity, _tokens))
            && batch.Outputs.SequenceEqual(now.Slice(2 * _tokenCapacity, _outputs))
            && batch.BlockTables.SequenceEqual(now.Slice((RowLength * _tokenCapacity) + (RunLength * _runCapacity), batch.BlockTables.Length));
    }

    private static ReadOnlySpan<int> Masks(Batch batch, SequenceRun run) => MemoryMarshal.Cast<ulong, int>(batch.Seen.Slice(run.FirstRow, run.Count));

    private int Fill(Batch batch)
    {
        Span<int> next = _now;
        batch.Tokens.CopyTo(next);
        batch.Positions.CopyTo(next[_tokenCapacity..]);
        batch.Outputs.CopyTo(next[(2 * _tokenCapacity)..]);
        Span<int> rowRuns = next[(3 * _tokenCapacity)..], seen = next[(4 * _tokenCapacity)..], runs = next[(RowLength * _tokenCapacity)..];
        for (int i = 0; i < batch.RunCount; i++)
        {
            SequenceRun run = batch.Runs[i];
            rowRuns.Slice(run.FirstRow, run.Count).Fill(i);
            Span<int> own = runs.Slice(RunLength * i, RunLength);
            (own[0], own[1], own[2], own[3], own[4], own[5], own[6]) = (run.FirstRow, run.Count, run.FirstSlot, run.TableStart, run.TableLength, run.Prefix, run.TreeSlot);
            if (run.TreeSlot != SequenceRun.NoTree) Masks(batch, run).CopyTo(seen[(2 * run.FirstRow)..]);
        }

        int tables = (RowLength * _tokenCapacity) + (RunLength * _runCapacity);
        batch.BlockTables.CopyTo(next[tables..]);
        return tables + batch.BlockTables.Length;
    }

    private void Grow(int tokens, int runs, int tables)
    {
        _device.Stream.Synchronize();
        if (_block != 0) _arena.Return(_block);
        (_tokenCapacity, _runCapacity, _tableCapacity) = (Rounded(tokens), Rounded(runs), Rounded(tables));
        int length = (RowLength * _tokenCapacity) + (RunLength * _runCapacity) + _tableCapacity;
        _block = _arena.Take((long)length * sizeof(int), "a batch");
        (_now, _tokens, _runs, _outputs) = (new int[length], 0, 0, 0);
        _staging.Dispose();
        _staging = _device.Accelerator.AllocatePageLocked1D<int>(length);
        long block = _arena.Offset(_block), row = (long)_tokenCapacity * sizeof(int);
        Places = new InputPlaces(block, block + row, block + (2 * row), block + (3 * row), block + (4 * row), block + (RowLength * row), block + (RowLength * row) + ((long)RunLength * _runCapacity * sizeof(int)));
        Generation++;
    }

    private static int Rounded(int count) => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count);
}
