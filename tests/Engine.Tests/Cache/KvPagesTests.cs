using FsCheck.Xunit;

namespace Quern.Engine.Tests.Cache;

public sealed class KvPagesTests
{
    [Property]
    public void No_page_is_handed_out_twice_and_none_is_lost(int[] choices)
    {
        KvPages pages = new(7);
        List<int> held = [];
        foreach (int choice in choices)
        {
            switch ((uint)choice % 3)
            {
                case 0:
                    bool taken = pages.TryTake(out int page);
                    Assert.Equal(held.Distinct().Count() < 7, taken);
                    if (taken)
                    {
                        Assert.DoesNotContain(page, held);
                        held.Add(page);
                    }

                    break;
                case 1 when held.Count > 0:
                    int again = held[(int)((uint)choice % (uint)held.Count)];
                    pages.Hold(again);
                    held.Add(again);
                    break;
                case 2 when held.Count > 0:
                    int index = (int)((uint)choice % (uint)held.Count);
                    pages.Release(held[index]);
                    held.RemoveAt(index);
                    break;
            }

            Assert.Equal(7 - held.Distinct().Count(), pages.FreeCount);
            Assert.All(Enumerable.Range(0, 7), page => Assert.Equal(held.Count(p => p == page), pages.References(page)));
        }
    }

    [Fact]
    public void A_free_page_is_neither_held_nor_released()
    {
        KvPages pages = new(2);
        Assert.Contains("page 1 is free", Assert.Throws<InvalidOperationException>(() => pages.Release(1)).Message, StringComparison.Ordinal);
        Assert.Contains("page 0 is free", Assert.Throws<InvalidOperationException>(() => pages.Hold(0)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_sequence_takes_no_page_when_the_pool_has_too_few()
    {
        KvPages pages = new(3);
        SequencePages first = new(pages, 96);
        SequencePages second = new(pages, 96);
        Assert.True(first.TryResize(33));
        Assert.Equal(2, first.Table.Length);
        Assert.False(second.TryResize(33));
        Assert.Empty(second.Table.ToArray());
        Assert.Equal(1, pages.FreeCount);
        Assert.True(first.TryResize(32));
        Assert.True(second.TryResize(64));
        Assert.Empty(first.Table.ToArray().Intersect(second.Table.ToArray()));
    }
}
