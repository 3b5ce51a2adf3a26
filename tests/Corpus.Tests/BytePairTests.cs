using FsCheck.Xunit;
using Quern.Corpus.BytePairs;

namespace Quern.Corpus.Tests;

/// <summary>The byte-pair trainer against the obvious one, which counts everything anew for each merge.</summary>
public sealed class BytePairTests
{
    [Fact]
    public void MergesGoByCountAndThenById()
    {
        // "ab" and "cd" occur 5 times each: the lower left id first. Then "ab"+"cd".
        Dictionary<string, long> words = new() { ["abcd"] = 5, ["xy"] = 3 };
        BytePairs.BytePairs pairs = BytePairTrainer.Train(words, 256 + 4);
        Assert.Equal(["ab", "cd", "abcd", "xy"], pairs.Tokens.Skip(256));
        Assert.Equal([('a', 'b'), ('c', 'd'), (256, 257), ('x', 'y')], pairs.Merges);
    }

    [Fact]
    public void NumbersAreNotLearned()
    {
        Dictionary<string, long> words = new() { ["1234"] = 1000, ["no"] = 2 };
        Assert.Equal(["no"], BytePairTrainer.Train(words, 257).Tokens.Skip(256));
        Assert.Throws<InvalidDataException>(() => BytePairTrainer.Train(words, 258));
    }

    [Property(MaxTest = 60)]
    public void TheTrainerIsTheObviousOne(int seed)
    {
        Random random = new(seed);
        Dictionary<string, long> words = [];
        for (int i = 0; i < 40; i++)
            words[string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => (char)('a' + random.Next(3))))] = random.Next(1, 9);
        List<(int, int)> expected = Obvious(words, 20);
        BytePairs.BytePairs actual = BytePairTrainer.Train(words, 256 + expected.Count - Repeats(expected));
        Assert.Equal(expected[..actual.Merges.Count], actual.Merges);
    }

    // Merges whose result was a token before.
    private static int Repeats(List<(int, int)> merges)
    {
        List<string> tokens = [.. Enumerable.Range(0, 256).Select(b => ((char)b).ToString())];
        int repeats = 0;
        foreach ((int left, int right) in merges)
        {
            string text = tokens[left] + tokens[right];
            if (tokens.Contains(text)) repeats++;
            else tokens.Add(text);
        }

        return repeats;
    }

    private static List<(int, int)> Obvious(Dictionary<string, long> words, int merges)
    {
        List<string> tokens = [.. Enumerable.Range(0, 256).Select(b => ((char)b).ToString())];
        List<(List<int> Symbols, long Count)> state = [.. words.Select(word => (word.Key.Select(c => (int)c).ToList(), word.Value))];
        List<(int, int)> done = [];
        while (done.Count < merges)
        {
            Dictionary<(int, int), long> counts = [];
            foreach ((List<int> symbols, long count) in state)
                for (int i = 1; i < symbols.Count; i++)
                    counts[(symbols[i - 1], symbols[i])] = counts.GetValueOrDefault((symbols[i - 1], symbols[i])) + count;
            if (counts.Count == 0) break;
            (int Left, int Right) best = counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).First().Key;
            string text = tokens[best.Left] + tokens[best.Right];
            int merged = tokens.IndexOf(text);
            if (merged < 0)
            {
                merged = tokens.Count;
                tokens.Add(text);
            }

            done.Add(best);
            foreach ((List<int> symbols, _) in state)
            {
                for (int i = 0; i + 1 < symbols.Count; i++)
                {
                    if (symbols[i] != best.Left || symbols[i + 1] != best.Right) continue;
                    symbols[i] = merged;
                    symbols.RemoveAt(i + 1);
                }
            }
        }

        return done;
    }
}
