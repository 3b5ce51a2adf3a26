using System.Runtime.InteropServices;
using Quern.Kernels.Cpu;

namespace Quern.TestKit.Oracle;

/// <summary>Keys and values as arrays: one for each layer, token by token as the block tables say; and states, one for each page of a layer.</summary>
public sealed class OracleKvCache : KvCache
{
    private readonly float[][] _keys;
    private readonly float[][] _values;
    private readonly float[][] _states;

    public OracleKvCache(KvLayout layout)
        : base(layout)
    {
        int slots = layout.PageCount * KvLayout.PageTokens;
        _keys = [.. layout.Layers.Select(layer => new float[slots * layer.Heads * layer.KeyLength])];
        _values = [.. layout.Layers.Select(layer => new float[slots * layer.Heads * layer.ValueLength])];
        _states = [.. layout.Layers.Select(layer => new float[layout.PageCount * layer.StateLength])];
    }

    public override long Bytes => Arrays.Sum(array => (long)array.Length) * sizeof(float);

    public override long PageBytes => Bytes / Layout.PageCount;

    private IEnumerable<float[]> Arrays => _keys.Concat(_values).Concat(_states);

    public override void ReadPage(int page, Span<byte> destination)
    {
        foreach (float[] array in Arrays)
        {
            Span<byte> part = Part(array, page);
            part.CopyTo(destination);
            destination = destination[part.Length..];
        }
    }

    public override void WritePage(int page, ReadOnlySpan<byte> source)
    {
        foreach (float[] array in Arrays)
        {
            Span<byte> part = Part(array, page);
            source[..part.Length].CopyTo(part);
            source = source[part.Length..];
        }
    }

    public override void CopyPage(int source, int destination)
    {
        foreach (float[] array in Arrays) Part(array, source).CopyTo(Part(array, destination));
    }

    public override void Move(ReadOnlySpan<int> blockTable, ReadOnlySpan<int> sources, int firstSlot)
    {
        for (int i = 0; i < sources.Length; i++)
        {
            int source = Slot(blockTable, sources[i]), target = Slot(blockTable, firstSlot + i);
            foreach (float[] array in _keys.Concat(_values))
            {
                int length = array.Length / (Layout.PageCount * KvLayout.PageTokens);
                array.AsSpan(source * length, length).CopyTo(array.AsSpan(target * length, length));
            }
        }
    }

    /// <summary>The key of one head at a slot of a sequence.</summary>
    public Span<float> Key(Batch batch, SequenceRun run, int layer, int slot, int head) =>
        Find(_keys[layer], batch, run, Layout.Layers[layer].Heads, Layout.Layers[layer].KeyLength, slot, head);

    /// <summary>The value of one head at a slot of a sequence.</summary>
    public Span<float> Value(Batch batch, SequenceRun run, int layer, int slot, int head) =>
        Find(_values[layer], batch, run, Layout.Layers[layer].Heads, Layout.Layers[layer].ValueLength, slot, head);

    /// <summary>An operation's state in the page of a slot of a sequence, made what it was before the slot.</summary>
    public Memory<float> State(Batch batch, SequenceRun run, LayerState operation, int length, int slot)
    {
        int all = Layout.Layers[operation.Layer].StateLength;
        Memory<float> Page(int index) => _states[operation.Layer].AsMemory((batch.BlockTables[run.TableStart + index] * all) + operation.First, length);
        Memory<float> state = Page(slot / KvLayout.PageTokens);
        if (slot == 0) state.Span.Clear();
        else if (slot % KvLayout.PageTokens == 0) Page((slot / KvLayout.PageTokens) - 1).CopyTo(state);
        return state;
    }

    /// <summary>What is left of a head's key or value when it is stored.</summary>
    public static float[] Stored(KvType type, ReadOnlySpan<float> values) => type switch
    {
        KvType.F32 => values.ToArray(),
        KvType.F16 => Array.ConvertAll(values.ToArray(), value => Float16.ToSingle(Float16.FromSingle(value))),
        KvType.BF16 => Array.ConvertAll(values.ToArray(), value => BrainFloat16.ToSingle(BrainFloat16.FromSingle(value))),
        _ => [.. values.ToArray().Chunk(32).SelectMany(block => Block(type, block))],
    };

    private static IEnumerable<float> Block(KvType type, float[] block)
    {
        float farthest = block.MaxBy(MathF.Abs);
        float scale = Float16.ToSingle(Float16.FromSingle(type == KvType.Q8_0 ? MathF.Abs(farthest) / 127 : farthest / -8));
        float inverse = scale == 0 ? 0 : 1 / scale;
        return block.Select(value => scale * Math.Clamp(MathF.Round(value * inverse), type == KvType.Q8_0 ? -128 : -8, type == KvType.Q8_0 ? 127 : 7));
    }

    protected override void Dispose(bool disposing)
    {
    }

    private Span<byte> Part(float[] array, int page)
    {
        int length = array.Length / Layout.PageCount;
        return MemoryMarshal.AsBytes(array.AsSpan(page * length, length));
    }

    private static int Slot(ReadOnlySpan<int> table, int slot) => (table[slot / KvLayout.PageTokens] * KvLayout.PageTokens) + (slot % KvLayout.PageTokens);

    private static Span<float> Find(float[] array, Batch batch, SequenceRun run, int heads, int length, int slot, int head)
    {
        int token = Slot(batch.BlockTables.Slice(run.TableStart, run.TableLength), slot);
        return array.AsSpan(((token * heads) + head) * length, length);
    }
}
