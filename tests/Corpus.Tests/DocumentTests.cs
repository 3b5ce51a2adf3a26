using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Quern.Corpus.Documents;
using Quern.Corpus.Lexicon;

namespace Quern.Corpus.Tests;

/// <summary>Chats, calculations and records.</summary>
public sealed partial class DocumentTests
{
    private static readonly Dictionary<string, int> Values = Enumerable.Range(0, 1000).ToDictionary(Numbers.Words, n => n, StringComparer.OrdinalIgnoreCase);

    [Fact]
    public void AllKindsOccurAsOftenAsPlanned()
    {
        Document[] documents = [.. Enumerable.Range(0, 4000).Select(seed => DocumentWriter.Write((ulong)seed))];
        Assert.Equal(100, DocumentWriter.Kinds.Sum(kind => kind.Percent));
        foreach ((DocumentKind kind, _, int percent, _) in DocumentWriter.Kinds)
        {
            Document[] ofKind = [.. documents.Where(document => document.Kind == kind)];
            Assert.InRange(100.0 * ofKind.Length / documents.Length, percent - 3, percent + 3);
            Assert.Contains(ofKind, document => document.IsChat);
            Assert.Contains(ofKind, document => !document.IsChat);
        }
    }

    [Fact]
    public void ChatsAlternateAndEndWithAnAnswer() => ForAll(null, true, document =>
    {
        Turn[] turns = [.. document.Turns.SkipWhile(turn => turn.Role == "system")];
        Assert.True(document.Turns.Count - turns.Length <= 1);
        Assert.True(turns.Length >= 2);
        for (int i = 0; i < turns.Length; i++) Assert.Equal(i % 2 == 0 ? "user" : "assistant", turns[i].Role);
        Assert.Equal(0, turns.Length % 2);
        Assert.EndsWith("<|im_end|>", document.Text, StringComparison.Ordinal);
        Assert.All(document.Turns, turn => Assert.DoesNotContain("<|", turn.Text, StringComparison.Ordinal));
        Assert.All(document.Turns, turn => Assert.Equal(turn.Text.Trim(), turn.Text));
        Assert.Equal(document.Text, string.Join('\n', document.Passages.Select(passage => $"<|im_start|>{passage}<|im_end|>")));
    });

    [Fact]
    public void RequestsForAStoryAreSentences() => ForAll(DocumentKind.Story, true, document =>
    {
        string prompt = document.Turns.First(turn => turn.Role == "user").Text;
        Assert.Matches(@"^[A-Z][^\n{}\[\]]*[.!?]$", prompt);
        Assert.DoesNotContain("..", prompt, StringComparison.Ordinal);
        Assert.DoesNotContain("  ", prompt, StringComparison.Ordinal);
    });

    [Fact]
    public void CalculationsAreRight()
    {
        int digits = 0, words = 0, problems = 0;
        foreach (bool chat in new[] { false, true })
        {
            ForAll(DocumentKind.Arithmetic, chat, document =>
            {
                foreach (Match match in InDigits().Matches(document.Text))
                {
                    Check(Number(match, 1), match.Groups[2].Value[0], Number(match, 3), Number(match, 4));
                    digits++;
                }

                foreach (Match match in InWords().Matches(document.Text))
                {
                    char sign = match.Groups[2].Value switch { "plus" => '+', "minus" => '-', "times" => '*', _ => '/' };
                    Check(Values[match.Groups[1].Value], sign, Values[match.Groups[3].Value], Values[match.Groups[4].Value]);
                    words++;
                }

                foreach (Match match in Because().Matches(document.Text))
                {
                    Assert.Equal(match.Groups[1].Value, match.Groups[2].Value);
                    problems++;
                }

                foreach (Match match in Comparison().Matches(document.Text))
                    Assert.Equal(match.Groups[2].Value == "bigger", Number(match, 1) > Number(match, 3));
            });
        }

        Assert.True(digits > 500 && words > 100 && problems > 100, $"{digits} in digits, {words} in words, {problems} problems");

        static void Check(int left, char sign, int right, int result) =>
            Assert.Equal(sign switch { '+' => left + right, '-' => left - right, '*' => left * right, _ => right * result == left ? result : -1 }, result);
    }

    [Fact]
    public void RecordsAreJson()
    {
        int parsed = 0;
        foreach (bool chat in new[] { false, true })
        {
            ForAll(DocumentKind.Record, chat, document =>
            {
                string[] texts = document.IsChat ? [.. document.Turns.Select(turn => turn.Text)] : [document.Text];
                foreach (Match match in texts.SelectMany(text => Braces().Matches(text)))
                {
                    using JsonDocument json = JsonDocument.Parse(match.Value);
                    Assert.Equal(JsonValueKind.Object, json.RootElement.ValueKind);
                    Assert.NotEmpty(json.RootElement.EnumerateObject());
                    parsed++;
                }

                if (!document.IsChat) return;
                Assert.All(document.Turns.Where(turn => turn.Role == "assistant"), turn => JsonDocument.Parse(turn.Text).Dispose());
            });
        }

        Assert.True(parsed > 500);
    }

    [Fact]
    public void RecordsSayWhatTheDescriptionSays() => ForAll(DocumentKind.Record, false, document =>
    {
        foreach (string block in document.Text.Split("\n\n"))
        {
            int brace = block.IndexOf('{', StringComparison.Ordinal);
            if (brace <= 0) continue;
            using JsonDocument json = JsonDocument.Parse(block[brace..]);
            foreach (JsonProperty field in json.RootElement.EnumerateObject())
            {
                if (field.Value.ValueKind is JsonValueKind.True or JsonValueKind.False || field.Name is "count") continue;
                string[] values = field.Value.ValueKind == JsonValueKind.Array ? [.. field.Value.EnumerateArray().Select(value => value.ToString())] : [field.Value.ToString()];
                Assert.All(values, value => Assert.Contains(value, block[..brace], StringComparison.Ordinal));
            }
        }
    });

    [Fact]
    public void ListsAreSaidAgainAsTheyWere()
    {
        int again = 0, neighbours = 0, ends = 0;
        ForAll(DocumentKind.Echo, true, document =>
        {
            for (int i = 0; i + 1 < document.Turns.Count; i++)
            {
                if (document.Turns[i].Role != "user") continue;
                string question = document.Turns[i].Text, answer = document.Turns[i + 1].Text;
                int colon = question.IndexOf(": ", StringComparison.Ordinal), stop = question.IndexOf('.', StringComparison.Ordinal);
                if (colon > 0)
                {
                    Assert.Equal(question[(colon + 2)..], answer);
                    again++;
                }

                if (!question.Contains("What comes ", StringComparison.Ordinal) && !question.Contains("Which is ", StringComparison.Ordinal)) continue;
                string[] list = question[..stop].Split(", ");
                string[] words = answer.TrimEnd('.').Split([" comes ", "After ", "Before ", "The first is ", "The last is "], StringSplitOptions.RemoveEmptyEntries);
                if (words.Length == 2)
                {
                    Assert.Equal(answer.StartsWith("After", StringComparison.Ordinal) ? 1 : -1, Array.IndexOf(list, words[1]) - Array.IndexOf(list, words[0]));
                    neighbours++;
                }
                else
                {
                    Assert.Equal(answer.Contains("first", StringComparison.Ordinal) ? list[0] : list[^1], words[0]);
                    ends++;
                }
            }
        });
        Assert.All([again, neighbours, ends], count => Assert.True(count > 50));
    }

    [Fact]
    public void NothingIsToldOfAnybodyWhomTheQuestionDoesNotName()
    {
        HashSet<string> everybody = [.. Names.Boys, .. Names.Girls];
        int told = 0;
        ForAll(DocumentKind.Echo, true, document =>
        {
            for (int i = 0; i + 1 < document.Turns.Count; i++)
            {
                if (!document.Turns[i].Text.StartsWith("Tell me about ", StringComparison.Ordinal)) continue;
                told++;
                Assert.All(Words(document.Turns[i + 1].Text), word => Assert.True(!everybody.Contains(word) || Words(document.Turns[i].Text).Contains(word), word));
            }
        });
        Assert.True(told > 300);

        static string[] Words(string text) => text.Split([' ', '.', ','], StringSplitOptions.RemoveEmptyEntries);
    }

    [Fact]
    public void NamesAreOfOneTableAndTakeAnApostropheS()
    {
        Assert.Empty(Names.Boys.Intersect(Names.Girls));
        Assert.All(Names.Boys.Concat(Names.Girls), name => Assert.False(name.EndsWith('s'), name));
        Assert.Equal(Names.Boys.Length, Names.Boys.Distinct().Count());
        Assert.Equal(Names.Girls.Length, Names.Girls.Distinct().Count());
    }

    private static void ForAll(DocumentKind? kind, bool chat, Action<Document> check)
    {
        for (ulong seed = 0; seed < 1000; seed++) check(DocumentWriter.Write(seed, kind, chat));
    }

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"(\d+) ([-+*/]) (\d+) = (\d+)")]
    private static partial Regex InDigits();

    [GeneratedRegex(@"(?:^|\n)([A-Za-z]+(?:-[a-z]+)?(?: hundred(?: [a-z-]+)?)?) (plus|minus|times|divided by) ([a-z]+(?:-[a-z]+)?(?: hundred)?) is ([a-z]+(?:-[a-z]+)?(?: hundred(?: [a-z-]+)?)?)\.")]
    private static partial Regex InWords();

    [GeneratedRegex(@"(\d+) [a-z ]+, because \d+ [-+*/] \d+ = (\d+)")]
    private static partial Regex Because();

    [GeneratedRegex(@"(\d+) is (bigger|smaller) than (\d+)\.")]
    private static partial Regex Comparison();

    [GeneratedRegex(@"\{[^{}]*\}")]
    private static partial Regex Braces();
}
