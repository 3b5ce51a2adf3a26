using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>
/// The pages of one sequence, in the order of its tokens: its block table. Pages at its beginning may be held by other sequences too: one of them is copied before it is written.
/// Growing, sharing and shrinking allocate nothing.
/// </summary>
/// <param name="pool">The pool, shared with other sequences and locked around every change.</param>
/// <param name="mostTokens">The most tokens that the sequence can have.</param>
internal sealed class SequencePages(KvPages pool, int mostTokens)
{
    private const int PageTokens = KvLayout.PageTokens;

    private readonly int[] _table = new int[KvLayout.PagesFor(mostTokens)];
    private readonly long[] _prefixes = new long[KvLayout.PagesFor(mostTokens)];
    private int _count;
    private int _published;
    private int _passed;

    /// <summary>Pages at the beginning that were passed.</summary>
    public int Passed => _passed;

    /// <summary>Whether those stay, because some layers have no window.</summary>
    public bool KeepsPassed => pool.Costs.Window > 0;

    /// <summary>The pages.</summary>
    public ReadOnlySpan<int> Table => _table.AsSpan(0, _count);

    /// <summary>Takes or gives back pages until <paramref name="tokens"/> tokens have room and no more; takes none if the pool has too few.</summary>
    /// <returns>False if the pool has too few.</returns>
    public bool TryResize(int tokens)
    {
        lock (pool) return TryResizeLocked(tokens);
    }

    /// <summary>
    /// Makes room for tokens from a slot on, in pages that no other sequence sees: a page that holds tokens before them is copied if it is shared, and forgotten as a prefix if it is not.
    /// Changes nothing if the pool has too few pages.
    /// </summary>
    /// <param name="firstSlot">Tokens that stay.</param>
    /// <param name="count">Tokens that will be written behind them.</param>
    /// <param name="cache">The cache that holds the pages.</param>
    /// <returns>False if the pool has too few.</returns>
    public bool TryPrepare(int firstSlot, int count, KvCache cache)
    {
        lock (pool)
        {
            // From a whole number of pages on, all that is written is new.
            int partial = firstSlot % PageTokens == 0 ? -1 : firstSlot / PageTokens;
            int tokens = Math.Max(firstSlot + count, _count * PageTokens);
            if (partial < 0 || pool.References(_table[partial]) == 1)
            {
                if (!TryResizeLocked(tokens)) return false;
                if (partial >= 0 && partial < _published)
                {
                    pool.Forget(_table[partial]);
                    _published = partial;
                }

                return true;
            }

            if (KvLayout.PagesFor(tokens) - _count + 1 > pool.FreeCount) return false;
            pool.TryTake(out int copy);
            cache.CopyPage(_table[partial], copy);
            pool.Release(_table[partial]);
            _table[partial] = copy;
            _published = Math.Min(_published, partial);
            return TryResizeLocked(tokens);
        }
    }

    /// <summary>
    /// Begins a sequence: holds the pages that are known to store the beginning of <paramref name="tokens"/>, whole pages and never all tokens, so that one is left to go on from, and takes pages for
    /// the rest.
    /// </summary>
    /// <param name="tokens">The tokens of a sequence that holds no page.</param>
    /// <param name="known">How many of them are stored already.</param>
    /// <returns>False if the pool has too few pages; then none is held.</returns>
    public bool TryBegin(ReadOnlySpan<int> tokens, out int known)
    {
        lock (pool)
        {
            TryResizeLocked(0);
            while ((_count + 1) * PageTokens < tokens.Length
                && pool.TryShare(Prefix(_count), tokens.Slice(_count * PageTokens, PageTokens), out _table[_count], out _prefixes[_count])) _count++;
            if (KeepsPassed) CutToWindow();
            _published = _count;
            known = _count * PageTokens;
            if (TryResizeLocked(tokens.Length)) return true;
            TryResizeLocked(known = 0);
            return false;
        }
    }

    /// <summary>
    /// Gives back the pages that lie before a slot, because nothing will look at them again; they keep their place in the table. Where only some layers have a window, it is what those store that is given back.
    /// </summary>
    public void Pass(int slot)
    {
        int passed = Math.Min(Math.Max(0, slot) / PageTokens, _count);
        if (passed <= _passed) return;
        lock (pool) PassLocked(passed);
    }

    /// <summary>Holds the pages of another sequence instead of its own.</summary>
    public void ShareFrom(SequencePages other)
    {
        lock (pool)
        {
            TryResizeLocked(0);
            _passed = other._passed;
            for (_count = 0; _count < other._count; _count++)
            {
                if (_count >= _passed) pool.Hold(other._table[_count]);
                else if (KeepsPassed) pool.Hold(other._table[_count], passed: true);
                (_table[_count], _prefixes[_count]) = (other._table[_count], other._prefixes[_count]);
            }

            _published = other._published;
        }
    }

    /// <summary>Makes known what the full pages store.</summary>
    /// <param name="tokens">The tokens that are stored.</param>
    public void Publish(ReadOnlySpan<int> tokens)
    {
        if (tokens.Length / PageTokens == _published) return;
        lock (pool)
        {
            for (; _published < tokens.Length / PageTokens; _published++)
                _prefixes[_published] = pool.Publish(_table[_published], Prefix(_published), tokens.Slice(_published * PageTokens, PageTokens));
        }
    }

    private void PassLocked(int passed)
    {
        for (; _passed < passed; _passed++)
        {
            if (KeepsPassed) pool.Pass(_table[_passed]);
            else pool.Release(_table[_passed]);
        }
    }

    // Keeps so many of the pages that were found that the windows of the token behind them are whole.
    private void CutToWindow()
    {
        int whole = _count, first;
        for (; whole > 0; whole--)
        {
            first = Math.Max(0, (whole * PageTokens) - pool.Costs.Window + 1) / PageTokens;
            int page = whole - 1;
            while (page >= first && !pool.IsCut(_table[page])) page--;
            if (page < first) break;
        }

        TryResizeLocked(whole * PageTokens);
        PassLocked(Math.Max(0, (whole * PageTokens) - pool.Costs.Window + 1) / PageTokens);
    }

    private long Prefix(int pages) => pages == 0 ? PrefixTable.Root : _prefixes[pages - 1];

    private bool TryResizeLocked(int tokens)
    {
        int wanted = KvLayout.PagesFor(tokens);
        // From the end: the beginning of a text is worth most to others, and is kept longest.
        while (_count > wanted)
        {
            if (--_count >= _passed) pool.Release(_table[_count]);
            else if (KeepsPassed) pool.Release(_table[_count], passed: true);
        }

        _passed = Math.Min(_passed, _count);
        _published = Math.Min(_published, _count);
        if (wanted - _count > pool.FreeCount) return false;
        while (_count < wanted && pool.TryTake(out int page)) _table[_count++] = page;
        return true;
    }
}
