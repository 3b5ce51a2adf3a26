using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody wants to make a present and lacks one thing; whoever has it wants another thing, and so on, and then all the way back.</summary>
internal static class TradeChain
{
    private static readonly (string Gift, string Needs)[] Plans =
    [
        ("cake", "egg"), ("kite", "ball of string"), ("pie", "bag of flour"), ("scarf", "ball of wool"), ("birdhouse", "hammer"), ("necklace", "string of beads"), ("drum", "round box"),
        ("paper crown", "pot of glue"), ("puppet", "piece of cloth"), ("little boat", "piece of wood"), ("lantern", "candle"), ("pot of soup", "onion"), ("picture", "pot of paint"),
        ("pillow", "bag of feathers"), ("flute", "piece of bamboo"), ("doll", "button"), ("swing", "strong rope"), ("fruit salad", "orange"), ("loaf of bread", "jug of milk"),
        ("jam tart", "jar of jam"), ("flower crown", "ribbon"), ("wooden horse", "small saw"),
    ];

    private static readonly string[] Wanted =
    [
        "fresh fish", "jar of honey", "new broom", "bag of apples", "bunch of flowers", "pail of water", "warm blanket", "basket of eggs", "bundle of sticks", "pair of socks",
        "cup of tea", "sack of corn", "pumpkin", "bowl of berries", "piece of soap", "wooden spoon", "bag of nuts", "clay pot", "walking stick", "bottle of oil",
    ];

    public static void Tell(Story s)
    {
        Character hero = Opening.Tell(s);
        Character friend = s.Bind("friend", s.Dice.Percent(60) ? s.Cast.Young() : s.Cast.InAnimalWorld ? s.Cast.WiseAnimal() : s.Cast.Parent());
        (string gift, string needs) = s.Dice.Pick(Plans);
        Thing present = s.Bind("present", new Thing(gift));
        Thing missing = s.Bind("missing", new Thing(needs));
        s.About("{an} {hero.kind} who wanted to make {present.a}", "{hero}, who made {present.a} for {friend}", "a present for {friend}");
        s.Break();
        s.Say("It was almost {friend}'s birthday. {Hero} wanted to make {present.a} for {friend.him}.", "\"Tomorrow is {friend}'s birthday,\" thought {hero}. \"I will make {present.a} for {friend.him}.\"", "One day, {hero} had an idea. {He} wanted to make {present.a} as a present for {friend}.");
        s.Ask("What did {hero} want to make?", "{Hero} wanted to make {present.a}.", "{present}");
        s.Ask("For whom was the {present}?", "The {present} was for {friend}.", "{friend}");
        s.Say("{He} had almost everything, but {he} had no {missing}.", "But one thing was missing: {missing.a}.", "But {he} needed {missing.a}, and there was none in the whole house.");
        s.Detail("\"Where can I get one?\" {he} wondered.", "{Hero} did not give up.", "{He} put on {his} hat and went out.");

        int length = s.Dice.Between(1, 3);
        Character[] owners = new Character[length];
        Thing[] goods = new Thing[length + 1];
        goods[0] = missing;
        string[] wanted = s.Dice.PickSome(Wanted, length);
        for (int i = 0; i < length; i++) Visit(s, i, owners, goods, wanted[i]);
        Last(s, goods[length]);
        s.Give(goods[length], hero);
        s.Break();
        for (int i = length - 1; i >= 0; i--) Trade(s, hero, owners[i], goods[i + 1], goods[i], last: i == 0);
        s.Break();
        s.Lose(missing, hero);
        s.Give(present, hero);
        s.Say("Now {hero} had everything. {He} worked [all evening|until late|with great care], and at last the {present} was ready.", "At home, {hero} set to work, and soon the {present} was done.", "{Hero} ran home and made the most beautiful {present} that {he} had ever made.");
        s.Give(present, hero, friend);
        s.Say("{Friend} was so happy. \"Did you make it yourself?\" {friend.he} asked.", "\"This is the best present of all,\" said {friend}, and hugged {hero}.", "When {friend} saw the {present}, {friend.his} eyes [shone|grew wide|sparkled]. \"Thank you, {hero}!\" {friend.he} said.");
        s.Detail("\"It took a bit of work,\" said {hero}, and told the whole story.", "They both laughed about the long way that {hero} had walked.");
        s.Ask("Who has the {present} at the end of the story?", "{Friend} has the {present}.", "{friend}");
        s.Teach("it is worth the work to make somebody happy", "who helps others gets help too", "a present made with love is the best present", "one good turn brings another", "you reach your goal one step at a time");
        Ending.Tell(s);
    }

    private static void Visit(Story s, int i, Character[] owners, Thing[] goods, string wanted)
    {
        Character owner = owners[i] = s.Bind("owner", s.Dice.Percent(50) ? s.Cast.Villager() : s.Cast.Young());
        Thing good = s.Bind("good", goods[i]);
        s.Bind("price", goods[i + 1] = new Thing(wanted));
        s.Give(good, owner);
        s.Break();
        if (i == 0) s.Say("First, {he} went to {owner.full}. \"Do you have {good.a}?\" {he} asked.", "{He} knocked at the door of {owner.full}. \"Please, may I have {good.a}?\" {he} asked.", "So {he} asked {owner.full} for {good.a}.");
        else s.Say("So {hero} went to {owner.full} and asked for {good.a}.", "Next, {hero} went to {owner.full}. \"Do you have {good.a}?\" {he} asked.", "Off {hero} went to {owner.full}, who had {good.a}.");
        s.Say("\"Yes,\" said {owner}, \"but I need {price.a}. Bring me one, and the {good} is yours.\"", "\"I do,\" said {owner}. \"If you bring me {price.a}, I will give it to you.\"", "\"I will trade it for {price.a},\" said {owner}.", "{Owner} smiled. \"I would like {price.a},\" {owner.he} said. \"Then you can have it.\"");
        s.Ask("What did {owner} want for the {good}?", "{Owner} wanted {price.a}.", "{price}");
    }

    private static void Last(Story s, Thing price)
    {
        s.Bind("price", price);
        s.Bind("place", s.Cast.Outdoors());
        s.Say("Luckily, {hero} knew where to find {price.a}. {He} ran {place.to} and got it.", "\"That is easy,\" said {hero}. \"I have {price.a} at home.\" And {he} ran to get it.", "{Hero} thought hard. Then {he} remembered that there was {price.a} {place.in}, and nobody needed it. {He} went and got it.");
    }

    private static void Trade(Story s, Character hero, Character owner, Thing given, Thing got, bool last)
    {
        s.Give(given, hero, owner);
        s.Give(got, owner, hero);
        s.Bind("owner", owner);
        s.Bind("given", given);
        s.Bind("got", got);
        s.Say(last
            ? ["At last, {he} gave the {given} to {owner} and got the {got}.", "{Owner} took the {given} and gave {hero} the {got}.", "And for the {given}, {owner} gave {him} the {got}. \"[Good luck|Have fun]!\" said {owner}."]
            : ["{Hero} gave the {given} to {owner} and got the {got}.", "{He} brought the {given} to {owner}, and {owner} gave {him} the {got}.", "For the {given}, {hero} got the {got} from {owner}."]);
    }
}
