namespace Quern.Engine;

/// <summary>
/// All substrings of a text that grows, as a graph: a path from the root spells one, and a state stands for those that end at the same places. Following a text's tokens through it keeps the longest end of that text
/// that stands somewhere in here, at a constant cost a token on the mean. Allocates nothing after construction: n tokens make at most 2 n states and 3 n edges.
/// Source: Blumer et al. 1985, "The smallest automaton recognizing the subwords of a text"; for drafting, Oliaro et al. 2024, arXiv 2411.04975.
/// </summary>
internal sealed class SuffixAutomaton
{
    /// <summary>The state of the empty string.</summary>
    public const int Root = 0;

    private const int None = -1, LaterPlaces = 32;

    private readonly int[] _text;
    private readonly int[] _length; // of the longest string of a state
    private readonly int[] _link; // the state of the longest end that is in another state
    private readonly int[] _end; // behind a place of it
    private readonly int[] _firstEdge;
    private readonly (int Source, int Token, int Target, int NextOfState, int NextInBucket)[] _edges;
    private readonly int[] _buckets;
    private int _states;
    private int _edgeCount;
    private int _last;

    /// <param name="capacity">The most tokens.</param>
    public SuffixAutomaton(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _text = new int[capacity];
        _length = new int[2 * capacity];
        _link = new int[2 * capacity];
        _end = new int[2 * capacity];
        _firstEdge = new int[2 * capacity];
        _edges = new (int, int, int, int, int)[3 * capacity];
        _buckets = new int[4 * capacity];
        Clear();
    }

    /// <summary>The tokens.</summary>
    public ReadOnlySpan<int> Text => _text.AsSpan(0, Count);

    /// <summary>Number of tokens.</summary>
    public int Count { get; private set; }

    /// <summary>The most tokens.</summary>
    public int Capacity => _text.Length;

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        Array.Fill(_buckets, None);
        (_states, _edgeCount, _last, Count) = (0, 0, Root, 0);
        Add(length: 0, end: 0);
        _link[Root] = None;
    }

    /// <summary>Appends a token.</summary>
    /// <exception cref="InvalidOperationException">There is no room.</exception>
    public void Append(int token)
    {
        if (Count == Capacity) throw new InvalidOperationException($"there is no room for more than {Capacity} tokens");
        _text[Count++] = token;
        int state = Add(_length[_last] + 1, Count), before = _last;
        for (; before != None && Find(before, token) == None; before = _link[before]) Connect(before, token, state);
        _link[state] = before == None ? Root : Ending(before, token);
        _last = state;
        // Later places are likelier to come again. Short strings, far up, stand at many places: any does.
        int end = _link[state];
        for (int i = 0; i < LaterPlaces && end > Root; i++, end = _link[end]) _end[end] = Count;
    }

    /// <summary>Goes on with a token from the longest end that is in here to the longest one behind the token.</summary>
    /// <param name="state">The end's state; <see cref="Root"/> at the beginning.</param>
    /// <param name="length">The end's length.</param>
    /// <param name="token">The token.</param>
    public void Step(ref int state, ref int length, int token)
    {
        int edge;
        Settle(ref state, length);
        while ((edge = Find(state, token)) == None && state != Root)
        {
            state = _link[state];
            length = _length[state];
        }

        if (edge == None) return;
        state = _edges[edge].Target;
        length++;
    }

    /// <summary>Behind a place where an end stands.</summary>
    /// <param name="state">The end's state.</param>
    /// <param name="length">The end's length.</param>
    public int End(int state, int length)
    {
        Settle(ref state, length);
        return _end[state];
    }

    // A state may have been divided since, and what it stood for be in the part that it links to.
    private void Settle(ref int state, int length)
    {
        while (state != Root && length <= _length[_link[state]]) state = _link[state];
    }

    // The state of all that ends with the token behind a state's longest string; divided from longer ones if need be.
    private int Ending(int before, int token)
    {
        int whole = _edges[Find(before, token)].Target;
        if (_length[before] + 1 == _length[whole]) return whole;
        int part = Add(_length[before] + 1, _end[whole]);
        for (int edge = _firstEdge[whole]; edge != None; edge = _edges[edge].NextOfState) Connect(part, _edges[edge].Token, _edges[edge].Target);
        _link[part] = _link[whole];
        _link[whole] = part;
        for (; before != None && Find(before, token) is not None and var edge && _edges[edge].Target == whole; before = _link[before]) _edges[edge].Target = part;
        return part;
    }

    private int Add(int length, int end)
    {
        (_length[_states], _end[_states], _firstEdge[_states]) = (length, end, None);
        return _states++;
    }

    private void Connect(int source, int token, int target)
    {
        ref int bucket = ref _buckets[Bucket(source, token)];
        _edges[_edgeCount] = (source, token, target, _firstEdge[source], bucket);
        _firstEdge[source] = bucket = _edgeCount++;
    }

    private int Find(int source, int token)
    {
        int edge = _buckets[Bucket(source, token)];
        while (edge != None && (_edges[edge].Source != source || _edges[edge].Token != token)) edge = _edges[edge].NextInBucket;
        return edge;
    }

    private uint Bucket(int source, int token) => (uint)(((((ulong)(uint)source << 32) | (uint)token) * 0x9E3779B97F4A7C15) >> 32) % (uint)_buckets.Length;
}
