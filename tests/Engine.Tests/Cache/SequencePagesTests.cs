using FsCheck.Xunit;
using Quern.Kernels.Cpu;

namespace Quern.Engine.Tests.Cache;

/// <summary>Sequences that begin, grow, fork, shrink and end over a small pool, beside a model of what their pages must store.</summary>
public sealed class SequencePagesTests
{
    private const int Pages = 9, Most = 200, PageTokens = KvLayout.PageTokens;

    [Property(MaxTest = 300)]
    public void No_page_is_lost_or_shared_wrongly_whatever_sequences_do(int[] choices)
    {
        KvPages pool = new(Pages);
        MarkedCache cache = new();
        List<Sequence> alive = [];
        foreach (uint choice in choices.Select((choice, i) => unchecked((uint)(choice + (1000 * i)) * 2654435761)))
        {
            Sequence? chosen = alive.Count == 0 ? null : alive[(int)(choice / 8 % alive.Count)];
            switch (choice % 8)
            {
                case 0 or 1:
                    Sequence begun = new(new SequencePages(pool, Most), [.. Enumerable.Range(0, (int)(choice / 8 % 130) + 1).Select(i => i % 50 == 49 ? (int)(choice / 2000 % 2) : i)]);
                    if (begun.Begin(cache)) alive.Add(begun);
                    break;
                case 2 or 3 when chosen is not null:
                    chosen.Append(cache, (int)(choice / 64 % 40) + 1, (int)(choice / 4000 % 2));
                    break;
                case 4 when chosen is not null:
                    alive.Add(chosen.Fork(new SequencePages(pool, Most)));
                    break;
                case 5 when chosen is not null:
                    chosen.Truncate((int)(choice / 64 % (uint)(chosen.Tokens.Count + 1)));
                    break;
                case 7 when chosen is not null:
                    chosen.Pass((int)(choice / 64 % (uint)(chosen.Tokens.Count + 1)));
                    break;
                case 6 when chosen is not null:
                    chosen.Pages.TryResize(0);
                    alive.Remove(chosen);
                    break;
            }

            foreach (Sequence sequence in alive) sequence.AssertStored(cache);
            int[] held = [.. alive.SelectMany(sequence => sequence.Pages.Table[sequence.Passed..].ToArray())];
            Assert.Equal(Pages - held.Distinct().Count(), pool.FreeCount);
            Assert.All(Enumerable.Range(0, Pages), page => Assert.Equal(held.Count(p => p == page), pool.References(page)));
        }
    }

    [Fact]
    public void A_prefix_is_found_after_its_sequence_has_ended()
    {
        KvPages pool = new(Pages);
        MarkedCache cache = new();
        int[] tokens = [.. Enumerable.Range(0, 70)];
        Sequence first = new(new SequencePages(pool, Most), [.. tokens]);
        Assert.True(first.Begin(cache));
        Assert.Equal(0, first.Known);
        first.Pages.TryResize(0);
        Assert.Equal((Pages, 2), (pool.FreeCount, pool.KnownCount));

        Sequence same = new(new SequencePages(pool, Most), [.. tokens]);
        same.Begin(cache);
        Assert.Equal(64, same.Known);
        Sequence other = new(new SequencePages(pool, Most), [.. tokens[..40], 7, .. tokens[40..]]);
        other.Begin(cache);
        Assert.Equal(32, other.Known);
        Sequence whole = new(new SequencePages(pool, Most), [.. tokens[..64]]);
        whole.Begin(cache);
        Assert.Equal(32, whole.Known); // one token has to be left to go on from
    }

    [Fact]
    public void The_same_tokens_behind_others_are_another_prefix()
    {
        KvPages pool = new(Pages);
        MarkedCache cache = new();
        int[] page = [.. Enumerable.Repeat(5, PageTokens)];
        Sequence first = new(new SequencePages(pool, Most), [.. Enumerable.Repeat(1, PageTokens), .. page, 0]);
        first.Begin(cache);
        Sequence second = new(new SequencePages(pool, Most), [.. Enumerable.Repeat(2, PageTokens), .. page, 0]);
        second.Begin(cache);
        Assert.Equal(0, second.Known);
        foreach (Sequence again in new[] { first, second })
        {
            Sequence same = new(new SequencePages(pool, Most), again.Tokens);
            Assert.True(same.Begin(cache));
            Assert.Equal(2 * PageTokens, same.Known);
            same.AssertStored(cache);
        }
    }

    [Fact]
    public void The_end_of_the_oldest_prefix_is_forgotten_first()
    {
        KvPages pool = new(4);
        MarkedCache cache = new();
        foreach (int word in new[] { 0, 1 })
        {
            Sequence sequence = new(new SequencePages(pool, Most), [.. Enumerable.Repeat(word, 64)]);
            Assert.True(sequence.Begin(cache));
            sequence.Pages.TryResize(0);
        }

        SequencePages taker = new(pool, Most);
        Assert.True(taker.TryResize(PageTokens));
        SequencePages again = new(pool, Most);
        Assert.True(again.TryBegin([.. Enumerable.Repeat(0, 65)], out int known));
        Assert.Equal(32, known);
    }

    [Fact]
    public void A_shared_page_is_copied_once_and_only_when_it_is_written()
    {
        KvPages pool = new(4);
        MarkedCache cache = new();
        Sequence first = new(new SequencePages(pool, Most), [.. Enumerable.Range(0, 40)]);
        first.Begin(cache);
        Sequence fork = first.Fork(new SequencePages(pool, Most));
        Assert.Equal(2, pool.FreeCount);
        Assert.True(fork.Append(cache, 1, 1));
        Assert.True(first.Append(cache, 1, 0));
        Assert.Equal((1, 1), (cache.Copies, pool.FreeCount));
        Assert.Equal(first.Pages.Table[0], fork.Pages.Table[0]);
        Assert.NotEqual(first.Pages.Table[1], fork.Pages.Table[1]);
    }

    /// <summary>A slot stores a number that stands for its token and all before it.</summary>
    private sealed class MarkedCache() : KvCache(new KvLayout([new KvLayer(1, 32, 32)], KvType.F16, Pages))
    {
        public int[] Marks { get; } = new int[Pages * PageTokens];

        public int Copies { get; private set; }

        public override long Bytes => Marks.Length;

        public override long PageBytes => PageTokens;

        public override void CopyPage(int source, int destination)
        {
            Copies++;
            Marks.AsSpan(source * PageTokens, PageTokens).CopyTo(Marks.AsSpan(destination * PageTokens));
        }

        public override void ReadPage(int page, Span<byte> destination) => throw new NotSupportedException();

        public override void WritePage(int page, ReadOnlySpan<byte> source) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
        }
    }

    private sealed class Sequence(SequencePages pages, List<int> tokens)
    {
        public SequencePages Pages { get; } = pages;

        public List<int> Tokens { get; } = tokens;

        public int Known { get; private set; }

        /// <summary>Pages that were given back at the beginning.</summary>
        public int Passed { get; private set; }

        public bool Begin(MarkedCache cache)
        {
            if (!Pages.TryBegin([.. Tokens], out int known)) return false;
            Known = known;
            Store(cache, known);
            return true;
        }

        public bool Append(MarkedCache cache, int count, int token)
        {
            count = Math.Min(count, Most - Tokens.Count);
            if (count == 0 || !Pages.TryPrepare(Tokens.Count, count, cache)) return false;
            int before = Tokens.Count;
            Tokens.AddRange(Enumerable.Repeat(token, count));
            Store(cache, before);
            return true;
        }

        public Sequence Fork(SequencePages into)
        {
            into.ShareFrom(Pages);
            return new Sequence(into, [.. Tokens]) { Passed = Passed };
        }

        public void Pass(int slot)
        {
            Pages.Pass(slot);
            Passed = Math.Max(Passed, slot / PageTokens);
        }

        // Nobody goes back to what was passed.
        public void Truncate(int length)
        {
            length = Math.Max(length, Passed * PageTokens);
            Tokens.RemoveRange(length, Tokens.Count - length);
            Pages.TryResize(length);
        }

        public void AssertStored(MarkedCache cache)
        {
            int[] marks = Marks();
            for (int slot = Passed * PageTokens; slot < marks.Length; slot++) Assert.Equal(marks[slot], cache.Marks[At(slot)]);
        }

        private void Store(MarkedCache cache, int from)
        {
            int[] marks = Marks();
            for (int slot = from; slot < marks.Length; slot++) cache.Marks[At(slot)] = marks[slot];
            Pages.Publish([.. Tokens]);
        }

        private int At(int slot) => (Pages.Table[slot / PageTokens] * PageTokens) + (slot % PageTokens);

        private int[] Marks()
        {
            int mark = 1;
            return [.. Tokens.Select(token => mark = unchecked((mark * 31) + token + 1))];
        }
    }
}
