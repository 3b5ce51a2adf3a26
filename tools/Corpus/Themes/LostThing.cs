using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody loses what they love, looks for it in several places, and finds it, alone or with help.</summary>
internal static class LostThing
{
    public static void Tell(Story s)
    {
        Character hero = Opening.Tell(s);
        Thing thing = s.Bind("thing", s.Cast.Toy());
        Place found = s.Bind("found", s.Cast.Near());
        s.Give(thing, hero);
        s.About("{an} {hero.kind} who lost {thing.a}", "{an} {hero.kind} named {hero} and {thing.a}", "{hero} and {his} lost {thing.noun}");
        s.Say(
            "{He} had {thing.a} and took {thing.it} everywhere.", "{Hero} had {thing.a} that {he} loved very much.",
            "Of all the things that {he} had, {he} loved {his} {thing} best.",
            "{Hero} always played with {his} {thing}.", "[A good friend|An old sailor|A kind neighbor] had given {him} {thing.a}, and {he} loved {thing.it}.");
        s.Detail("{He} even slept with {thing.it} [at night|every night].", "There was no other {thing.noun} like {thing.it}.", "{He} took very good care of {thing.it}.")
            .Break();

        s.Lose(thing, hero);
        s.Say(
            "One [morning|day|afternoon|evening], {hero} could not find {his} {thing.noun}.",
            "But one [morning|day|rainy day], the {thing} {thing.was} gone.",
            "One day, {hero} looked for {his} {thing.noun}, but {thing.they} {thing.was} not there.",
            "Then, one [morning|windy day], something bad happened. The {thing} {thing.was} gone!");
        s.Ask("What did {hero} lose?", "{Hero} lost {his} {thing}.", "{thing}");
        s.Say(
            "{Hero} was very sad.", "{He} felt like crying.", "\"Oh no!\" {he} cried. \"Where [can|could] {thing.they} be?\"", "{His} heart sank.", "A tear rolled down {his} cheek.",
            "\"My {thing.noun}! My [dear|poor|lovely] {thing.noun}!\" {he} cried.");
        Search(s);
        if (s.Dice.Percent(55)) FoundWithHelp(s, hero, thing, found);
        else FoundAlone(s, hero, thing, found);
        Ending.Tell(s);
    }

    private static void Search(Story s)
    {
        s.Break();
        int places = s.Dice.Between(1, 3);
        for (int i = 0; i < places; i++)
        {
            s.Bind("spot", s.Cast.Near());
            string start = i == 0 ? "First," : s.Dice.Pick<string>(["Then", "Next,", "After that,"]);
            s.Say(
                start + " {he} looked {spot.in}, but {thing.they} {thing.was} not there.",
                start + " {he} [went|ran] to {spot} and looked all around. {He} saw {spot.sight}, but no {thing.noun}.",
                start + " {he} searched {spot.in}. {He} found {spot.sight}, but not the {thing.noun}.");
            if (i == 0) s.Ask("Where did {hero} look first?", "First, {hero} looked {spot.in}.", "{spot}");
        }

        s.Detail("{He} looked high and low.", "{He} looked and looked.", "It was no use.", "\"Where are you?\" {he} called, but there was no answer.");
    }

    private static void FoundWithHelp(Story s, Character hero, Thing thing, Place found)
    {
        Character friend = s.Bind("friend", s.Cast.Young());
        s.Break().Say(
            "{Friend.full} saw {hero} and asked, \"[Why are you so sad|What is wrong|What are you looking for]?\"",
            "Just then, {friend.full} came by. \"[What is the matter|Why are you crying|Can I help you]?\" {friend.he} asked.",
            "On the way, {hero} met {friend.full}. \"You look sad,\" said {friend}. \"What happened?\"");
        s.Ask("Who helped {hero}?", "{Friend} helped {hero}.", "{friend}");
        s.Say("\"I lost my {thing},\" said {hero}.", "\"I cannot find my {thing} anywhere,\" said {hero}.", "{Hero} told {friend} about the {thing}.", "\"My {thing} {thing.is} gone,\" {hero} said [softly|sadly|with a sigh].");
        s.Say("\"Do not worry,\" said {friend}. \"We will look together.\"", "\"I will help you,\" said {friend}.", "\"Two can look better than one,\" said {friend}. \"Let us go!\"", "\"Let us think,\" said {friend}. \"Where did you play yesterday?\"");
        s.Detail("Together they set off.", "{Hero} felt a little better.", "{Hero} dried {his} eyes and [nodded|smiled a little].").Break();
        s.Say(
            "They looked {found.in}, and there {thing.they} {thing.was}!", "When they came to {found}, {friend} [shouted|called|cried], \"Look! I see something!\" There {thing.was} the {thing}!",
            "At last, they searched {found.in}. \"[Here|Over here]!\" cried {friend}, and held up the {thing}.");
        s.Go(hero, found);
        s.Give(thing, friend);
        s.Give(thing, friend, hero);
        s.Ask("Where did they find the {thing.noun}?", "They found the {thing.noun} {found.in}.", "{found}");
        s.Say("\"Thank you, {friend}!\" said {hero}. \"You are a [true|good|real|wonderful] friend.\"", "{Hero} hugged {friend} and said, \"Thank you [so much|very much]!\"", "{Hero} jumped for joy. \"You found {thing.it}!\" {he} cried. \"Thank you!\"");
        s.Detail("Then they played together until [dinner|sunset|the sun went down].", "{Friend} smiled. \"That is what friends are for,\" {friend.he} said.");
        s.Teach("it is good to ask a friend for help", "friends make hard things easy", "two can do more than one", "a good friend helps when you are sad");
    }

    private static void FoundAlone(Story s, Character hero, Thing thing, Place found)
    {
        s.Break().Say(
            "Then {hero} sat down and thought. \"Where was I yesterday?\" {he} asked {himself}. \"I know! I was {found.in}!\"",
            "{Hero} closed {his} eyes and tried to remember. Yesterday, {he} had played {found.in}!",
            "{Hero} took a deep breath and thought hard. Suddenly {he} remembered. {He} had left {thing.it} {found.in}!");
        s.Say("{He} ran there as fast as {he} could.", "So {he} hurried to {found}.", "Off {he} went to {found}.");
        s.Go(hero, found);
        s.Say("And there {thing.was} the {thing}, right where {he} had left {thing.it}.", "The {thing} {thing.was} still there!", "There, in a corner, {he} saw the {thing}.", "{He} looked down, and there {thing.they} {thing.was}.");
        s.Give(thing, hero);
        s.Ask("Where did {hero} find the {thing.noun}?", "{Hero} found the {thing.noun} {found.in}.", "{found}");
        s.Say("{Hero} [laughed|smiled|was so happy] and held {thing.it} tight.", "\"There you are!\" {he} cried.", "\"I will never leave you behind again,\" {he} said.", "{He} danced all around with joy.");
        s.Say("After that, {he} always put {thing.it} away in a safe place.", "From then on, {he} kept {thing.it} in a special box at night.", "That night, {he} put the {thing.noun} on a shelf where {he} could see {thing.it}.");
        s.Teach("it helps to stop and think", "it is good to put things back in their place", "it is wise to take care of the things you love", "a calm mind finds the answer");
    }
}
