using System.Text.RegularExpressions;
using Quern.Corpus.Building;
using Quern.Corpus.Documents;
using Quern.Corpus.Grammar;
using Quern.Corpus.Themes;
using Quern.Corpus.World;

namespace Quern.Corpus.Tests;

/// <summary>What every story has to be: whole sentences, right articles, consistent pronouns, answers that the story gives.</summary>
public sealed partial class StoryTests
{
    private const int Seeds = 1500;

    public static TheoryData<string> Themes => [.. ThemeTable.All.Select(theme => theme.Name)];

    [Theory]
    [MemberData(nameof(Themes))]
    public void SentencesAreWhole(string theme) => ForAll(theme, story =>
    {
        string text = story.Text;
        Assert.DoesNotMatch(Leftover(), text);
        Assert.DoesNotMatch(DoubledWord(), text);
        foreach (string paragraph in text.Split("\n\n"))
        {
            Assert.Matches(ParagraphShape(), paragraph);
            Assert.DoesNotMatch(SmallStart(), paragraph);
            Assert.Equal(0, paragraph.Count(c => c == '"') % 2);
        }
    });

    [Theory]
    [MemberData(nameof(Themes))]
    public void ArticlesFitTheirWords(string theme) => ForAll(theme, story =>
    {
        foreach (Match match in Article().Matches(story.Text))
            Assert.Equal(Articles.TakesAn(match.Groups[2].ValueSpan), match.Groups[1].Value.Equals("an", StringComparison.OrdinalIgnoreCase));
    });

    [Theory]
    [MemberData(nameof(Themes))]
    public void PronounsBelongToSomebody(string theme) => ForAll(theme, story =>
    {
        if (story.Characters.All(who => who.Pronouns == Pronouns.She)) Assert.DoesNotMatch(HisWords(), story.Text);
        if (story.Characters.All(who => who.Pronouns == Pronouns.He)) Assert.DoesNotMatch(HerWords(), story.Text);
    });

    [Theory]
    [MemberData(nameof(Themes))]
    public void QuestionsAreAnsweredByTheStory(string theme) => ForAll(theme, story =>
    {
        Assert.True(story.Questions.Count >= 4);
        Assert.NotEmpty(story.Lesson);
        Assert.NotEmpty(story.Subject);
        foreach (Question question in story.Questions)
        {
            Assert.EndsWith("?", question.Text, StringComparison.Ordinal);
            Assert.EndsWith(".", question.Answer, StringComparison.Ordinal);
            Assert.Contains(question.Key, question.Answer, StringComparison.OrdinalIgnoreCase);
            Assert.Contains(question.Key, story.Text, StringComparison.OrdinalIgnoreCase);
        }
    });

    [Theory]
    [MemberData(nameof(Themes))]
    public void LengthsAreForChildren(string theme)
    {
        List<int> words = [];
        ForAll(theme, story => words.Add(story.Text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Length));
        Assert.InRange(words.Min(), 60, 200);
        Assert.InRange(words.Max(), 150, 420);
    }

    [Fact]
    public void StoriesAreDistinct()
    {
        const int Count = 100_000;
        int distinct = Enumerable.Range(0, Count).AsParallel()
            .Select(i => DocumentStream.Hash(DocumentWriter.Write((ulong)i, DocumentKind.Story, chat: false).Text))
            .Distinct().Count();
        Assert.InRange(distinct, Count - 20, Count);
    }

    [Fact]
    public void TheSameSeedTellsTheSameStory()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            Assert.Equal(DocumentWriter.Write(seed).Text, DocumentWriter.Write(seed).Text);
            Assert.NotEqual(DocumentWriter.Write(seed).Text, DocumentWriter.Write(seed + 1).Text);
        }
    }

    private static void ForAll(string theme, Action<Story> check)
    {
        Action<Story> tell = ThemeTable.All.First(entry => entry.Name == theme).Tell;
        for (int seed = 0; seed < Seeds; seed++)
        {
            Story story = new(new Dice((ulong)seed), seed % 4 * 33);
            tell(story);
            try
            {
                check(story);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{theme}, seed {seed}: {e.Message}\n\n{story.Text}", e);
            }
        }
    }

    [GeneratedRegex(@"[\[\]{}|\u0001\u0002\t]|  | \n|\n |\n\n\n| [.,!?]|[.,!?]{2}|\ba an?\b")]
    private static partial Regex Leftover();

    // "had had" and "that that" are English, but not the English of these stories.
    [GeneratedRegex(@"\b(\w+) \1\b")]
    private static partial Regex DoubledWord();

    // A paragraph is of one line, begins with a capital, and ends as a sentence does.
    [GeneratedRegex(@"^""?[A-Z][^\n]*[.!?]""?$")]
    private static partial Regex ParagraphShape();

    // A full stop, and then no capital.
    [GeneratedRegex(@"\.""? ""?[a-z]|[!?] ""?[a-z]")]
    private static partial Regex SmallStart();

    [GeneratedRegex(@"\b([Aa]n?) ([A-Za-z]+)")]
    private static partial Regex Article();

    [GeneratedRegex(@"\b([Hh]e|[Hh]im|[Hh]is|[Hh]imself)\b")]
    private static partial Regex HisWords();

    [GeneratedRegex(@"\b([Ss]he|[Hh]er|[Hh]erself)\b")]
    private static partial Regex HerWords();
}
