using FsCheck.Xunit;
using Quern.Kernels.Cpu;

namespace Quern.Engine.Tests.Cache;

/// <summary>Sequences that begin, grow, fork, shrink and end over a small pool, beside a model of what their pages must store.</summary>
public sealed class SequencePagesTests
{
    private const int Pages = 9, Most = 200, PageTokens = KvLayout.PageTokens;

    // Where some layers have a window, a page costs 10 bytes, and 4 without what they store.
    private const int Window = 40, PageCost = 10, CutCost = 4, Slots = Pages * PageCost / CutCost;

    [Property(MaxTest = 300)]
    public void No_page_is_lost_or_shared_wrongly_whatever_sequences_do(int[] choices) => Check(choices, windowed: false);

    [Property(MaxTest = 300)]
    public void Nor_is_one_where_some_layers_have_a_window(int[] choices) => Check(choices, windowed: true);

    private static void Check(int[] choices, bool windowed)
    {
        MarkedCache cache = new();
        KvPages pool = windowed ? Windowed(cache) : new KvPages(Pages);
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
            (int Page, bool Passed)[] held = [.. alive.SelectMany(sequence => sequence.Pages.Table[(windowed ? 0 : sequence.Passed)..].ToArray().Select((page, i) => (page, windowed && i < sequence.Passed)))];
            Assert.All(Enumerable.Range(0, pool.Slots), page => Assert.Equal(held.Count(p => p.Page == page), pool.References(page)));
            int pages = held.DistinctBy(p => p.Page).Count();
            if (windowed)
            {
                int cost = held.GroupBy(p => p.Page).Sum(holders => pool.IsCut(holders.Key) || holders.All(holder => holder.Passed) ? CutCost : PageCost);
                Assert.Equal(Math.Min(Slots - pages, ((Pages * PageCost) - cost) / PageCost), pool.FreeCount);
                Assert.InRange(cache.Resident, cost, Pages * PageCost);
            }
            else
            {
                Assert.Equal(Pages - pages, pool.FreeCount);
            }
        }
    }

    [Fact]
    public void More_tokens_have_room_where_windows_have_passed_most_of_them()
    {
        MarkedCache cache = new();
        KvPages pool = Windowed(cache);
        List<Sequence> alive = [.. Enumerable.Range(0, 2).Select(i => new Sequence(new SequencePages(pool, Most), [.. Enumerable.Repeat(i, 32)]))];
        foreach (Sequence sequence in alive)
        {
            Assert.True(sequence.Begin(cache));
            for (int i = 0; i < 160; i++)
            {
                Assert.True(sequence.Append(cache, 1, 0));
                sequence.Pass(sequence.Tokens.Count - Window + 1);
            }
        }

        // Twice 192 tokens take twelve pages, and nine whole ones are what there is.
        Assert.Equal(2 * 6, alive.Sum(sequence => sequence.Pages.Table.Length));
        foreach (Sequence sequence in alive) sequence.AssertStored(cache);
        Assert.InRange(cache.Resident, 1, Pages * PageCost);
    }

    [Fact]
    public void What_a_window_has_passed_is_found_again_until_its_room_is_needed()
    {
        MarkedCache cache = new();
        KvPages pool = Windowed(cache);
        int[] tokens = [.. Enumerable.Range(0, 129)];
        Sequence first = new(new SequencePages(pool, Most), [.. tokens]);
        Assert.True(first.Begin(cache));
        first.Pass(129 - Window + 1);
        Assert.Equal(2, first.Pages.Passed);
        Sequence same = new(new SequencePages(pool, Most), [.. tokens[..70], 1]);
        Assert.True(same.Begin(cache));
        Assert.Equal(64, same.Known); // its window is whole: nothing was cut
        same.Pages.TryResize(0);

        SequencePages taker = new(pool, Most);
        Assert.True(taker.TryResize(PageTokens * 5)); // now it is
        Assert.True(pool.IsCut(first.Pages.Table[0]));
        taker.TryResize(0);
        Assert.True(same.Begin(cache));
        Assert.Equal(0, same.Known);
        same.Pages.TryResize(0);
        Sequence later = new(new SequencePages(pool, Most), [.. tokens, 1]);
        Assert.True(later.Begin(cache));
        Assert.Equal((128, 2), (later.Known, later.Pages.Passed)); // what it lacks is behind its window
        later.AssertStored(cache);
        first.AssertStored(cache);
    }

    private static KvPages Windowed(MarkedCache cache) => new(Slots, new PageCosts(Pages * PageCost, PageCost, CutCost) { Window = Window, Memory = cache });

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

    /// <summary>A slot stores a number that stands for its token and all before it, once for all layers and once for those with a window.</summary>
    private sealed class MarkedCache() : KvCache(new KvLayout([new KvLayer(1, 32, 32)], KvType.F16, Slots)), IPageMemory
    {
        private readonly int[] _resident = new int[Slots];

        public int[] Marks { get; } = new int[Slots * PageTokens];

        public int[] WindowMarks { get; } = new int[Slots * PageTokens];

        /// <summary>What pages cost that were written and not given back to the system.</summary>
        public int Resident => _resident.Sum();

        public int Copies { get; private set; }

        public override long Bytes => Marks.Length;

        public override long PageBytes => PageTokens;

        public override void CopyPage(int source, int destination)
        {
            Copies++;
            Marks.AsSpan(source * PageTokens, PageTokens).CopyTo(Marks.AsSpan(destination * PageTokens));
            WindowMarks.AsSpan(source * PageTokens, PageTokens).CopyTo(WindowMarks.AsSpan(destination * PageTokens));
            _resident[destination] = PageCost;
        }

        public void Write(int slot, int mark)
        {
            Marks[slot] = WindowMarks[slot] = mark;
            _resident[slot / PageTokens] = PageCost;
        }

        public override void Free(int page, bool windowedOnly)
        {
            WindowMarks.AsSpan(page * PageTokens, PageTokens).Clear();
            _resident[page] = windowedOnly ? CutCost : 0;
            if (!windowedOnly) Marks.AsSpan(page * PageTokens, PageTokens).Clear();
        }

        public override void Move(ReadOnlySpan<int> blockTable, ReadOnlySpan<int> sources, int firstSlot) => throw new NotSupportedException();

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

        /// <summary>Pages at the beginning that were passed.</summary>
        public int Passed => Pages.Passed;

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
            return new Sequence(into, [.. Tokens]);
        }

        public void Pass(int slot) => Pages.Pass(slot);

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
            for (int slot = Pages.KeepsPassed ? 0 : Passed * PageTokens; slot < marks.Length; slot++) Assert.Equal(marks[slot], cache.Marks[At(slot)]);
            for (int slot = Passed * PageTokens; slot < marks.Length; slot++) Assert.Equal(marks[slot], cache.WindowMarks[At(slot)]);
        }

        private void Store(MarkedCache cache, int from)
        {
            int[] marks = Marks();
            for (int slot = from; slot < marks.Length; slot++) cache.Write(At(slot), marks[slot]);
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
