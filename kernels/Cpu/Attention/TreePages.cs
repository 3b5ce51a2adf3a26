using System.Numerics;

namespace Quern.Kernels.Cpu.Attention;

/// <summary>Pages as a token of a tree sees them: its ancestors lie one behind the other behind what comes before the tree, as if no other token of it were there.</summary>
/// <param name="batch">Block tables and masks.</param>
/// <param name="pages">The layer's pages.</param>
/// <param name="tile">The sequence and the KV head.</param>
/// <param name="token">The token, counted in the tile.</param>
/// <param name="scratch">Memory of <see cref="ScratchBytes"/> bytes.</param>
internal readonly unsafe struct TreePages(BatchView batch, LayerPages pages, in QueryTile tile, int token, float* scratch)
{
    private const int PageTokens = KvLayout.PageTokens;

    private readonly BatchView _batch = batch;
    private readonly LayerPages _pages = pages;
    private readonly SequenceRun _run = tile.Run;
    private readonly int _head = tile.Head;
    private readonly ulong _seen = batch.Seen(tile.Run, tile.FirstToken + token);
    private readonly byte* _scratch = (byte*)scratch;

    /// <summary>Bytes of the pages that are made: those of one block of attention.</summary>
    public static long ScratchBytes(LayerPages pages) => AttentionBlock.Pages * (KeyBytes(pages) + ValueBytes(pages));

    /// <summary>Keys of a page, as they are stored.</summary>
    /// <param name="page">The page, counted in the token's text.</param>
    /// <param name="index">Which of the pages that are made.</param>
    public byte* Keys(int page, int index)
    {
        byte* made = _scratch + (index * KeyBytes(_pages));
        Buffer.MemoryCopy(_pages.Keys(_batch.Page(in _run, page), _head), made, KeyBytes(_pages), KeyBytes(_pages));
        foreach ((int slot, int target) in new Ancestors(_run.TreeSlot, _seen, page))
            KvCodec.CopyKey(_pages.KeyType, _pages.Keys(_batch.Page(in _run, slot / PageTokens), _head), slot % PageTokens, _pages.Layer.KeyLength, made, target);
        return made;
    }

    /// <summary>Values of a page; see <see cref="Keys"/>.</summary>
    public byte* Values(int page, int index)
    {
        byte* made = _scratch + (AttentionBlock.Pages * KeyBytes(_pages)) + (index * ValueBytes(_pages));
        Buffer.MemoryCopy(_pages.Values(_batch.Page(in _run, page), _head), made, ValueBytes(_pages), ValueBytes(_pages));
        foreach ((int slot, int target) in new Ancestors(_run.TreeSlot, _seen, page))
            KvCodec.CopyValue(_pages.ValueType, _pages.Values(_batch.Page(in _run, slot / PageTokens), _head), slot % PageTokens, _pages.ValueStride, made, target);
        return made;
    }

    private static long KeyBytes(LayerPages pages) => KvCodec.Bytes(pages.KeyType, pages.Layer.KeyLength);

    private static long ValueBytes(LayerPages pages) => KvCodec.Bytes(pages.ValueType, pages.ValueStride);

    /// <summary>The tokens of a tree that are seen and belong into a page: where each is stored, and where in the page it belongs.</summary>
    private ref struct Ancestors(int treeSlot, ulong seen, int page)
    {
        private ulong _left = seen;
        private int _place = treeSlot - 1;

        public readonly Ancestors GetEnumerator() => this;

        public (int Slot, int Target) Current { readonly get; private set; }

        public bool MoveNext()
        {
            while (_left != 0)
            {
                int slot = treeSlot + BitOperations.TrailingZeroCount(_left);
                _left &= _left - 1;
                _place++;
                if (_place / PageTokens != page) continue;
                Current = (slot, _place % PageTokens);
                return true;
            }

            return false;
        }
    }
}
