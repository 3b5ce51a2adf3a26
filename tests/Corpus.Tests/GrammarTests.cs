using System.Text;
using Quern.Corpus.Grammar;
using Quern.Corpus.World;

namespace Quern.Corpus.Tests;

/// <summary>The dice and the language of the templates.</summary>
public sealed class GrammarTests
{
    private static readonly Character Otter = new("Ida", "otter", "old", Pronouns.She) { IsAnimal = true };

    [Fact]
    public void TheDiceAreSplitMix64()
    {
        // By a program of its own: the first output of the seed 1234567 (6457827717110365317, as in the reference) is the state to begin with.
        Dice dice = new(1234567);
        Assert.Equal(new ulong[] { 9709514789577493705, 13013878896559074743, 18400152718586555324 }, new[] { dice.Next(), dice.Next(), dice.Next() });
    }

    [Fact]
    public void NumbersStayInTheirRangeAndReachItsEnds()
    {
        Dice dice = new(5);
        int[] drawn = [.. Enumerable.Range(0, 2000).Select(_ => dice.Between(3, 9))];
        Assert.Equal([3, 4, 5, 6, 7, 8, 9], drawn.Distinct().Order());
        int[] some = dice.PickSome([1, 2, 3, 4, 5], 5);
        Assert.Equal([1, 2, 3, 4, 5], some.Order());
    }

    [Theory]
    [InlineData("{Hero} and {his} ball.", "Ida and her ball.")]
    [InlineData("{He} saw {himself}. It was {him}.", "She saw herself. It was her.")]
    [InlineData("There was {hero.intro}.", "There was an old otter named Ida.")]
    [InlineData("{An} {hero.kind} ate {an} [apple].", "An otter ate an apple.")]
    [InlineData("{an} [old|old] hat, {an} hour, {an} unicorn", "an old hat, an hour, a unicorn")]
    [InlineData("[a[b|b]c|a[b|b]c]", "abc")]
    [InlineData("x[|]y", "xy")]
    [InlineData("{Hero.full}!", "Ida the otter!")]
    public void TemplatesExpand(string template, string expected) => Assert.Equal(expected, Expand(template));

    [Theory]
    [InlineData("{nobody} is here")]
    [InlineData("{hero.tail}")]
    [InlineData("[one|two")]
    [InlineData("{hero")]
    public void TemplatesWithMistakesAreErrors(string template) => Assert.Throws<FormatException>(() => Expand(template));

    [Fact]
    public void EveryAlternativeIsChosen()
    {
        Dice dice = new(1);
        HashSet<string> found = [];
        for (int i = 0; i < 200; i++)
        {
            StringBuilder text = new();
            Template.Expand("[a|b[c|d]|]", dice, new Roles(), text);
            found.Add(text.ToString());
        }

        Assert.Equal(["", "a", "bc", "bd"], found.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void NobodyGivesAwayWhatTheyDoNotHave()
    {
        Story story = new(new Dice(1), 50);
        Thing ball = new("ball");
        Character other = Otter with { Name = "Bea" };
        story.Give(ball, Otter);
        story.Give(ball, Otter, other);
        Assert.True(story.Has(other, ball));
        Assert.Throws<InvalidOperationException>(() => story.Give(ball, Otter, other));
        Assert.Throws<InvalidOperationException>(() => story.Lose(ball, Otter));
    }

    private static string Expand(string template)
    {
        StringBuilder text = new();
        Roles roles = new() { ["hero"] = Otter };
        Template.Expand(template, new Dice(1), roles, text);
        return text.ToString();
    }
}
