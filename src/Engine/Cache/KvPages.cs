using System.Diagnostics;

namespace Quern.Engine;

/// <summary>
/// The pages of a pool of keys and values: which are free, how often each is held, and of which the contents are known, so that a sequence which begins with the same
/// tokens can hold them too. Numbers only: the memory belongs to the back end's cache. A page that nobody holds is free; one whose contents are known keeps them until
/// room is needed, the one that was given back longest ago going first.
/// <para>
/// Where some layers have a window (<see cref="PageCosts"/>), all holders of a page may have passed what such layers store in it. This part goes like a free page's contents do, in the same order; the page stays,
/// costs less from then on, and whoever comes later can hold it only to pass that part too.
/// </para>
/// Nothing here allocates after construction. Callers lock the pool around every change.
/// Source: Kwon et al. 2023, arXiv 2309.06180 (paged attention); Zheng et al. 2024, arXiv 2312.07104 (prefixes that outlive their sequences).
/// </summary>
internal sealed class KvPages
{
    private readonly PageCosts _costs;
    private readonly int[] _references;
    private readonly int[] _passedBy; // holders that have passed what layers with a window store
    private readonly bool[] _isCut; // without that part
    private readonly int[] _next;
    private readonly int[] _previous;
    private readonly int[] _unknown; // free pages of unknown contents, a stack; the first ones take no memory
    private readonly PrefixTable _prefixes;
    private int _unknownCount;
    private int _untouchedCount;
    private int _heldCount;
    private long _held; // bytes that holders need
    private long _kept; // bytes that are kept for whoever comes, as long as there is room

    /// <param name="count">Pages in the pool.</param>
    public KvPages(int count)
        : this(count, new PageCosts(count, 1, 1))
    {
    }

    /// <param name="slots">Numbers for pages: more than pages, where those that are passed cost less.</param>
    /// <param name="costs">What pages cost.</param>
    public KvPages(int slots, PageCosts costs)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(costs.Budget / costs.Page, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, costs.Budget / costs.Page);
        _costs = costs;
        _references = new int[slots];
        _passedBy = new int[slots];
        _isCut = new bool[slots];
        _prefixes = new PrefixTable(slots);
        // A ring of what can be given up, in the order in which it is; its fixed element is behind the last page.
        _next = new int[slots + 1];
        _previous = new int[slots + 1];
        _next[slots] = _previous[slots] = slots;
        _unknown = [.. Enumerable.Range(0, slots).Reverse()];
        _unknownCount = _untouchedCount = slots;
    }

    /// <summary>Pages in the pool, none of them passed.</summary>
    public int Count => (int)(_costs.Budget / _costs.Page);

    /// <summary>Pages that can be taken.</summary>
    public int FreeCount => (int)Math.Min(Slots - _heldCount, (_costs.Budget - _held) / _costs.Page);

    /// <summary>Numbers for pages.</summary>
    public int Slots => _references.Length;

    /// <summary>Pages whose contents are known, held or free.</summary>
    public int KnownCount => _prefixes.Count;

    /// <summary>What pages cost.</summary>
    public PageCosts Costs => _costs;

    private int Ring => _references.Length;

    /// <summary>How often a page is held.</summary>
    public int References(int page) => _references[page];

    /// <summary>Whether what layers with a window store in a page is gone.</summary>
    public bool IsCut(int page) => _isCut[page];

    /// <summary>Takes a page that nobody holds and forgets what was in it, or says that there is none.</summary>
    public bool TryTake(out int page)
    {
        page = -1;
        if (FreeCount == 0) return false;
        while (_unknownCount == 0 || _held + _kept + _costs.Page > _costs.Budget) GiveUpOldest();
        page = _unknown[--_unknownCount];
        _untouchedCount = Math.Min(_untouchedCount, _unknownCount);
        _references[page] = 1;
        Enter(page);
        while (_untouchedCount < _unknownCount && _held + _kept + ((_unknownCount - _untouchedCount) * _costs.Page) > _costs.Budget)
            _costs.Memory?.Free(_unknown[_untouchedCount++], windowedOnly: false);
        return true;
    }

    /// <summary>Holds a page once more.</summary>
    /// <param name="page">The page.</param>
    /// <param name="passed">Whether the new holder has passed what layers with a window store.</param>
    /// <exception cref="InvalidOperationException">Nobody holds it.</exception>
    public void Hold(int page, bool passed = false)
    {
        if (_references[page] == 0) throw new InvalidOperationException($"page {page} is free and cannot be held once more");
        Leave(page);
        _references[page]++;
        if (passed) _passedBy[page]++;
        Enter(page);
    }

    /// <summary>Gives a page back; it is free when nobody else holds it.</summary>
    /// <param name="page">The page.</param>
    /// <param name="passed">Whether this holder had passed what layers with a window store.</param>
    /// <exception cref="InvalidOperationException">Nobody holds it.</exception>
    public void Release(int page, bool passed = false)
    {
        if (_references[page] == 0) throw new InvalidOperationException($"page {page} is free already");
        Leave(page);
        _references[page]--;
        if (passed) _passedBy[page]--;
        Enter(page);
    }

    /// <summary>One holder will not look again at what layers with a window store.</summary>
    public void Pass(int page)
    {
        Debug.Assert(_passedBy[page] < _references[page], "only a holder passes, and once");
        Leave(page);
        _passedBy[page]++;
        Enter(page);
    }

    /// <summary>Holds a page, whether free or not, that is known to store these tokens behind those of <paramref name="parent"/>.</summary>
    /// <param name="parent">The prefix before the page; <see cref="PrefixTable.Root"/> at the beginning.</param>
    /// <param name="tokens">A page of tokens.</param>
    /// <param name="page">The page.</param>
    /// <param name="prefix">The prefix that ends with the page.</param>
    public bool TryShare(long parent, ReadOnlySpan<int> tokens, out int page, out long prefix)
    {
        if (!_prefixes.TryFind(parent, tokens, out page))
        {
            prefix = 0;
            return false;
        }

        prefix = _prefixes[page];
        Leave(page);
        _references[page]++;
        Enter(page);
        return true;
    }

    /// <summary>Makes known what a held page stores, unless another page is known to store the same.</summary>
    /// <returns>The prefix that ends with the page, or with the other one.</returns>
    public long Publish(int page, long parent, ReadOnlySpan<int> tokens)
    {
        Debug.Assert(_references[page] > 0, "only a page that is held has contents");
        return _prefixes.TryFind(parent, tokens, out int other) ? _prefixes[other] : _prefixes.Add(page, parent, tokens);
    }

    /// <summary>Forgets what a page stores, because it will be written again.</summary>
    public void Forget(int page) => _prefixes.Remove(page);

    private bool IsFree(int page) => _references[page] == 0;

    // Held, but what layers with a window store in it can be given up.
    private bool IsPassed(int page) => !IsFree(page) && !_isCut[page] && _passedBy[page] == _references[page];

    private long Held(int page) => IsFree(page) ? 0 : _isCut[page] || IsPassed(page) ? _costs.Cut : _costs.Page;

    private long Kept(int page) => IsPassed(page) ? _costs.Page - _costs.Cut : !IsFree(page) ? 0 : _isCut[page] ? _costs.Cut : _costs.Page;

    // Every change of a page's state is between these two. A free page of unknown contents is outside.
    private void Leave(int page)
    {
        _held -= Held(page);
        _kept -= Kept(page);
        if (!IsFree(page)) _heldCount--;
        if (!IsFree(page) && !IsPassed(page)) return;
        (_next[_previous[page]], _previous[_next[page]]) = (_next[page], _previous[page]);
    }

    private void Enter(int page)
    {
        if (IsFree(page) && !_prefixes.Contains(page))
        {
            // Unknown contents are of no use to anybody: such a page goes out next.
            _isCut[page] = false;
            _unknown[_unknownCount++] = page;
            return;
        }

        _held += Held(page);
        _kept += Kept(page);
        if (!IsFree(page)) _heldCount++;
        if (!IsFree(page) && !IsPassed(page)) return;
        int last = _previous[Ring];
        (_next[last], _previous[page], _next[page], _previous[Ring]) = (page, last, Ring, page);
    }

    private void GiveUpOldest()
    {
        int page = _next[Ring];
        Debug.Assert(page != Ring, "what is kept is in the ring");
        Leave(page);
        if (IsFree(page))
        {
            _prefixes.Remove(page);
        }
        else
        {
            _isCut[page] = true;
            _costs.Memory?.Free(page, windowedOnly: true);
        }

        Enter(page);
    }
}

/// <summary>What the pages of a pool cost, and how their memory is given back to the system.</summary>
/// <param name="Budget">Bytes of all pages together.</param>
/// <param name="Page">Bytes of a page.</param>
/// <param name="Cut">Bytes of a page without what layers with a window store; the same where no layer has one, or all have.</param>
internal sealed record PageCosts(long Budget, long Page, long Cut)
{
    /// <summary>Slots that a query sees at most in layers with a window; 0 where passed pages are not kept for other layers.</summary>
    public int Window { get; init; }

    /// <summary>Where memory is given back; null where all pages are within the budget.</summary>
    public IPageMemory? Memory { get; init; }
}

/// <summary>Memory of pages that can be given back to the system.</summary>
internal interface IPageMemory
{
    /// <summary>Gives a page's memory back: what it stores is lost, and it costs nothing until it is written again.</summary>
    /// <param name="page">The page.</param>
    /// <param name="windowedOnly">Only what layers with a window store in it.</param>
    void Free(int page, bool windowedOnly);
}
