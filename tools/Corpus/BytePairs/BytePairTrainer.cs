namespace Quern.Corpus.BytePairs;

/// <summary>The tokens of a byte-level BPE without its special tokens, and its merges.</summary>
/// <param name="Tokens">The bytes of each token, one character a byte; the first 256 are the bytes.</param>
/// <param name="Merges">Pairs of tokens, the most urgent first.</param>
internal sealed record BytePairs(IReadOnlyList<string> Tokens, IReadOnlyList<(int Left, int Right)> Merges);

/// <summary>
/// Learns a byte-pair encoding: the pair of neighbours that occurs most often becomes a token, again and again. Of pairs that occur equally often
/// the one whose left token has the lower id goes first, then the one whose right token has. Words with a digit are not learned from, so that
/// every digit stays a token and a number is spelled by its digits.
/// Source: Sennrich, Haddow, Birch, Neural Machine Translation of Rare Words with Subword Units, 2016, algorithm 1; pair counts are kept up to date
/// word by word.
/// </summary>
internal sealed class BytePairTrainer
{
    private readonly List<string> _tokens = [.. Enumerable.Range(0, 256).Select(b => ((char)b).ToString())];
    private readonly Dictionary<string, int> _ids;
    private readonly List<(int, int)> _merges = [];
    private readonly List<int[]> _words = [];
    private readonly List<long> _counts = [];
    private readonly Dictionary<(int Left, int Right), Pair> _pairs = [];

    private BytePairTrainer(IReadOnlyDictionary<string, long> words)
    {
        _ids = Enumerable.Range(0, 256).ToDictionary(b => _tokens[b], b => b, StringComparer.Ordinal);
        foreach ((string word, long count) in words)
        {
            if (word.AsSpan().ContainsAnyInRange('0', '9')) continue;
            _words.Add([.. word.Select(c => (int)c)]);
            _counts.Add(count);
            Count(_words.Count - 1, _counts[^1]);
        }
    }

    /// <summary>Learns until there are <paramref name="size"/> tokens.</summary>
    /// <param name="words">Words with their counts, as <see cref="WordCounts"/> has them; their order does not matter.</param>
    /// <param name="size">The number of tokens, at least 256.</param>
    /// <exception cref="InvalidDataException">The words have too few pairs.</exception>
    public static BytePairs Train(IReadOnlyDictionary<string, long> words, int size)
    {
        BytePairTrainer trainer = new(words);
        while (trainer._tokens.Count < size) trainer.Merge();
        return new BytePairs(trainer._tokens, trainer._merges);
    }

    private void Merge()
    {
        (int Left, int Right) best = Best();
        string text = _tokens[best.Left] + _tokens[best.Right];

        // Two ways to the same bytes are two merges and one token.
        if (!_ids.TryGetValue(text, out int merged))
        {
            _ids[text] = merged = _tokens.Count;
            _tokens.Add(text);
        }

        _merges.Add(best);
        foreach (int word in _pairs[best].Words.ToArray())
        {
            Count(word, -_counts[word]);
            _words[word] = Joined(_words[word], best, merged);
            Count(word, _counts[word]);
        }

        _pairs.Remove(best);
    }

    private (int Left, int Right) Best()
    {
        (int Left, int Right) best = (-1, -1);
        long most = 0;
        foreach (((int Left, int Right) pair, Pair found) in _pairs)
            if (found.Count > most || (found.Count == most && most > 0 && pair.CompareTo(best) < 0)) (best, most) = (pair, found.Count);
        if (most == 0) throw new InvalidDataException($"the corpus has words for {_tokens.Count} tokens only");
        return best;
    }

    private void Count(int word, long count)
    {
        int[] symbols = _words[word];
        for (int i = 1; i < symbols.Length; i++)
        {
            (int, int) key = (symbols[i - 1], symbols[i]);
            if (!_pairs.TryGetValue(key, out Pair? pair)) _pairs[key] = pair = new Pair();
            pair.Count += count;
            if (count > 0) pair.Words.Add(word);
            else pair.Words.Remove(word);
            if (pair.Count == 0) _pairs.Remove(key);
        }
    }

    private static int[] Joined(int[] symbols, (int Left, int Right) pair, int merged)
    {
        List<int> joined = new(symbols.Length);
        for (int i = 0; i < symbols.Length; i++)
        {
            bool matches = i + 1 < symbols.Length && symbols[i] == pair.Left && symbols[i + 1] == pair.Right;
            joined.Add(matches ? merged : symbols[i]);
            if (matches) i++;
        }

        return [.. joined];
    }

    private sealed class Pair
    {
        public long Count { get; set; }

        /// <summary>The words that have the pair.</summary>
        public HashSet<int> Words { get; } = [];
    }
}
