using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>The pages of one sequence, in the order of its tokens: its block table. Growing allocates nothing.</summary>
internal sealed class SequencePages
{
    private readonly KvPages _pool;
    private readonly int[] _table;
    private int _count;

    /// <param name="pool">The pool, shared with other sequences and locked around every change.</param>
    /// <param name="mostTokens">The most tokens that the sequence can have.</param>
    public SequencePages(KvPages pool, int mostTokens)
    {
        _pool = pool;
        _table = new int[KvLayout.PagesFor(mostTokens)];
    }

    /// <summary>The pages.</summary>
    public ReadOnlySpan<int> Table => _table.AsSpan(0, _count);

    /// <summary>Takes or gives back pages until <paramref name="tokens"/> tokens have room and no more; takes none if the pool has too few.</summary>
    /// <returns>False if the pool has too few.</returns>
    public bool TryResize(int tokens)
    {
        int wanted = KvLayout.PagesFor(tokens);
        lock (_pool)
        {
            while (_count > wanted) _pool.Release(_table[--_count]);
            if (wanted - _count > _pool.FreeCount) return false;
            while (_count < wanted && _pool.TryTake(out int page)) _table[_count++] = page;
        }

        return true;
    }
}
