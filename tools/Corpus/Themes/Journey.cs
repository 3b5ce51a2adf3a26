using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody travels far to see something or somebody, past obstacles, and comes home.</summary>
internal static class Journey
{
    /// <param name="Block">What stands in the way: a sentence.</param>
    /// <param name="Name">"a wide river".</param>
    /// <param name="Way">How the hero and the guide pass: a sentence.</param>
    private sealed record Obstacle(string Name, string Block, string Way);

    private static readonly Obstacle[] Obstacles =
    [
        new("a wide river", "Soon they came to a wide river. There was no bridge.", "They tied some logs together and floated across."),
        new("a thick fog", "Then a thick fog came down, and they could not see the path.", "They held hands and followed the sound of a bell until the fog was gone."),
        new("a steep wall of rock", "Before them stood a steep wall of rock.", "They looked for small steps in the stone and climbed up, slowly and carefully."),
        new("a gate without a key", "The path ended at a gate, and nobody had the key.", "{Hero} was small enough to crawl under it and open it from the other side."),
        new("a troll with a riddle", "On the path sat a troll. \"Answer my riddle,\" it said. \"What has hands but cannot clap?\"", "\"A clock!\" said {hero}. The troll laughed and let them pass."),
        new("a sleeping bear", "In the middle of the path lay a huge bear, fast asleep.", "On the tips of their toes, they went around it, as quiet as falling snow."),
        new("a big storm", "Dark clouds came, and the wind began to howl.", "They hid in a dry cave and told each other stories until the storm was over."),
        new("a field of thorns", "They came to a field full of thorns.", "They found the narrow path of the rabbits and walked through it in a line."),
        new("a fork in the road", "The road split in two, and there was no sign.", "They looked at the moss on the trees to find north, and took the road on the left."),
        new("a broken bridge", "They came to a bridge, but it was broken in the middle.", "They laid a long plank over the hole and walked across, one after the other."),
        new("a swarm of bees", "A swarm of angry bees flew around a fallen hive in the way.", "They put the hive back into its tree, and the bees thanked them with a drop of honey each."),
        new("a dark tunnel", "The road went into a dark tunnel.", "They sang a song together, and the echo showed them the way through."),
    ];

    private static readonly string[] Wishes = ["see {goal}", "go {goal.to}", "visit {goal}"];

    public static void Tell(Story s)
    {
        Character hero = Opening.Tell(s);
        Place goal = s.Bind("goal", s.Cast.Faraway());
        Character guide = s.Bind("guide", s.Cast.Young());
        Thing food = s.Bind("food", s.Cast.Treat());
        s.Bind("wish", s.Dice.Pick(Wishes));
        s.About("{an} {hero.kind} who went {goal.to}", "a long journey {goal.to}", "{hero} and {guide} and their journey {goal.to}");
        s.Say("{Hero} had one big wish. {He} wanted to {wish}.", "More than anything, {hero} wanted to {wish}.", "One day, {he} heard a traveler talk about {goal}. From then on, {hero} wanted to {wish}.");
        s.Ask("Where did {hero} want to go?", "{Hero} wanted to go {goal.to}.", "{goal}");
        s.Detail("\"It is too far for you,\" everyone said.", "Every night, {he} dreamed of {goal.sight}.", "\"One day I will go there,\" {he} said.");
        s.Break();
        s.Give(food, hero);
        s.Say("One [morning|fine day], {he} packed {food.a} and set off.", "So one day, {hero} put {food.a} into a bag, said goodbye, and started to walk.", "When spring came, {hero} packed {food.a} and a warm coat, and off {he} went.");
        s.Ask("What did {hero} pack?", "{Hero} packed {food.a}.", "{food}");
        s.Say("On the road, {he} met {guide.full}. \"Where are you going?\" asked {guide}. \"[I am going {goal.to}|To see {goal}],\" said {hero}. \"May I come too?\" asked {guide}.", "After a while, {he} saw {guide.full}, who sat by the road. \"I am all alone,\" said {guide}. \"Then come with me {goal.to},\" said {hero}.", "Before long, {hero} met {guide.full}, who knew the way. \"I will show you,\" said {guide}.");
        s.Ask("Whom did {hero} meet on the way?", "{Hero} met {guide} on the way.", "{guide}");
        s.Say("So they went on together.", "From there, they walked side by side.", "Now they were two, and the road felt shorter.");
        Obstacle[] met = s.Dice.PickSome(Obstacles, s.Dice.Between(1, 2));
        for (int i = 0; i < met.Length; i++)
        {
            s.Break();
            s.Bind("obstacle", met[i].Name);
            s.Say(met[i].Block);
            s.Detail("\"What now?\" said {guide}.", "\"Let us not give up,\" said {hero}.", "\"We will find a way,\" said {guide}.", "They looked at each other.");
            s.Say(met[i].Way);
            if (i == 0) s.Ask("What was in their way first?", "First, there was {obstacle} in their way.", met[i].Name.Split(' ')[^1]);
        }

        if (s.Dice.Percent(60)) s.Say("In the evening, they sat down, and {hero} shared the {food.noun} with {guide}.", "When they got hungry, they stopped and ate the {food.noun} together.");
        s.Break();
        s.Go(hero, goal);
        s.Go(guide, goal);
        s.Say("On the [second|third|fourth|fifth] day, they reached {goal}.", "At last, they stood {goal.in}.", "And then, one [morning|evening], there it was: {goal}!");
        s.Say("They saw {goal.sight}.", "\"Oh!\" said {hero}. {He} saw {goal.sight}.", "It was even more beautiful than in {hero}'s dreams. There they found {goal.sight}.");
        s.Ask("Where were {hero} and {guide} at the end of the journey?", "They were {goal.in}.", "{goal}");
        s.Detail("They stayed there until the stars came out.", "\"I am glad that I came,\" said {hero}. \"And I am glad that you came with me.\"", "For a long time, nobody said a word.");
        s.Say("Then they went home and told everyone about it.", "A few days later, they were home again, and they were friends for life.", "They took home a small stone, to remember the journey.");
        s.Teach("a long road is short with a friend", "big dreams begin with one small step", "there is a way around everything if you look for it", "it is worth going far to see something beautiful", "you should not give up when the way is hard");
        Ending.Tell(s);
    }
}
