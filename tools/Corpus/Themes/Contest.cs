using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>A contest: somebody proud, somebody who tries, and something that matters more than winning.</summary>
internal static class Contest
{
    /// <param name="Name">"race".</param>
    /// <param name="Best">Who is good at it: "runner".</param>
    /// <param name="Practice">How the hero prepares.</param>
    /// <param name="Course">How it goes at first.</param>
    /// <param name="Mishap">What happens to the rival.</param>
    /// <param name="Help">What the hero does, and what it costs.</param>
    private sealed record Game(string Name, string Best, string Practice, string Course, string Mishap, string Help);

    private static readonly Game[] Games =
    [
        new("race", "runner", "Every morning, {hero} ran up the hill and down again.", "{Rival} was far ahead, and {hero} came second.", "Then {rival} stepped into a hole and fell. \"Ouch! My foot!\" {rival.he} cried.", "{Hero} stopped, helped {rival} up, and walked beside {rival.him}. All the others ran past them."),
        new("boat race", "sailor", "Every day, {hero} rowed across the pond and back.", "{Rival}'s boat was in front, and {hero}'s boat was close behind.", "Then {rival} leaned over too far and fell into the water with a splash.", "{Hero} turned around and pulled {rival} into {his} own boat. The other boats sailed by."),
        new("kite contest", "kite flyer", "{Hero} made a kite of paper and string and tried it every day.", "{Rival}'s kite flew highest of all.", "Then the wind turned, and {rival}'s kite was caught in a tree.", "{Hero} let {his} own kite down and climbed up to get the other one."),
        new("baking contest", "baker", "{Hero} baked a cake every evening, and each was a little better.", "{Rival}'s cake was as tall as a tower.", "Then {rival} saw that {rival.he} had no more sugar, and {rival.he} began to cry.", "{Hero} gave {rival} half of {his} own sugar. So {his} own cake was not quite so sweet."),
        new("sack race", "jumper", "{Hero} hopped around the house in an old sack, day after day.", "{Rival} hopped like a ball and was soon in front.", "Then {rival}'s sack tore, and {rival.he} fell flat on {rival.his} nose.", "{Hero} hopped back and took {rival} by the hand, and they hopped on together."),
        new("snowman contest", "builder", "{Hero} thought about it all winter and drew a plan.", "{Rival}'s snowman was already big and round.", "Then the head rolled off and fell into pieces, and {rival} sat down in the snow.", "{Hero} left {his} own snowman and helped {rival} to make a new head."),
        new("singing contest", "singer", "{Hero} sang every day, until even the frogs knew the song.", "{Rival} was to sing first and stood on the stage.", "But {rival} forgot every word and turned red.", "{Hero} stepped up beside {rival.him} and sang the first line softly, and {rival} went on."),
        new("climbing contest", "climber", "{Hero} climbed the old oak tree every afternoon.", "{Rival} was almost at the top.", "Then a branch broke, and {rival} hung there by one arm.", "{Hero} climbed over to {rival} and held {rival.him} until both could stand safely."),
        new("treasure hunt", "finder", "{Hero} read all the maps that {he} could find.", "{Rival} had already found three of the four clues.", "Then {rival} got stuck in the mud up to the knees.", "{Hero} put down {his} map and pulled {rival} out with a long branch."),
    ];

    public static void Tell(Story s)
    {
        Character hero = Opening.Tell(s);
        s.Bind("rival", s.Cast.Young());
        Character judge = s.Bind("judge", s.Dice.Percent(50) ? s.Cast.Wise() : s.Cast.Villager());
        Thing prize = s.Bind("prize", s.Cast.Treasure());
        Place place = s.Bind("place", s.Cast.Outdoors());
        Game game = s.Dice.Pick(Games);
        s.Bind("game", game.Name);
        s.Bind("best", game.Best);
        s.Give(prize, judge);
        s.About("{an} {hero.kind} in a {game}", "{hero}, {rival} and the {game}", "a {game} and {an} {hero.kind} who helped");
        s.Break();
        s.Say("One [day|summer|spring], there was a {game} {place.in}. The prize was {prize.a}.", "\"Next week, there will be a {game} {place.in},\" said {judge}. \"The winner will get {prize.a}!\"", "Every year, there was a {game} {place.in}, and this year the prize was {prize.a}.");
        s.Ask("What was the prize?", "The prize was {prize.a}.", "{prize}");
        s.Ask("Where was the {game}?", "The {game} was {place.in}.", "{place}");
        s.Say("\"I am the best {best} of all,\" said {rival.full}. \"Nobody can beat me!\"", "{Rival.full} was a very good {best}, and very proud. \"I always win,\" {rival} said.", "{Rival.full} [laughed at|looked down on] the others. \"You have no chance,\" {rival} said.");
        s.Say("{Hero} was not so sure of {himself}, but {he} wanted to try.", "{Hero} only smiled. \"We will see,\" {he} said.", "{Hero} said nothing and began to practice.");
        s.Say(game.Practice);
        s.Detail("It was hard, and {he} was often tired.", "\"I get a little better every day,\" {he} said.");
        s.Break();
        s.Say("Then the big day came. Everyone was there to watch.", "On the day of the {game}, the sun was shining, and flags waved in the wind.", "At last it was time. \"Ready, steady, go!\" called {judge}.");
        s.Go(hero, place);
        s.Say(game.Course);
        s.Detail("\"Faster, {hero}, faster!\" somebody called.", "\"You can do it, {hero}!\" the others called.", "{Hero} did {his} very best.");
        s.Say(game.Mishap);
        s.Ask("Who needed help in the {game}?", "{Rival} needed help.", "{rival}");
        s.Say("{Hero} saw it. {He} could win now! But {he} did not think about the prize.", "Now {hero} could win. But how could {he} leave {rival} like that?", "For a moment, {hero} thought of the {prize.noun}. Then {he} thought of {rival}.");
        s.Say(game.Help);
        s.Break();
        s.Say("\"Why did you do that?\" asked {rival}. \"You could have won.\" \"You needed help,\" said {hero}.", "{Rival} was ashamed. \"I was not nice to you,\" {rival.he} said. \"Thank you.\"", "{Rival} did not know what to say. \"You are a better friend than I am,\" {rival.he} said at last.");
        if (s.Dice.Percent(65))
        {
            s.Give(prize, judge, hero);
            s.Say("Then {judge} stood up. \"Others have more points,\" {judge.he} said, \"but the prize is for the biggest heart.\" And {judge.he} gave {hero} the {prize}.", "{Judge} had seen it all. {Judge.He} came and put the {prize} into {hero}'s hands. \"For the kindest of all,\" {judge.he} said.", "\"The prize goes to {hero},\" said {judge}, \"because helping is harder than winning.\" Everyone clapped.");
            s.Ask("Who got the {prize.noun}?", "{Hero} got the {prize.noun}.", "{hero}");
        }
        else
        {
            s.Say("{Hero} did not win the {prize.noun}. But {he} went home with a new friend.", "Somebody else won the {prize.noun}. {Hero} and {rival} clapped for the winner, side by side.", "They came in last, arm in arm, and everyone cheered louder than for the winner.");
            s.Ask("Did {hero} win the {prize.noun}?", "No, {hero} did not win the {prize.noun}.", "{prize.noun}");
        }

        s.Detail("After that, {rival} was never so proud again.", "From then on, they practiced together.");
        s.Teach("being kind is better than winning", "a friend is worth more than a prize", "helping is more important than being first", "it is fine to lose a game, but not to lose a friend", "a big heart is the best prize");
        Ending.Tell(s);
    }
}
