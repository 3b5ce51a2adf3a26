using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>The last sentences of a story: the evening, and what was learned.</summary>
internal static class Ending
{
    /// <summary>Ends a story whose lesson is known.</summary>
    public static void Tell(Story s)
    {
        s.Break();
        s.Detail(
            "That [night|evening], {hero} [fell asleep|went to bed|curled up in bed] with a [smile|big smile|happy heart].",
            "When the sun went down, {hero} went home, tired [and|but] happy.",
            "At home, {hero} told the whole story [from beginning to end|two times over|at dinner].",
            "The stars came out, one by one, and {hero} [smiled|was happy|felt warm inside].",
            "It had been a [long|wonderful|very good] day.",
            "{Hero} could not stop smiling [all the way home|for the rest of the day].");
        s.Say(
            "From that day on, {hero} [knew|always remembered] that {lesson}.",
            "{Hero} learned that {lesson}.",
            "That day, {hero} learned that {lesson}.",
            "And {hero} never forgot that {lesson}.",
            "Now {hero} knew that {lesson}.",
            "\"I learned something today,\" said {hero}. \"I learned that {lesson}.\"",
            "And so {hero} found out that {lesson}.",
            "After that, {hero} told everyone that {lesson}.");
        if (s.Dice.Percent(25)) s.Say("The end.", "And they all lived happily ever after.", "And that is the end of the story.", "And that was a very good day.");
        s.Ask("What did {hero} learn?", "{Hero} learned that {lesson}.", "{lesson}");
    }
}
