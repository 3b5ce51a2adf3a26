using System.Buffers;

namespace Quern.Text.Merging;

/// <summary>A binary heap of candidate merges in pooled memory: the lowest rank first, of equals the leftmost.</summary>
internal ref struct MergeQueue
{
    private Candidate[] _heap;
    private int _count;

    public MergeQueue(int capacity) => _heap = ArrayPool<Candidate>.Shared.Rent(capacity);

    public void Enqueue(Candidate candidate)
    {
        if (_count == _heap.Length)
        {
            Candidate[] larger = ArrayPool<Candidate>.Shared.Rent(2 * _count);
            _heap.CopyTo(larger, 0);
            ArrayPool<Candidate>.Shared.Return(_heap);
            _heap = larger;
        }

        int hole = _count++;
        while (hole > 0)
        {
            int parent = (hole - 1) / 2;
            if (_heap[parent].Order <= candidate.Order) break;
            _heap[hole] = _heap[parent];
            hole = parent;
        }

        _heap[hole] = candidate;
    }

    public bool TryDequeue(out Candidate first)
    {
        if (_count == 0)
        {
            first = default;
            return false;
        }

        first = _heap[0];
        Candidate moved = _heap[--_count];
        int hole = 0;
        for (int child = 1; child < _count; child = (2 * hole) + 1)
        {
            if (child + 1 < _count && _heap[child + 1].Order < _heap[child].Order) child++;
            if (moved.Order <= _heap[child].Order) break;
            _heap[hole] = _heap[child];
            hole = child;
        }

        _heap[hole] = moved;
        return true;
    }

    public readonly void Dispose() => ArrayPool<Candidate>.Shared.Return(_heap);

    /// <param name="Rank">Rank of the merge.</param>
    /// <param name="Left">Index of the left symbol.</param>
    /// <param name="End">Where the right symbol ended when the candidate was made; another end now means that it is outdated.</param>
    /// <param name="Merged">Id of the merged symbol.</param>
    internal readonly record struct Candidate(int Rank, int Left, int End, int Merged)
    {
        public long Order => ((long)Rank << 32) | (uint)Left;
    }
}
