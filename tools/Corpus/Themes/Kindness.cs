using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody is kind to a stranger when it costs something; later, the stranger can help with just what they are good at.</summary>
internal static class Kindness
{
    /// <param name="Stranger">"tiny ant".</param>
    /// <param name="Need">What is wrong with it: a sentence about {it}.</param>
    /// <param name="Deed">What the hero does.</param>
    /// <param name="Trouble">What happens to the hero later.</param>
    /// <param name="Return">How the stranger helps.</param>
    private sealed record Favor(string Stranger, string Need, string Deed, string Trouble, string Return);

    private static readonly Favor[] Favors =
    [
        new("ant", "The {stranger} was floating in a puddle and could not get out.", "{Hero} held out a leaf, and the {stranger} climbed onto it.", "A week later, {hero} spilled a whole bag of rice into the grass. It would take days to pick up every grain.", "Suddenly thousands of ants came marching, and each carried one grain back into the bag."),
        new("sparrow", "The {stranger} had a splinter in its wing.", "{Hero} pulled out the splinter, very gently, and bandaged the wing.", "In autumn, {hero} dropped {his} key into a narrow crack in the rock.", "The {stranger} fluttered down, slipped into the crack, and came out with the key in its beak."),
        new("spider", "The wind had torn the {stranger}'s web to shreds.", "{Hero} carried the {stranger} to a sheltered corner behind the door.", "Later that summer, mosquitoes buzzed around {hero}'s bed every night.", "In a single night, the {stranger} spun a curtain before the window, and not one mosquito came through."),
        new("snail", "The {stranger} was in the middle of the road, and a cart was rattling closer.", "{Hero} waved at the driver until the cart stopped, and moved the {stranger} to the grass.", "One moonless night, {hero} could not find the path.", "The {stranger} had left a glistening trail on the stones, and it led straight home."),
        new("firefly", "The {stranger} was trapped in a glass jar.", "{Hero} unscrewed the lid and let the {stranger} fly away.", "Weeks later, {hero}'s lantern went out in the middle of the forest.", "One small light appeared, and then a hundred. The fireflies lit up the entire path."),
        new("mole", "The {stranger} had lost its way in the bright sunlight.", "{Hero} shaded its eyes with a hat and led it back to its tunnel.", "That winter, a landslide blocked the door of {hero}'s home.", "There was a scratching sound, and out of the floor came the {stranger}. It had dug a tunnel to the outside."),
        new("bee", "The {stranger} was too exhausted to fly.", "{Hero} gave the {stranger} a drop of sugar water from a spoon.", "In spring, the blossoms on {hero}'s only tree were not visited by a single insect, and there would be no fruit.", "Then there was a humming in the air. The {stranger} had brought its whole family, and they danced from blossom to blossom."),
        new("crab", "A fishing line was wrapped around the {stranger}'s claws.", "{Hero} untangled the line, although it took an hour.", "In July, {hero} was caught in a net that had washed ashore.", "Snip, snap! The {stranger} cut the net with its strong claws."),
        new("bat", "The {stranger} hung in the rain, shivering.", "{Hero} made room for it under the roof.", "One foggy evening, {hero} was out in a boat and could not see the shore.", "A squeak came out of the fog. The {stranger} could hear where the land was and flew ahead."),
        new("swallow", "The {stranger} was too weak to fly south with the others.", "{Hero} fed it all winter and kept it warm beside the stove.", "The following year, a letter had to be delivered across the mountains before sunset.", "\"Nobody is faster than I am,\" chirped the {stranger}, took the letter, and was back in time."),
        new("woodpecker", "Somebody had nailed a plank over the {stranger}'s door.", "{Hero} loosened the nails and removed the plank.", "Months later, a thick branch fell across {hero}'s door, and {he} was locked in.", "Tock, tock, tock! The {stranger} hammered with its beak until the branch broke in half."),
    ];

    public static void Tell(Story s)
    {
        Opening.Tell(s);
        s.Bind("place", s.Cast.Outdoors());
        s.Bind("friend", s.Cast.Young());
        Favor favor = s.Dice.Pick(Favors);
        s.Bind("stranger", favor.Stranger);
        s.About("{an} {hero.kind} who was kind to {an} {stranger}", "{hero} and the {stranger}", "a small kindness that came back");
        s.Break();
        s.Say("One [morning|day|stormy day], {hero} was on the way {place.to} with {friend.full} when they noticed {an} {stranger}.", "One [day|afternoon], {hero} and {his} friend {friend} were {place.in}. There they discovered {an} {stranger}.", "One [day|evening], {hero} strolled {place.to} together with {friend.full}. Beside the path, they saw {an} {stranger}.");
        s.Say(favor.Need);
        s.Ask("Whom did {hero} help?", "{Hero} helped {an} {stranger}.", "{stranger}");
        s.Say("\"Hurry up, or we will be late!\" said {friend}. \"It is only {an} {stranger}.\"", "\"Leave it,\" said {friend}. \"What can {an} {stranger} ever do for you?\"", "\"We have no time for that,\" said {friend}.");
        s.Ask("Who did not want to stop?", "{Friend} did not want to stop.", "{friend}");
        s.Say("But {hero} kneeled down.", "\"Everybody needs help sometimes,\" said {hero}.", "\"It will only take a moment,\" said {hero}.", "{Hero} shook {his} head. \"Somebody has to do it,\" {he} said.");
        s.Say(favor.Deed);
        s.Say("\"I will not forget this,\" said the {stranger} in a thin voice.", "\"Thank you,\" said the {stranger}. \"One day I will repay you.\"", "The {stranger} bowed and disappeared.");
        s.Detail("{Friend} rolled {friend.his} eyes.", "\"How could something so little repay anybody?\" laughed {friend}.", "{Hero} smiled and thought no more about it.");
        s.Break();
        s.Say(favor.Trouble);
        s.Say("\"Now what?\" sighed {hero}.", "{Hero} was desperate.", "{Hero} had no idea what to do.", "Even {friend} could not help.");
        s.Say(favor.Return);
        s.Ask("Who helped {hero} in the end?", "The {stranger} helped {hero} in the end.", "{stranger}");
        s.Detail("\"It is you!\" said {hero}.", "{Hero} could hardly believe {his} eyes.", "\"You remembered me,\" said {hero}.");
        s.Say("\"You were kind to me,\" said the {stranger}, \"and kindness is never lost.\"", "\"A promise is a promise,\" said the {stranger} proudly.", "\"Small friends are friends too,\" said the {stranger}.");
        s.Break();
        s.Say("When {friend} heard about it, {friend.he} was astonished. \"I was wrong,\" {friend.he} said.", "{Friend} scratched {friend.his} head. \"Next time, I will stop too,\" {friend.he} said.", "From then on, {friend} greeted every creature on the path, however tiny.");
        s.Teach("no act of kindness is too small", "even the smallest friend can be a great help", "kindness comes back when you least expect it", "it is good to help without asking for a reward", "everyone deserves a helping hand");
        Ending.Tell(s);
    }
}
