using Quern.Kernels.Cpu;

namespace Quern.TestKit.Oracle;

/// <summary>Keys and values as arrays: one for each layer, token by token as the block tables say.</summary>
public sealed class OracleKvCache : KvCache
{
    private readonly float[][] _keys;
    private readonly float[][] _values;

    public OracleKvCache(KvLayout layout)
        : base(layout)
    {
        int slots = layout.PageCount * KvLayout.PageTokens;
        _keys = [.. layout.Layers.Select(layer => new float[slots * layer.Heads * layer.KeyLength])];
        _values = [.. layout.Layers.Select(layer => new float[slots * layer.Heads * layer.ValueLength])];
    }

    public override long Bytes => _keys.Concat(_values).Sum(array => (long)array.Length) * (Layout.Type == KvType.F32 ? 4 : 2);

    /// <summary>The key of one head at a slot of a sequence.</summary>
    public Span<float> Key(Batch batch, SequenceRun run, int layer, int slot, int head) =>
        Find(_keys[layer], batch, run, Layout.Layers[layer].Heads, Layout.Layers[layer].KeyLength, slot, head);

    /// <summary>The value of one head at a slot of a sequence.</summary>
    public Span<float> Value(Batch batch, SequenceRun run, int layer, int slot, int head) =>
        Find(_values[layer], batch, run, Layout.Layers[layer].Heads, Layout.Layers[layer].ValueLength, slot, head);

    /// <summary>A value as the cache stores it.</summary>
    public float Round(float value) => Layout.Type == KvType.F32 ? value : Float16.ToSingle(Float16.FromSingle(value));

    protected override void Dispose(bool disposing)
    {
    }

    private static Span<float> Find(float[] array, Batch batch, SequenceRun run, int heads, int length, int slot, int head)
    {
        int page = batch.BlockTables.Slice(run.TableStart, run.TableLength)[slot / KvLayout.PageTokens];
        int token = (page * KvLayout.PageTokens) + (slot % KvLayout.PageTokens);
        return array.AsSpan(((token * heads) + head) * length, length);
    }
}
