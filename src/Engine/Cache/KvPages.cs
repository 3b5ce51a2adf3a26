namespace Quern.Engine;

/// <summary>
/// Which pages of a pool of keys and values are free. Numbers only: the memory belongs to the back end's cache, and which sequence
/// holds which page is known to the sequence. Taking and giving back allocates nothing.
/// Source: Kwon et al. 2023, arXiv 2309.06180 (paged attention).
/// </summary>
internal sealed class KvPages
{
    private readonly int[] _free;
    private readonly int[] _references;

    /// <param name="count">Pages in the pool.</param>
    public KvPages(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        _free = new int[count];
        _references = new int[count];
        // Taken from the end: the first pages go out first, so that a short sequence touches little memory.
        for (int i = 0; i < count; i++) _free[i] = count - 1 - i;
        FreeCount = count;
    }

    /// <summary>Pages in the pool.</summary>
    public int Count => _free.Length;

    /// <summary>Pages that nobody holds.</summary>
    public int FreeCount { get; private set; }

    /// <summary>How often a page is held.</summary>
    public int References(int page) => _references[page];

    /// <summary>Takes a page that nobody holds, or says that there is none.</summary>
    public bool TryTake(out int page)
    {
        if (FreeCount == 0)
        {
            page = -1;
            return false;
        }

        page = _free[--FreeCount];
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
        if (--_references[page] == 0) _free[FreeCount++] = page;
    }
}
