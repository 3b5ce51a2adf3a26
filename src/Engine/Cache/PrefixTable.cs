using System.Diagnostics;
using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>
/// Finds the page that stores given tokens behind a given prefix. A prefix is a number that is given once: that of a page stands for all tokens up to its end, because the page is
/// filed under its own tokens and the number of the prefix before it. Both are compared, not only their hash, so that no two texts are ever taken for each other. A page behind
/// one that was forgotten is never found again.
/// </summary>
/// <param name="pages">Pages in the pool.</param>
internal sealed class PrefixTable(int pages)
{
    /// <summary>The prefix without tokens.</summary>
    public const long Root = 0;

    private const int None = -1, Length = KvLayout.PageTokens;

    private readonly int[] _tokens = new int[(long)pages * Length];
    private readonly long[] _parents = new long[pages];
    private readonly long[] _prefixes = new long[pages];
    private readonly int[] _buckets = Filled(pages);
    private readonly int[] _nextInBucket = new int[pages];
    private long _last = Root;

    /// <summary>Pages in the table.</summary>
    public int Count { get; private set; }

    /// <summary>The prefix that ends with a page; 0 if the page is not in the table.</summary>
    public long this[int page] => _prefixes[page];

    /// <summary>Whether a page is in the table.</summary>
    public bool Contains(int page) => _prefixes[page] != 0;

    /// <summary>Looks for the page with <paramref name="tokens"/> behind <paramref name="parent"/>.</summary>
    public bool TryFind(long parent, ReadOnlySpan<int> tokens, out int page)
    {
        Debug.Assert(tokens.Length == Length, "only whole pages are filed");
        for (page = _buckets[Bucket(parent, tokens)]; page != None; page = _nextInBucket[page])
            if (_parents[page] == parent && tokens.SequenceEqual(Tokens(page))) return true;
        return false;
    }

    /// <summary>Files a page that is not in the table.</summary>
    /// <returns>The prefix that ends with it.</returns>
    public long Add(int page, long parent, ReadOnlySpan<int> tokens)
    {
        Debug.Assert(!Contains(page), "a page is filed once");
        tokens.CopyTo(Tokens(page));
        ref int bucket = ref _buckets[Bucket(parent, tokens)];
        (_nextInBucket[page], bucket) = (bucket, page);
        _parents[page] = parent;
        Count++;
        return _prefixes[page] = ++_last;
    }

    /// <summary>Takes a page out, if it is in.</summary>
    public void Remove(int page)
    {
        if (!Contains(page)) return;
        ref int link = ref _buckets[Bucket(_parents[page], Tokens(page))];
        while (link != page) link = ref _nextInBucket[link];
        link = _nextInBucket[page];
        _prefixes[page] = 0;
        Count--;
    }

    private static int[] Filled(int count)
    {
        int[] buckets = new int[count];
        Array.Fill(buckets, None);
        return buckets;
    }

    private Span<int> Tokens(int page) => _tokens.AsSpan(page * Length, Length);

    private uint Bucket(long parent, ReadOnlySpan<int> tokens)
    {
        HashCode hash = default;
        hash.Add(parent);
        foreach (int token in tokens) hash.Add(token);
        return (uint)hash.ToHashCode() % (uint)_buckets.Length;
    }
}
