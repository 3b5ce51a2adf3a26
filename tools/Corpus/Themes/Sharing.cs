using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody has something good to eat, does not want to share it, and then does.</summary>
internal static class Sharing
{
    public static void Tell(Story s)
    {
        Character hero = Opening.Tell(s);
        Thing treat = s.Bind("treat", s.Cast.Treat());
        Place place = s.Bind("place", s.Cast.Outdoors());
        Character friend = s.Bind("friend", s.Cast.Young());
        s.About("{an} {hero.kind} who learned to share", "{hero}, {friend} and {treat.a}", "{an} {hero.kind} who had {treat.a}");
        s.Break();
        s.Give(treat, hero);
        s.Say(
            "One [day|morning|sunny day], {hero} had {treat.a}. {He} took it {place.to} to eat it there.",
            "One day, a kind neighbor gave {hero} {treat.a}. \"This is for you,\" said the neighbor. {Hero} carried it {place.to}.",
            "On {his} birthday, {hero} got {treat.a}. {He} sat down {place.in} to enjoy it.");
        s.Go(hero, place);
        s.Ask("What did {hero} have?", "{Hero} had {treat.a}.", "{treat}");
        s.Ask("Where did {hero} take the {treat.noun}?", "{Hero} took the {treat.noun} {place.to}.", "{place}");
        s.Detail("It smelled [wonderful|so good|delicious].", "{His} tummy rumbled.", "{He} could hardly wait to take a bite.", "From there, {he} could see {place.sight}.");
        s.Break();
        s.Say("Then {friend.full} came by.", "Just then, {friend.full} walked past.", "Soon {friend.full} came along the path.");
        s.Say(
            "\"I am so hungry,\" said {friend}. \"[May|Could|Can] I have a little of your {treat.noun}?\"",
            "\"Oh, that {treat.noun} looks [good|lovely|yummy],\" said {friend}. \"I have not eaten [all day|since yesterday].\"",
            "{Friend} looked at the {treat.noun} and said, \"My basket is empty, and I have nothing to eat. Will you share with me?\"");
        s.Ask("Who was hungry?", "{Friend} was hungry.", "{friend}");
        if (s.Dice.Percent(65)) RefusesFirst(s);
        else SharesAtOnce(s);
        s.Say("They sat side by side and ate.", "They ate it together, bite by bite.", "Together they ate every last crumb.");
        s.Detail("It tasted even better than before.", "\"It tastes better with two,\" said {hero}.", "They [talked and laughed|told each other jokes|sang a song] until the sun went down.");
        Reward(s, friend);
        s.Teach("sharing makes everyone happy", "it is good to share", "food tastes better with a friend", "what you share comes back to you", "a small gift can make a big friend");
        Ending.Tell(s);
    }

    private static void RefusesFirst(Story s)
    {
        s.Say("\"No!\" said {hero}. \"It is mine!\" And {he} [turned away|hid the {treat.noun} behind {his} back|held it tight].", "{Hero} shook {his} head. \"I want to eat it all by myself,\" {he} said.", "But {hero} did not want to share. \"It is too small for two,\" {he} said.");
        s.Say("{Friend} [looked down|sighed] and walked away slowly.", "{Friend} said nothing and sat down alone under a tree.", "\"All right,\" {friend} said [quietly|in a small voice], and went away.");
        s.Break();
        s.Say(
            "{Hero} took a bite, but the {treat.noun} did not taste good. {He} kept thinking of {friend}.",
            "{Hero} looked at the {treat.noun}. {He} thought, \"I would be sad if nobody shared with me.\"",
            "{Hero} did not feel happy at all. {He} saw how lonely {friend} looked, and {his} heart hurt.");
        s.Ask("Did {hero} share at first?", "No, at first {hero} did not want to share.", "{hero}");
        s.Say(
            "So {he} ran after {friend}. \"Wait!\" {he} called. \"I am sorry. Let us share it.\" {He} [broke|divided] it in two and gave {friend} the bigger part.",
            "{He} stood up and called, \"{Friend}, please come back! There is enough for both of us.\"",
            "At last {he} went to {friend} and said, \"I was [selfish|not nice|wrong]. Half of it is for you.\"");
        s.Say("{Friend} [smiled|beamed|looked up with shining eyes]. \"Thank you!\" {friend.he} said.", "\"Oh, thank you, {hero}!\" said {friend}, and {friend.his} eyes lit up.");
    }

    private static void SharesAtOnce(Story s)
    {
        s.Say("{Hero} looked at the {treat.noun}. It was {his} only one. But {friend} looked so hungry.", "{Hero} thought for a moment. Then {he} smiled.", "{Hero} did not think twice.");
        s.Say("\"Come and sit with me,\" {he} said. \"We will share it.\"", "\"Of course,\" {he} said. \"One half for you and one half for me.\"", "\"Here,\" {he} said, and gave {friend} the bigger half.");
        s.Say("\"You are [very kind|so kind|a good friend],\" said {friend}.", "{Friend} jumped up with joy.");
    }

    private static void Reward(Story s, Character friend)
    {
        if (!s.Dice.Percent(60)) return;
        Thing gift = s.Bind("gift", s.Dice.Percent(50) ? s.Cast.Treat() : s.Cast.Toy());
        s.Break();
        s.Give(gift, friend);
        s.Say(
            "The next day, {friend} came back with {gift.a}. \"This is for you,\" {friend.he} said, \"because you shared with me.\"",
            "A week later, {hero} felt a bit sad, and there was {friend} at the door with {gift.a}. \"Now it is my turn,\" said {friend}.",
            "The next morning, {hero} found {gift.a} at {his} door. There was a note. It said, \"Thank you! Your friend, {friend}.\"");
        s.Give(gift, friend, s.Hero);
        s.Ask("What did {friend} give {hero}?", "{Friend} gave {hero} {gift.a}.", "{gift}");
        s.Detail("{Hero} was [surprised|so surprised|very happy].", "\"For me?\" said {hero}. \"How kind of you!\"");
    }
}
