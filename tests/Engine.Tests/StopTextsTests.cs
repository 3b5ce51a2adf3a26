using System.Text;
using FsCheck;
using FsCheck.Xunit;

namespace Quern.Engine.Tests;

public sealed class StopTextsTests
{
    [Property(MaxTest = 500)]
    public void Text_in_pieces_ends_where_the_whole_text_ends(NonNull<bool[]> letters, NonNull<byte[]> lengths, NonEmptyArray<NonEmptyArray<bool>> stops)
    {
        // Two letters make stop texts likely, also such that overlap their own beginning.
        string text = Letters(letters.Get);
        string[] stopTexts = [.. stops.Get.Select(stop => Letters(stop.Get))];
        int end = stopTexts.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(at => at >= 0).DefaultIfEmpty(-1).Min();
        // Of stop texts that begin earlier but end later, the one that is complete first ends the text.
        int complete = stopTexts.Select(stop => text.IndexOf(stop, StringComparison.Ordinal) is var at and >= 0 ? at + stop.Length : int.MaxValue).Min();

        StopTexts scanner = new(stopTexts);
        StringBuilder got = new();
        int from = 0;
        for (int i = 0; from < text.Length; i++)
        {
            int length = Math.Min(text.Length - from, i < lengths.Get.Length ? lengths.Get[i] % 4 : 1);
            got.Append(scanner.Push(text.AsSpan(from, length)));
            from += length;
        }

        got.Append(scanner.Flush());
        Assert.Equal(end >= 0, scanner.Stopped);
        string result = got.ToString();
        Assert.StartsWith(result, text, StringComparison.Ordinal);
        Assert.DoesNotContain(stopTexts, stop => result.Contains(stop, StringComparison.Ordinal));
        if (end < 0) Assert.Equal(text, result);
        else Assert.InRange(result.Length, end, complete - 1);
    }

    [Fact]
    public void What_might_become_a_stop_text_is_held_back()
    {
        StopTexts scanner = new(["###", "\nUser:"]);
        Assert.Equal("Hello", scanner.Push("Hello#"));
        Assert.Equal("", scanner.Push("#"));
        Assert.Equal("##!", scanner.Push("!"));
        Assert.Equal("", scanner.Push("\nUse"));
        Assert.False(scanner.Stopped);
        Assert.Equal("", scanner.Push("r: hi"));
        Assert.True(scanner.Stopped);
        Assert.Equal("", scanner.Push("more"));
        Assert.Equal("", scanner.Flush());
    }

    [Fact]
    public void What_was_held_back_comes_at_the_end()
    {
        StopTexts scanner = new(["</s>"]);
        Assert.Equal("a ", scanner.Push("a </"));
        Assert.Equal("</", scanner.Flush());
    }

    [Fact]
    public void An_empty_stop_text_is_refused() =>
        Assert.Contains("stop text is empty", Assert.Throws<ArgumentException>(() => new StopTexts(["x", ""])).Message, StringComparison.Ordinal);

    private static string Letters(bool[] letters) => string.Concat(letters.Select(letter => letter ? 'a' : 'b'));
}
