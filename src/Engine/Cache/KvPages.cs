using System.Diagnostics;

namespace Quern.Engine;

/// <summary>
/// The pages of a pool of keys and values: which are free, how often each is held, and of which the contents are known, so that a sequence which begins with the same
/// tokens can hold them too. Numbers only: the memory belongs to the back end's cache. A page that nobody holds is free; one whose contents are known keeps them until
/// every other free page has been taken, the one that was given back longest ago first. Nothing here allocates after construction. Callers lock the pool around every change.
/// Source: Kwon et al. 2023, arXiv 2309.06180 (paged attention); Zheng et al. 2024, arXiv 2312.07104 (prefixes that outlive their sequences).
/// </summary>
internal sealed class KvPages
{
    private readonly int[] _references;
    private readonly int[] _next;
    private readonly int[] _previous;
    private readonly PrefixTable _prefixes;

    /// <param name="count">Pages in the pool.</param>
    public KvPages(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        _references = new int[count];
        _prefixes = new PrefixTable(count);
        // A ring of the free pages in the order in which they are taken; its fixed element is behind the last page.
        _next = new int[count + 1];
        _previous = new int[count + 1];
        for (int i = 0; i <= count; i++) (_next[i], _previous[i]) = ((i + 1) % (count + 1), (i + count) % (count + 1));
        FreeCount = count;
    }

    /// <summary>Pages in the pool.</summary>
    public int Count => _references.Length;

    /// <summary>Pages that nobody holds.</summary>
    public int FreeCount { get; private set; }

    /// <summary>Pages whose contents are known, held or free.</summary>
    public int KnownCount => _prefixes.Count;

    private int Ring => _references.Length;

    /// <summary>How often a page is held.</summary>
    public int References(int page) => _references[page];

    /// <summary>Takes a page that nobody holds and forgets what was in it, or says that there is none.</summary>
    public bool TryTake(out int page)
    {
        page = _next[Ring];
        if (page == Ring)
        {
            page = -1;
            return false;
        }

        Unlink(page);
        _prefixes.Remove(page);
        _references[page] = 1;
        return true;
    }

    /// <summary>Holds a page once more.</summary>
    /// <exception cref="InvalidOperationException">Nobody holds it.</exception>
    public void Hold(int page)
    {
        if (_references[page] == 0) throw new InvalidOperationException($"page {page} is free and cannot be held once more");
        _references[page]++;
    }

    /// <summary>Gives a page back; it is free when nobody else holds it.</summary>
    /// <exception cref="InvalidOperationException">Nobody holds it.</exception>
    public void Release(int page)
    {
        if (_references[page] == 0) throw new InvalidOperationException($"page {page} is free already");
        if (--_references[page] > 0) return;
        // Unknown contents are of no use to anybody: such a page goes out next.
        if (_prefixes.Contains(page)) Link(page, _previous[Ring]);
        else Link(page, Ring);
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
        if (_references[page]++ == 0) Unlink(page);
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

    private void Link(int page, int before)
    {
        int after = _next[before];
        (_next[before], _previous[page], _next[page], _previous[after]) = (page, before, after, page);
        FreeCount++;
    }

    private void Unlink(int page)
    {
        (_next[_previous[page]], _previous[_next[page]]) = (_next[page], _previous[page]);
        FreeCount--;
    }
}
