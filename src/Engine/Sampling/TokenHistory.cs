namespace Quern.Engine.Sampling;

/// <summary>The last tokens of a sequence, at most as many as the window is long.</summary>
internal sealed class TokenHistory(int window)
{
    private readonly int[] _ring = new int[window];
    private int _next;

    public int Count { get; private set; }

    public int Window => _ring.Length;

    /// <summary>Appends a token; returns the one that left the window, or −1.</summary>
    public int Add(int token)
    {
        int left = Count == _ring.Length ? _ring[_next] : -1;
        _ring[_next] = token;
        if (++_next == _ring.Length) _next = 0;
        if (left < 0) Count++;
        return left;
    }

    /// <summary>Writes all tokens of the window, the newest first.</summary>
    public void CopyNewestFirst(Span<int> destination)
    {
        int source = _next;
        for (int i = 0; i < Count; i++)
        {
            if (--source < 0) source = _ring.Length - 1;
            destination[i] = _ring[source];
        }
    }

    public void Clear() => (Count, _next) = (0, 0);

    public void CopyFrom(TokenHistory other)
    {
        other._ring.CopyTo(_ring, 0);
        (Count, _next) = (other.Count, other._next);
    }
}
