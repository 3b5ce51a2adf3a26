using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody finds a thing that grants a wish; the wish goes wrong, and is taken back.</summary>
internal static class Wish
{
    /// <param name="For">What is wished: "a mountain of candy".</param>
    /// <param name="Comes">What happens at once.</param>
    /// <param name="Goes">How it goes wrong.</param>
    private sealed record Folly(string For, string Comes, string Goes);

    private static readonly Folly[] Follies =
    [
        new("a mountain of candy", "At once, candy fell from the sky, red and green and yellow, until it was as high as a house.", "{Hero} ate and ate. Soon {his} tummy hurt, and {he} could not get out of the door."),
        new("a day that never ends", "At once, the sun stopped in the middle of the sky.", "{Hero} played and played. But after a while, {he} was so tired, and nobody could sleep in the bright light."),
        new("legs as fast as the wind", "At once, {his} feet began to tingle, and {he} ran like the wind.", "But {hero} was too fast. {He} ran past the flowers, past {his} home and past {friend}, and could not stop."),
        new("a voice as loud as thunder", "At once, {his} voice was as loud as thunder.", "{He} said \"Hello,\" and the leaves fell from the trees. Everyone covered their ears and ran away."),
        new("a body as tall as a tree", "At once, {hero} grew and grew, until {he} was as tall as a tree.", "But now {his} bed was too short, the house was too small, and {friend} looked as tiny as an ant."),
        new("everything to be made of gold", "At once, all things that {he} touched turned to gold.", "The bread turned to gold and was too hard to eat. The flowers turned to gold and had no smell."),
        new("rain that tastes like lemonade", "At once, it began to rain, and every drop tasted like lemonade.", "But everything became sticky. The birds could not fly, and the bees chased {hero} around the pond."),
        new("snow in the middle of summer", "At once, big white flakes began to fall.", "It was fun for an hour. But then the flowers froze, and the small birds had nothing to eat."),
        new("nobody ever to say no", "At once, everybody said yes to all that {hero} wanted.", "\"Shall we play?\" \"Yes.\" \"Or shall we rest?\" \"Yes.\" Soon it was like talking to a wall."),
        new("the power to be invisible", "At once, {hero} could not see {his} own hands.", "{He} called {friend}, but {friend} looked right through {him}. Nobody said good morning. Nobody waved."),
        new("wings like a bird", "At once, two big wings grew on {his} back, and {he} flew up into the clouds.", "But up there it was cold and lonely. Down below, {friend} was having fun, and {hero} could not get down."),
        new("all the toys in the world", "At once, toys were everywhere: on the chairs, on the roof, and in every tree.", "But there was no more room to play, and all the other children had no toys. They were crying."),
    ];

    public static void Tell(Story s)
    {
        Character hero = Opening.Tell(s);
        Thing magic = s.Bind("magic", s.Cast.Treasure());
        Place place = s.Bind("place", s.Cast.Outdoors());
        s.Bind("friend", s.Cast.Young());
        Folly folly = s.Dice.Pick(Follies);
        s.Bind("wish", folly.For);
        s.About("{an} {hero.kind} who found {magic.a}", "{hero} and the magic {magic.noun}", "a wish that went wrong");
        s.Break();
        s.Say("One [day|morning|evening], {hero} found {magic.a} {place.in}.", "One [day|evening], {hero} was {place.in} when something caught {his} eye. It was {magic.a}!", "One day, {he} tripped over something {place.in}. It was {magic.a}.");
        s.Go(hero, place);
        s.Give(magic, hero);
        s.Ask("What did {hero} find?", "{Hero} found {magic.a}.", "{magic}");
        s.Ask("Where did {hero} find the {magic.noun}?", "{Hero} found it {place.in}.", "{place}");
        s.Say("{He} picked it up and rubbed it. Puff! There was a little cloud, and a voice said, \"You have one wish.\"", "When {he} touched it, it began to hum. \"I am magic,\" it said. \"Make a wish!\"", "\"Hello,\" said a tiny voice. It was the {magic.noun}! \"You may make a wish,\" it said.");
        s.Detail("{Hero} nearly dropped it.", "\"A wish?\" {hero} whispered. \"Any wish at all?\"", "\"Think well before you speak,\" the voice said.");
        s.Say("{Hero} did not think for long. \"I wish for {wish}!\" {he} cried.", "\"I know what I want,\" said {hero}. \"I wish for {wish}!\"", "\"Then I wish for {wish},\" said {hero}.");
        s.Ask("What did {hero} wish for?", "{Hero} wished for {wish}.", "{wish}");
        s.Say(folly.Comes);
        s.Detail("\"Hooray!\" shouted {hero}.", "\"This is wonderful!\" {he} said.", "{Hero} could not believe {his} luck.");
        s.Break();
        s.Say(folly.Goes);
        s.Say("\"Oh dear,\" {hero} thought. \"This is not what I wanted.\"", "Now {hero} was not happy any more.", "\"What have I done?\" said {hero}.");
        if (s.Dice.Percent(50))
        {
            s.Say("{He} remembered what {friend.full} always said: \"The best things are those that you have already.\"", "{He} missed {friend.full} and the quiet days when they had played together.");
            s.Detail("A tear fell on the {magic.noun}.");
        }
        else
        {
            s.Say("{Friend.full}, {his} best friend, had an idea. \"Ask it to take the wish back,\" {friend} called.", "\"Can you not wish it away?\" called {friend.full}, who stood far off and was worried.");
            s.Ask("Who was {hero}'s friend?", "{Friend} was {hero}'s friend.", "{friend}");
        }

        s.Say("{Hero} held the {magic.noun} tight. \"Please,\" {he} said, \"let everything be as it was before.\"", "\"Dear {magic.noun},\" said {hero}, \"I do not want this wish. Please take it back.\"", "{Hero} closed {his} eyes and said, \"I wish that I had never made that wish.\"");
        s.Say("Puff! It was all gone, and everything was as before.", "There was a flash of light, and then everything was normal again.", "\"You are wiser now,\" said the voice, and the spell was broken.");
        s.Break();
        if (s.Dice.Percent(50))
        {
            s.Lose(magic, hero);
            s.Say("{Hero} put the {magic.noun} back where {he} had found it.", "{Hero} threw the {magic.noun} into the deepest part of the sea, where nobody would find it.", "The {magic.noun} turned into dust and blew away.");
        }
        else
        {
            s.Say("{Hero} put the {magic.noun} on a shelf. It never spoke again.", "{Hero} kept the {magic.noun}, but {he} never made another wish.");
            s.Ask("Who has the {magic.noun} at the end?", "{Hero} has the {magic.noun}.", "{hero}");
        }

        s.Say("Then {he} went to {friend}, and they played until it got dark.", "Then {he} sat down with {friend}, ate a plain piece of bread, and was happy.", "\"I am glad to be me,\" {he} told {friend}.");
        s.Teach("you should think before you make a wish", "the best things are those that you have already", "too much of a good thing is not good", "it is fine to be just as you are", "not every wish makes you happy");
        Ending.Tell(s);
    }
}
