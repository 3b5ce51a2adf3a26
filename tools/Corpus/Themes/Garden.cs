using Quern.Corpus.Lexicon;
using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody plants a seed, has to wait and to take care, and has a harvest to share.</summary>
internal static class Garden
{
    private static readonly (string Trouble, string Cure)[] Troubles =
    [
        ("Then came a dry week. The sun burned, and the leaves hung down.", "Every evening, {hero} carried water from the well, one bucket after the other."),
        ("One day, a snail came and began to eat the leaves.", "{Hero} picked up the snail and carried it to the other side of the meadow, where the grass was fresh."),
        ("One night, a storm bent the little plant to the ground.", "{Hero} put a stick beside it and tied it up with a soft string."),
        ("Then weeds grew all around and took the light away.", "{Hero} pulled out the weeds, one by one, until {his} fingers were green."),
        ("One night, it became very cold.", "{Hero} covered the plant with {his} own blanket to keep it warm."),
        ("One day, hungry birds came to peck at it.", "{Hero} made a scarecrow out of old clothes. It looked so funny that even the birds laughed."),
        ("Then it rained for days, and the water stood high around the plant.", "{Hero} dug a small ditch so that the water could run away."),
        ("A goat looked over the fence and opened its mouth.", "\"Stop!\" cried {hero}, and gave the goat a handful of hay to eat."),
    ];

    public static void Tell(Story s)
    {
        Character hero = Opening.Tell(s);
        (string seed, string plant, string fruit) = s.Dice.Pick(Things.Plants);
        Character giver = s.Bind("giver", s.Cast.Wise());
        s.Bind("friend", s.Cast.Young());
        Thing seedThing = s.Bind("seed", new Thing(seed));
        s.Bind("plant", plant);
        Thing harvest = s.Bind("fruit", new Thing(fruit, Plural: true));
        s.About("{an} {hero.kind} who planted {seed.a}", "{hero} and {an} {plant}", "{an} {hero.kind} who learned to wait");
        s.Break();
        s.Give(seedThing, giver);
        s.Give(seedThing, giver, hero);
        s.Say("One [day|spring morning], {giver} gave {hero} {seed.a}. \"Put it into the ground and take good care of it,\" {giver.he} said.", "\"This is for you,\" said {giver} one [day|spring day], and put {seed.a} into {hero}'s hand.", "In spring, {hero} got {seed.a} from {giver}. \"It looks small,\" said {giver}, \"but something big sleeps in it.\"");
        s.Ask("What did {giver} give {hero}?", "{Giver} gave {hero} {seed.a}.", "{seed}");
        s.Say("{Hero} dug a hole, put the {seed} in, and covered it with earth.", "{Hero} found a sunny place and planted the {seed}.", "{Hero} ran outside and planted it [at once|right away|behind the house].");
        s.Lose(seedThing, hero);
        s.Detail("Then {he} gave it some water.", "\"Sleep well, little {seed},\" {he} said.", "{He} put a small sign next to it.");
        s.Break();
        s.Say("The next day, {hero} looked, but there was nothing to see. There was nothing on the second day, and nothing on the third.", "{Hero} waited one day. {He} waited two days. {He} waited a whole week. Nothing happened.", "Every morning, {hero} ran to look. Every morning, there was only earth.");
        if (s.Dice.Percent(60))
        {
            s.Say("\"It is not working!\" {he} said. {He} wanted to dig it up.", "{His} friend {friend} came by and laughed. \"Nothing will ever grow there,\" {friend} said.", "\"Why does it take so long?\" {he} asked.");
            s.Say("\"Be patient,\" said {giver}. \"Good things take time.\"", "\"You cannot see it,\" said {giver}, \"but under the earth, it is working hard.\"", "{Giver} smiled. \"Water it, and wait,\" {giver.he} said.");
            s.Ask("Who told {hero} to wait?", "{Giver} told {hero} to wait.", "{giver}");
        }

        s.Say("So {hero} gave it water every day.", "{Hero} went on and watered it day after day.", "Every day, {hero} watered it and sang a little song for it.");
        s.Say("Then, one [morning|day], a tiny green leaf looked out of the earth!", "And one [morning|sunny morning], there it was: a tiny green sprout!", "After a long time, a little green tip came out of the ground.");
        s.Say("\"It is growing!\" {hero} shouted.", "{Hero} danced for joy.", "{He} was so happy that {he} told everybody about it.");
        s.Break();
        int troubles = s.Dice.Between(1, 2);
        foreach ((string trouble, string cure) in s.Dice.PickSome(Troubles, troubles)) s.Say(trouble).Say(cure);
        s.Detail("It was hard work, but {hero} did not mind.", "\"I will take care of you,\" {he} told the plant.");
        s.Break();
        s.Say("The {plant} grew and grew. When the end of summer came, it was full of {fruit}.", "Week after week, the plant grew taller. At last, it was a fine {plant} with many {fruit}.", "By autumn, it was the biggest {plant} in the valley, and it was full of {fruit}.");
        s.Give(harvest, hero);
        s.Ask("What grew from the {seed}?", "{An} {plant} grew from the {seed}.", "{plant}");
        s.Say("{Hero} picked a basket full and gave some to {giver} and some to {his} friend {friend}.", "{Hero} shared the {fruit} with {his} friend {friend} and {giver}, and there were still many left.", "There were so many that {hero} invited {his} friend {friend} and all the neighbors to a feast.");
        s.Detail("\"I have never tasted anything so good,\" said {friend}.", "\"You see,\" said {giver}, \"it was only {seed.a}, and you waited.\"", "{He} kept one {seed} for the next spring.");
        s.Teach("good things take time", "patience brings sweet fruit", "small things can become big with love and care", "it is good to wait and to work", "what you take care of will grow");
        Ending.Tell(s);
    }
}
