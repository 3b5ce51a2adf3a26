using System.Text;
using Quern.Corpus.Grammar;
using Quern.Corpus.World;

namespace Quern.Corpus.Documents;

/// <summary>A story and questions about it, which its state answers.</summary>
internal static class QuestionDocuments
{
    private static readonly int[] Details = [0, 10, 30];

    public static Document Write(Dice dice, bool chat)
    {
        Story story = StoryDocuments.Tell(dice, dice.Pick(Details));
        Question[] asked = [.. story.Questions];
        asked = dice.PickSome(asked, Math.Min(asked.Length, dice.Between(2, 5)));
        return chat ? Document.Chat(DocumentKind.Questions, Talk(story, asked)) : Document.Plain(DocumentKind.Questions, List(story, asked));
    }

    private static string List(Story story, Question[] asked)
    {
        StringBuilder text = new(story.Text);
        foreach (Question question in asked) text.Append("\n\nQuestion: ").Append(question.Text).Append("\nAnswer: ").Append(question.Answer);
        return text.ToString();
    }

    private static List<Turn> Talk(Story story, Question[] asked)
    {
        List<Turn> turns = [];
        if (story.Dice.Percent(35))
        {
            story.Bind("subject", story.Subject);
            turns.Add(new Turn("user", story.Expand("[Tell me|Write|Please tell me] a [short |]story about {subject}.")));
            turns.Add(new Turn("assistant", story.Text));
            turns.Add(new Turn("user", asked[0].Text));
        }
        else
        {
            string introduction = story.Dice.Pick<string>(["Read this story.", "Here is a story.", "Please read this story and answer my question.", "Listen to this story."]);
            turns.Add(new Turn("user", $"{introduction}\n\n{story.Text}\n\n{asked[0].Text}"));
        }

        turns.Add(new Turn("assistant", asked[0].Answer));
        foreach (Question question in asked[1..])
        {
            turns.Add(new Turn("user", question.Text));
            turns.Add(new Turn("assistant", question.Answer));
        }

        return turns;
    }
}
