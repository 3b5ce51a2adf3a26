namespace Quern.Text.Search;

/// <summary>A trie over bytes whose edges lie in one open-addressing table. Node 0 is the root.</summary>
internal sealed class ByteTrie
{
    /// <summary>What <see cref="Child"/> gives where there is no edge, and <see cref="Value"/> where a node ends no key.</summary>
    public const int None = -1;

    private readonly List<int> _values = [None];
    private Edge[] _edges = new Edge[64];
    private int _edgeCount;

    /// <summary>Adds a key; the first of two equal keys wins.</summary>
    public void Add(ReadOnlySpan<byte> key, int value)
    {
        int node = 0;
        foreach (byte b in key)
        {
            int child = Child(node, b);
            if (child == None)
            {
                child = _values.Count;
                _values.Add(None);
                AddEdge(new Edge(Label(node, b), child));
            }

            node = child;
        }

        if (_values[node] == None) _values[node] = value;
    }

    public int Value(int node) => _values[node];

    public int Child(int node, byte b)
    {
        long label = Label(node, b);
        Edge[] edges = _edges;
        for (uint i = Hash(label); ; i++)
        {
            ref Edge edge = ref edges[i & (uint)(edges.Length - 1)];
            if (edge.Label == label) return edge.Child;
            if (edge.Label == 0) return None;
        }
    }

    private void AddEdge(Edge edge)
    {
        if (2 * (_edgeCount + 1) > _edges.Length)
        {
            Edge[] old = _edges;
            _edges = new Edge[2 * old.Length];
            foreach (Edge kept in old)
            {
                if (kept.Label != 0) Place(kept);
            }
        }

        Place(edge);
        _edgeCount++;
    }

    private void Place(Edge edge)
    {
        uint i = Hash(edge.Label);
        while (_edges[i & (uint)(_edges.Length - 1)].Label != 0) i++;
        _edges[i & (uint)(_edges.Length - 1)] = edge;
    }

    // Never 0, which marks an empty slot.
    private static long Label(int node, byte b) => (((long)node + 1) << 8) | b;

    private static uint Hash(long label) => (uint)(((ulong)label * 0x9E3779B97F4A7C15) >> 32);

    private readonly record struct Edge(long Label, int Child);
}
