using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody is stuck, one alone cannot help, and a tool and friends can.</summary>
internal static class Rescue
{
    /// <param name="Who">A small creature: "kitten".</param>
    /// <param name="Stuck">Where it is: "at the top of a tall tree".</param>
    /// <param name="Try">What does not work: a sentence about the hero.</param>
    /// <param name="Tool">What does: "ladder".</param>
    /// <param name="Way">How: a sentence.</param>
    private sealed record Trouble(string Who, string Stuck, string Try, string Tool, string Way);

    private static readonly Trouble[] Troubles =
    [
        new("kitten", "at the top of a tall tree", "{Hero} tried to climb up, but the branches were too high.", "ladder", "They leaned the ladder against the tree, and {hero} climbed up and took the kitten in {his} arms."),
        new("duckling", "in a deep hole", "{Hero} reached down, but {his} arm was too short.", "basket", "They tied a string to the basket and let it down. The duckling hopped in, and they pulled it up."),
        new("lamb", "in the mud", "{Hero} pulled and pulled, but the lamb did not move.", "board", "They pushed the board under the lamb's feet. Then they all pulled together, and out it came with a plop."),
        new("puppy", "on a rock in the river", "{Hero} stepped into the water, but it was too fast and too cold.", "rope", "They tied the rope to a tree. {Hero} held on to it, crossed over, and carried the puppy back."),
        new("chick", "under a heavy log", "{Hero} tried to lift the log, but it was far too heavy.", "long stick", "They pushed the long stick under the log and leaned on it. The log rolled away, and the chick hopped out."),
        new("baby bird", "on the ground below its nest", "{Hero} wanted to put it back, but the nest was too high.", "ladder", "They held the ladder, and {hero} put the baby bird back into its nest, very gently."),
        new("goat", "on a narrow ledge", "{Hero} called it, but the goat was too scared to move.", "rope", "They threw the rope around a strong tree and led the goat down, one step after another."),
        new("calf", "behind a broken fence", "{Hero} pushed against the fence, but it would not open.", "hammer", "With the hammer they took out the nails, one by one, until the calf could walk free."),
        new("turtle", "in an old fishing net", "{Hero} pulled at the net, but the knots were too tight.", "pair of scissors", "Snip, snip, they cut the net with the scissors, and the turtle could swim again."),
        new("hedgehog", "in a flower pot", "{Hero} pulled, but the spines pricked {his} fingers.", "pair of thick gloves", "With the gloves, {hero} turned the pot upside down, and the hedgehog slid out."),
        new("butterfly", "in a spider's web", "{Hero} blew at the web, but it only swung to and fro.", "soft feather", "With the feather, {hero} brushed the threads away, until the butterfly could open its wings."),
        new("piglet", "in the middle of the pond", "{Hero} shouted, but the piglet could not swim.", "raft", "They pushed the raft across the pond, and the piglet climbed on with a happy squeak."),
        new("foal", "in a ditch", "{Hero} tried to push it from behind, but the sides were too steep.", "shovel", "With the shovel they dug a gentle path, and the foal walked right up."),
        new("squirrel", "inside a hollow trunk", "{Hero} knocked on the wood, but there was no way out.", "saw", "With the saw they cut a little door in the trunk, and the squirrel jumped out."),
    ];

    public static void Tell(Story s)
    {
        Character hero = Opening.Tell(s);
        Trouble trouble = s.Dice.Pick(Troubles);
        Place place = s.Bind("place", s.Cast.Outdoors());
        s.Bind("friend", s.Cast.Young());
        Character owner = s.Bind("owner", s.Dice.Percent(50) ? s.Cast.Villager() : s.Cast.Wise());
        Thing tool = s.Bind("tool", new Thing(trouble.Tool));
        s.Bind("baby", trouble.Who);
        s.Bind("stuck", trouble.Stuck);
        s.Bind("sadbaby", "{an} [little|small|poor little|frightened] {baby}");
        s.Give(tool, owner);
        s.About("{an} {hero.kind} who saved a {baby}", "{hero}, {friend} and a little {baby}", "a {baby} in trouble and {an} {hero.kind} named {hero}");
        s.Break();
        s.Say("One [day|morning|windy day|summer day], {hero} walked {place.to} and heard a small voice. \"Help! Help!\"", "One [day|afternoon], {hero} was {place.in} when {he} heard a [sad|strange|small] sound.", "One [day|morning], on the way {place.to}, {hero} heard someone cry.");
        s.Go(hero, place);
        s.Say("It was {sadbaby}. It was stuck {stuck}!", "{Sadbaby} was stuck {stuck}.", "There was {sadbaby}, stuck {stuck}.", "{He} looked around and saw {sadbaby}. It was stuck {stuck}.");
        s.Ask("Who was stuck?", "A {baby} was stuck.", "{baby}");
        s.Ask("Where was the {baby} stuck?", "The {baby} was stuck {stuck}.", "{stuck}");
        s.Say("\"Do not be afraid,\" said {hero}. \"I will help you.\"", "\"Poor little {baby}!\" said {hero}. \"I will get you out.\"", "\"Hold on!\" {hero} called.");
        s.Say(trouble.Try);
        s.Detail("{He} tried again and again.", "\"This is too hard for me alone,\" {he} said.", "\"What can I do?\" {he} thought.", "The {baby} began to cry.");
        s.Break();
        s.Say("So {hero} ran to {his} friend {friend}. \"Come quickly!\" {he} [called|cried]. \"A {baby} needs our help!\"", "Then {friend.full} came running. \"I heard somebody call,\" {friend} said. \"[What happened|What is the matter]?\"", "{Hero} called as loud as {he} could, and {friend.full} came at once.");
        s.Say("\"What we need is {tool.a},\" said {friend}. \"And I know whom to ask!\"", "{Friend} looked at the {baby} and thought. \"If only we had {tool.a}!\" {friend.he} said.", "\"[I have an idea|I know what to do],\" said {friend}. \"{Owner} has {tool.a}. Let us ask {owner.him}.\"");
        s.Ask("Who came to help {hero}?", "{Friend} came to help {hero}.", "{friend}");
        s.Say("They hurried to {owner}, who had {tool.a}.", "Together they ran to {owner} and asked for {tool.a}.", "They found {owner} and told {owner.him} about the {baby}. \"You need {tool.a},\" {owner.he} said.");
        s.Give(tool, owner, hero);
        s.Say("\"[Of course you may have it|Take it|Here it is],\" said {owner}. \"[Be careful|Hurry|Good luck]!\"", "\"Take mine,\" said {owner}, \"and bring it back when you are done.\"", "{Owner} gave it to them [gladly|at once|with a smile].");
        s.Ask("Who gave them the {tool}?", "{Owner} gave them the {tool}.", "{owner}");
        s.Break();
        s.Say(trouble.Way);
        s.Say("The {baby} was free!", "\"Hooray!\" they [shouted|cried|called]. The {baby} was safe.", "At last, the {baby} was safe.", "\"We did it!\" said {friend}.");
        s.Detail("\"Thank you, thank you!\" said the {baby}.", "The {baby} looked at them with [big|bright|shining] eyes.", "Its mother came running and was overjoyed.", "The {baby} jumped around them three times.");
        s.Give(tool, hero, owner);
        s.Say("Then they brought the {tool} back to {owner} and thanked {owner.him}.", "{Hero} and {friend} took the {tool} back. {Owner} was proud of them.", "Before it got dark, they gave the {tool} back to {owner}.");
        s.Teach("together we can do what one cannot do alone", "it is good to help those who are small", "the right tool and a good friend can do almost anything", "it is wise to ask for help", "you should never give up when somebody needs you");
        Ending.Tell(s);
    }
}
