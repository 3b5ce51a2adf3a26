using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody breaks something, hides it or blames another, feels bad, and tells the truth.</summary>
internal static class Truth
{
    private static readonly (string Thing, string How)[] Accidents =
    [
        ("blue vase", "{Hero} played with a ball inside the house, and the ball hit the vase. Crash! It broke into a hundred pieces."),
        ("big window", "{Hero} threw a stone just for fun. It flew too far, and with a loud crash the window broke."),
        ("teapot", "{Hero} wanted to see what was in it and pulled it off the shelf. It fell down and broke."),
        ("old clock", "{Hero} wanted to know why it ticked and turned a little wheel. Pling! The clock stood still."),
        ("garden gate", "{Hero} used it as a swing, to and fro, until it broke with a loud crack."),
        ("flower pot", "{Hero} ran around the corner too fast and knocked it over. The pot broke, and the earth fell out."),
        ("picture frame", "{Hero} jumped on the bed, and the frame fell from the wall. The glass broke."),
        ("wooden chair", "{Hero} rocked back and forth on it until one leg broke off."),
        ("honey jar", "{Hero} tried to reach it at the very top, and it slipped out of {his} fingers. The honey ran all over the floor."),
        ("white fence", "{Hero} drove a cart down the hill and could not stop. The cart broke right through the fence."),
        ("mirror", "{Hero} danced around with a broom, and the broom hit the mirror. Crack! There was a long line across the glass."),
        ("reading lamp", "{Hero} chased a fly with a pillow. The fly got away, but the lamp fell down and broke."),
        ("fishing rod", "{Hero} used it as a sword, and it broke in two."),
        ("umbrella", "{Hero} jumped from a wall with it to see if {he} could fly. {He} could not, and the umbrella broke."),
    ];

    public static void Tell(Story s)
    {
        Opening.Tell(s);
        Character owner = s.Bind("owner", s.Dice.Percent(50) ? s.Cast.Wise() : s.Cast.Villager());
        s.Bind("friend", s.Cast.Young());
        (string name, string how) = s.Dice.Pick(Accidents);
        Thing broken = s.Bind("broken", new Thing(name));
        s.Give(broken, owner);
        s.About("{an} {hero.kind} who told the truth", "{hero} and the broken {broken}", "{an} {hero.kind} who broke {broken.a}");
        s.Break();
        s.Say("{Owner} had {broken.a} that was very dear to {owner.him}.", "In the house of {owner}, there was {broken.a}. \"Please be careful with it,\" {owner} always said.", "Everyone knew the {broken} of {owner}. {Owner} was very proud of it.");
        s.Say("One [day|afternoon|rainy day], {hero} was there alone.", "One day, {owner} went out, and {hero} stayed behind.", "One [day|evening], nobody was looking.");
        s.Say(how);
        s.Ask("What did {hero} break?", "{Hero} broke the {broken}.", "{broken}");
        s.Ask("Whose {broken} was it?", "It was the {broken} of {owner}.", "{owner}");
        s.Say("\"Oh no!\" {hero} whispered. \"What have I done?\"", "{Hero} stood very still. {His} heart beat fast.", "{He} felt hot and cold at the same time.");
        s.Break();
        bool blames = s.Dice.Percent(45);
        if (blames)
        {
            s.Say("When {owner} came back, {hero} said, \"It was {friend.full}!\"", "\"Who did this?\" asked {owner}. {Hero} looked at the floor and said, \"I think it was {friend.full}.\"");
            s.Say("{Friend} was very hurt. \"I did not do it,\" {friend.he} said with tears in {friend.his} eyes.", "Poor {friend} had to stay at home all day, and {friend.he} did not know why.", "\"But I was not even there!\" said {friend}. Nobody believed {friend.him}.");
            s.Ask("Whom did {hero} blame?", "{Hero} blamed {friend}.", "{friend}");
        }
        else
        {
            s.Say("Quickly, {he} hid everything [under a rug|behind a curtain|in a corner|under some leaves].", "{He} covered it all with a [cloth|blanket|big box] and ran away.", "{He} did not say a word to anyone.");
            s.Say("When {owner} came back and asked about it, {hero} said, \"I do not know.\"", "\"Have you seen my {broken}?\" asked {owner}. \"No,\" said {hero}, but {he} could not look up.");
        }

        s.Say("That night, {hero} could not sleep. There was a heavy feeling in {his} tummy.", "All day, {hero} felt terrible. {He} did not want to play, and {he} did not want to eat.", "A lie is like a stone in a shoe. With every step, {hero} felt it.", "{Hero} tried to forget it, but the lie felt as heavy as a sack of stones.");
        if (!blames) s.Detail("\"What is wrong with you?\" asked {his} friend {friend}. \"You look so sad.\" \"Nothing,\" said {hero}, but that was not true.", "{His} friend {friend} said, \"The truth is like a splinter. It hurts when it comes out, and then it stops.\"");
        s.Break();
        s.Say("In the morning, {hero} went to {owner}. \"I have to tell you something,\" {he} said. \"I broke your {broken}. I am so sorry.\"", "At last {he} could not stand it any more. {He} ran to {owner} and cried, \"It was me! I broke your {broken}!\"", "{Hero} took a deep breath, knocked at the door of {owner}, and told {owner.him} everything.");
        s.Say("{Owner} was quiet for a moment. \"Thank you for telling me the truth,\" {owner.he} said. \"That was not easy.\"", "{Owner} looked at {him} for a long time. Then {owner.he} smiled. \"A thing can be mended,\" {owner.he} said, \"and so can a mistake.\"", "\"I am sad about it,\" said {owner}, \"but I am glad that you told me.\"");
        if (blames) s.Say("Then {hero} went to {friend} and said sorry too. {Friend} [forgave {him}|gave {him} a hug|was glad that the truth was out].", "\"I am sorry, {friend},\" said {hero}. \"It was wrong of me to say that it was you.\" \"Do not do it again,\" said {friend}, and they shook hands.");
        s.Say("Together they mended the {broken} with glue and patience.", "{Hero} helped {owner} all week to make up for it.", "{Hero} worked in the garden for three days and used the money to pay for it.", "They cleaned up together, and {hero} carried the pieces away.");
        s.Detail("The heavy feeling was gone.", "Now {hero} felt as light as a feather.", "That night, {he} slept very well.");
        s.Teach("it is always better to tell the truth", "telling the truth makes your heart light", "everyone makes mistakes, but it is brave to say sorry", "a lie makes a small problem big", "honest words can mend almost anything");
        Ending.Tell(s);
    }
}
