using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody wants to be able to do something, fails, practices, and can do it when it matters.</summary>
internal static class Learning
{
    /// <param name="Do">"swim".</param>
    /// <param name="Fails">What goes wrong, each a sentence.</param>
    /// <param name="Hint">What the teacher says.</param>
    /// <param name="Success">How it works at last.</param>
    private sealed record Skill(string Do, string[] Fails, string Hint, string Success);

    private static readonly Skill[] Skills =
    [
        new("swim", ["{He} jumped in and went under like a stone.", "{He} kicked so hard that there was water everywhere, but {he} did not move at all.", "{He} got water up {his} nose."], "Be calm. Push the water away slowly, as if it were a heavy door.", "{He} pushed the water away slowly, and suddenly {he} glided across the pond."),
        new("ride a bike", ["{He} fell to the left.", "{He} fell to the right.", "{He} rode right into a bush."], "Do not look at the wheel. Look at the place where you want to go.", "{He} looked far ahead, and the bike rolled straight down the lane."),
        new("whistle", ["Only air came out.", "It sounded like a leaking balloon.", "{He} blew until {his} cheeks hurt."], "Make your lips small and blow softly, as if you cooled your soup.", "{He} blew very softly, and there it was: a clear, high note."),
        new("skate", ["{He} took one step and sat down on the ice.", "{His} feet went in two different ways.", "{He} slid into a pile of snow."], "Bend your knees a little, and push to the side.", "{He} bent {his} knees, pushed to the side, and flew over the ice like a bird."),
        new("bake bread", ["The loaf was as hard as a stone.", "The loaf was as flat as a plate.", "The loaf was black on the outside."], "Give the dough time to rest, and keep the fire small.", "{He} let the dough rest and kept the fire small. The bread came out round and golden."),
        new("fly a kite", ["The kite fell on {his} head.", "The kite flew into a puddle.", "The string got tangled around {his} legs."], "Run against the wind, and let the string out bit by bit.", "{He} ran against the wind, and the kite rose higher and higher."),
        new("play the drum", ["{He} dropped both sticks.", "It sounded like a box falling down the stairs.", "{He} was always too fast."], "Listen to your heart. It is the best drum there is.", "{He} listened to {his} heart, and {his} hands began to follow it: boom, boom, boom."),
        new("tie a knot", ["The string fell apart.", "{He} tied {his} own finger.", "The knot was so big that nobody could open it."], "Think of a rabbit: it comes out of the hole, runs around the tree, and goes back into the hole.", "{He} thought of the rabbit, and pulled. It was a perfect knot."),
        new("read", ["The letters looked like ants.", "{He} mixed up the b and the d.", "{He} guessed a word, and it was wrong."], "Take one letter after the other, and then say them together.", "{He} took one letter after the other, and suddenly the word spoke to {him}."),
        new("jump rope", ["The rope hit {his} feet.", "{He} jumped too late.", "{He} got dizzy and sat down."], "Do not watch the rope. Listen to it.", "{He} listened to the rope, tap, tap, tap, and jumped ten times in a row."),
        new("dance", ["{He} stepped on {his} own toes.", "{He} turned left when everyone turned right.", "{He} bumped into a table."], "Forget your feet. Let the music carry you.", "{He} listened to the music, and {his} feet knew what to do."),
        new("catch fish", ["{He} caught an old boot.", "The fish ate the worm and swam away.", "{He} pulled too early."], "Sit still and count to a hundred.", "{He} sat still and counted. At ninety-nine, there was a big pull on the line."),
    ];

    public static void Tell(Story s)
    {
        Opening.Tell(s);
        Skill skill = s.Dice.Pick(Skills);
        s.Bind("teacher", s.Cast.Wise());
        s.Bind("friend", s.Cast.Young());
        s.Bind("place", s.Cast.Outdoors());
        s.Bind("skill", skill.Do);
        s.Bind("hint", skill.Hint);
        s.About("{an} {hero.kind} who wanted to learn to {skill}", "{hero}, who could not {skill}", "how {hero} learned to {skill}");
        s.Break();
        s.Say("There was one thing that {hero} could not do. {He} could not {skill}.", "{Hero} wanted to learn to {skill} more than anything.", "All of {hero}'s friends could {skill}. Only {hero} could not.", "One day, {hero} saw {friend.full} {skill}. \"I want to do that too,\" {he} said.");
        s.Ask("What did {hero} want to learn?", "{Hero} wanted to learn to {skill}.", "{skill}");
        s.Detail("\"It cannot be that hard,\" {he} thought.", "\"Today I will learn it,\" {he} said.");
        string[] fails = s.Dice.PickSome(skill.Fails, s.Dice.Between(1, 3));
        for (int i = 0; i < fails.Length; i++)
        {
            s.Say(i == 0 ? ["{He} tried."] : i == 1 ? ["{He} tried again.", "{He} tried once more.", "So {he} tried a second time."] : ["{He} tried a third time.", "And then {he} tried again."]);
            s.Say(fails[i]);
        }

        s.Detail("A bird in a tree laughed at {him}.", "It just did not work.");
        s.Break();
        s.Say("\"I will never learn it!\" {hero} cried.", "{Hero} sat down {place.in} and pouted. \"I give up,\" {he} said.", "{Hero} was so angry that {he} stamped {his} foot.", "With tears in {his} eyes, {hero} walked away.");
        s.Say("{Teacher} had watched {him}. \"May I tell you a secret?\" {teacher.he} asked. \"{Hint}\"", "\"Do you know how I learned it?\" said {teacher}. \"{Hint}\"", "Then {teacher} sat down next to {him}. \"Try it like this,\" {teacher.he} said. \"{Hint}\"");
        s.Ask("Who helped {hero}?", "{Teacher} helped {hero}.", "{teacher}");
        s.Detail("{Hero} thought about it.", "\"Nobody can do it on the first day,\" {teacher} added.", "\"Even I had to practice for a long time,\" {teacher} said.");
        s.Say("So {hero} practiced every day.", "{Hero} practiced in the morning and in the evening, for [one week|two weeks|three weeks].", "The next day, {hero} came back and started all over again.", "Day after day, {he} went {place.to} and practiced.");
        s.Break();
        s.Say("And then, one [day|morning|evening], it happened.", "At last, the day came.", "One [fine|windy|bright] day, {he} tried once more.");
        s.Say(skill.Success);
        s.Say("\"I can do it!\" {hero} shouted. \"I can {skill}!\"", "\"Look at me!\" {hero} called. \"Look at me, everybody!\"", "{Hero} laughed out loud. Now {he} could {skill}!");
        s.Say("{Teacher} clapped and smiled.", "\"I knew that you would do it,\" said {teacher}.", "{His} friend {friend} came running. \"Can you show me how?\" {friend.he} asked. \"Of course,\" said {hero}.", "\"You never gave up,\" said {teacher}. \"I am proud of you.\"");
        s.Detail("After that, {hero} could {skill} better every day.", "{Hero} did it again and again, until the sun went down.");
        s.Teach("practice makes hard things easy", "you can learn almost anything if you do not give up", "everyone has to start somewhere", "mistakes help you to learn", "it is fine to fall down as long as you get up again");
        Ending.Tell(s);
    }
}
