using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody follows something pretty too far, is lost, and finds the way home by being calm and by signs or with a guide.</summary>
internal static class WayHome
{
    private static readonly string[] Lures =
    [
        "blue butterfly", "red balloon", "trail of bright mushrooms", "silver dragonfly", "sweet smell of roses", "flock of tiny sparrows", "distant sound of bells", "hopping grasshopper",
        "floating dandelion seed", "golden beetle", "drifting paper boat", "curious magpie", "row of wild raspberries", "rolling hoop", "glimmer of fireflies", "woolly caterpillar",
    ];

    private static readonly (string Sign, string Way)[] Signs =
    [
        ("the sound of the stream", "\"Our stream flows past my home,\" {he} thought, and followed it around every bend."),
        ("smoke above the trees", "\"Where there is a chimney, there is a home,\" {he} thought, and walked toward the smoke."),
        ("the evening star", "\"It always stands above our roof,\" {he} remembered, and went where it pointed."),
        ("{his} own footprints in the soft earth", "One by one, {he} followed them backward, past the ferns and the fallen trunk."),
        ("the moss on the trunks", "\"Moss grows on the north side,\" {he} remembered, and so {he} knew where to turn."),
        ("the bell of the old tower", "Ding, dong, it rang, and each time {he} walked a little closer."),
        ("a crooked signpost", "The letters were faded, but {he} could spell them out, and the arrow pointed to the left."),
        ("the smell of supper", "{He} sniffed. It was onion soup! {He} simply followed {his} nose."),
        ("the long shadow of the hill", "\"The hill is west of us,\" {he} thought, and kept it on {his} right side."),
        ("a kite high above the meadow", "Somebody had to be holding that string, so {he} marched straight toward it."),
    ];

    public static void Tell(Story s)
    {
        Character hero = Opening.Tell(s);
        s.Bind("lure", s.Dice.Pick(Lures));
        Place place = s.Bind("place", s.Cast.Outdoors());
        s.Bind("parent", s.Cast.InAnimalWorld ? s.Cast.WiseAnimal() : s.Cast.Parent());
        s.About("{an} {hero.kind} who got lost", "how {hero} found the way home", "{hero} and {an} {lure}");
        s.Say("\"Do not go too far,\" {parent} always said.", "{Parent} had only one rule: \"Be home before dark.\"", "{Hero} was allowed to play outside as long as {he} could see home.");
        s.Break();
        s.Say("One [day|afternoon|autumn day], {hero} noticed {an} {lure}. It was so lovely that {he} followed it.", "But one [day|windy afternoon], {an} {lure} caught {his} attention, and {he} went after it.", "One [day|summer afternoon], {hero} discovered {an} {lure}. \"How beautiful!\" {he} said, and followed it step by step.");
        s.Ask("What did {hero} follow?", "{Hero} followed {an} {lure}.", "{lure}");
        s.Detail("{He} did not look left or right.", "Over a fence and across a ditch {he} went.", "{He} forgot about the time.");
        s.Go(hero, place);
        s.Say("When {he} looked up at last, {he} was near {place}, and nothing looked familiar.", "Suddenly it was gone, and {hero} stood near {place}. {He} had never been there before.");
        s.Ask("Where did {hero} get lost?", "{Hero} got lost near {place}.", "{place}");
        s.Say("\"Hello?\" {he} called. Only an echo answered.", "\"I am lost,\" {he} whispered. {His} lip began to tremble.", "The shadows were growing longer, and an icy wind rustled in the leaves.");
        s.Break();
        s.Say("{Hero} wanted to run. But {he} remembered something that {parent} had said: \"If you are lost, stop, breathe and look around.\"", "First, {hero} panicked. Then {he} took three deep breaths, just as {parent} had taught {him}.", "\"Crying will not bring me home,\" {hero} told {himself}. \"Thinking might.\"");
        if (s.Dice.Percent(50))
        {
            (string sign, string way) = s.Dice.Pick(Signs);
            s.Bind("sign", sign);
            s.Say("Then {he} noticed {sign}.", "And there, all at once, {he} noticed {sign}.");
            s.Ask("What helped {hero} to find the way?", "{Sign} helped {hero} to find the way.", "{sign}");
            s.Say(way);
        }
        else
        {
            s.Bind("guide", s.Cast.Animal());
            s.Say("Just then, {guide.full} peeked out from behind a bush. \"Are you lost?\" asked {guide}.", "\"Who is there?\" said a voice. It was {guide.full}, who lived nearby.");
            s.Say("\"I do not know the way home,\" {hero} admitted.", "{Hero} described {his} home as well as {he} could.");
            s.Say("\"I know every path here,\" said {guide}. \"Follow me.\"", "\"It is not far,\" said {guide}. \"I will take you there.\"");
            s.Ask("Who showed {hero} the way?", "{Guide} showed {hero} the way.", "{guide}");
            s.Detail("They hurried along a winding trail.", "On the way, {guide} hummed a marching song, and {hero} joined in.", "An hour later, {hero} recognized the first fence.");
        }

        s.Break();
        s.Go(hero, new Place("home", "at", "a warm light"));
        s.Say("And then {he} saw a light in the distance. Home!", "At dusk, {he} finally saw the place that {he} knew best of all: home.", "Tired and muddy, {hero} reached home just before dark.");
        s.Say("{Parent} stood outside and opened both arms. \"There you are!\" {parent.he} said. \"I was so worried.\"", "\"Where have you been?\" cried {parent}, and wrapped {him} in a blanket.", "{Parent} ran toward {him} and hugged {him} for a long time.");
        s.Ask("Who was waiting at home?", "{Parent} was waiting at home.", "{parent}");
        s.Detail("There was hot cocoa, and {hero} told the entire adventure.", "\"Next time I will pay attention,\" {hero} promised.", "Nobody scolded {him} that evening.");
        s.Teach("it is best to stay calm when you are lost", "home is the best place in the world", "you should tell somebody where you are going", "a clear head finds the way", "it is wise to look where you are going");
        Ending.Tell(s);
    }
}
