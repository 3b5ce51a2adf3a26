using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody is afraid of something, gets advice, and is brave when it counts.</summary>
internal static class Fear
{
    /// <param name="Of">What the hero fears: "the dark".</param>
    /// <param name="Reason">A sentence that says why.</param>
    /// <param name="Advice">What the helper says.</param>
    /// <param name="Trial">Where it counts: a sentence about {friend}.</param>
    /// <param name="Deed">What the hero does: a sentence.</param>
    /// <param name="After">What the hero found: a sentence.</param>
    private sealed record Dread(string Of, string Reason, string Advice, string Trial, string Deed, string After);

    private static readonly Dread[] Dreads =
    [
        new("the dark", "At night, every shadow looked like a monster.", "The dark is only the day with its eyes closed. Take this little lamp and look at the shadows.",
            "That night, {friend} did not come home. {Friend.He} was lost in the dark woods.", "{Hero} took the little lamp and walked into the dark woods, step by step, and called {friend}'s name.",
            "Behind a bush, {he} found {friend}, cold and tired. The shadows were only trees."),
        new("thunder", "When it boomed, {he} hid under a blanket.", "Thunder is only the clouds clapping. Count after each flash, and you will hear it walk away.",
            "That evening, a storm came. {Friend} was all alone outside, too scared to move.", "{Hero} counted, \"One, two, three,\" and ran through the rain to {friend}.",
            "They held on to each other and counted together, until the thunder was far away."),
        new("deep water", "{He} never went in farther than {his} knees.", "The water carries those who trust it. Breathe in, lie back, and let it hold you.",
            "One day, {friend} slipped and fell into the lake. \"Help!\" {friend.he} cried.", "{Hero} took a deep breath, lay on the water as {he} had learned, and pushed a log to {friend}.",
            "{Friend} held on to the log, and together they kicked until they reached the shore."),
        new("high places", "When {he} looked down, {his} legs shook like jelly.", "Do not look down. Look at the next step, and only at the next step.",
            "One day, {friend} climbed up a tall tree and could not get down again.", "{Hero} looked at the first branch, and then at the next, and climbed up to {friend}.",
            "\"Follow me,\" said {hero}. One branch at a time, they came down together."),
        new("speaking to strangers", "{His} cheeks grew hot, and no word came out.", "A kind word is like a key. Start with a small one, and the door will open.",
            "One day, {friend} hurt {friend.his} foot far from home, and nobody they knew was near.", "{Hero} walked up to a tall stranger and said, \"Please, can you help us?\"",
            "The stranger smiled and carried {friend} all the way home."),
        new("the old bridge", "It creaked and swung in the wind.", "A bridge likes slow feet and a song. Sing, and do not stop.",
            "One day, {friend} was ill, and the doctor lived on the other side of the bridge.", "{Hero} began to sing, and step by step {he} crossed the bridge.",
            "The doctor came with {him} at once, and soon {friend} was well again."),
        new("big dogs", "Whenever one barked, {he} ran away.", "Stand still, hold out your hand, and let the dog smell it. Most dogs only want a friend.",
            "One day, a big dog stood in front of {friend} and barked and barked. {Friend} was stiff with fear.", "{Hero} stood still, held out a hand, and spoke softly to the dog.",
            "The dog sniffed, wagged its tail, and lay down. It only wanted to play."),
        new("the deep snow", "{He} thought it would swallow {him} up.", "Make yourself wide and light. Tie two flat boards under your feet, and the snow will carry you.",
            "One winter day, {friend} was stuck in the snow far from the village.", "{Hero} tied two boards under {his} feet and walked over the snow to {friend}.",
            "{He} pulled {friend} out, and they went home in {hero}'s footprints."),
        new("being alone", "Without company, every room felt too big.", "You are never quite alone. Hum a tune, and it will keep you company.",
            "One day, {friend} needed medicine, and there was no one but {hero} to fetch it.", "{Hero} hummed a tune and went all the way to town, alone.",
            "{He} brought the medicine home, and {friend} got better the same evening."),
        new("loud noises", "A slammed door made {him} jump.", "Cover your ears, breathe slowly, and say: it is only a noise.",
            "One day, the fire bell rang. {Friend} was asleep and did not hear it.", "{Hero} breathed slowly, ran through all the noise, and woke {friend} up.",
            "They walked out together, safe and sound, and the fire was soon put out."),
    ];

    public static void Tell(Story s)
    {
        Opening.Tell(s);
        s.Bind("friend", s.Cast.Young());
        s.Bind("helper", s.Cast.Wise());
        Dread dread = s.Dice.Pick(Dreads);
        s.Bind("fear", dread.Of);
        s.About("{an} {hero.kind} who was afraid of {fear}", "{hero}, who was afraid of {fear}", "a brave {hero.kind} named {hero}");
        s.Say("But {hero} had one secret. {He} was afraid of {fear}.", "There was only one thing that {he} did not like. {Hero} was afraid of {fear}.", "{Hero} was afraid of {fear}.", "But there was one problem: {hero} was very, very afraid of {fear}.");
        s.Say(dread.Reason);
        s.Ask("What was {hero} afraid of?", "{Hero} was afraid of {fear}.", "{fear}");
        if (s.Dice.Percent(50))
            s.Say("{His} friend {friend.full} [never laughed at|always tried to cheer up|was always kind to] {him}.", "{His} best friend was {friend.full}. \"You will be brave one day,\" {friend} [often|always] said.");
        else
            s.Say("{Hero} had a good friend named {friend}.");
        s.Break();
        s.Say("One day, {hero} [went to|talked to|asked] {helper}. \"I am afraid of {fear},\" {he} said. \"What can I do?\"", "\"What is wrong?\" asked {helper} one day. \"I am afraid of {fear},\" {hero} said in a small voice.", "One [morning|afternoon], {hero} told {helper} about it. \"I wish I were brave,\" {he} said.");
        s.Bind("advice", dread.Advice);
        s.Say("{Helper} [smiled|nodded|thought for a while] and said, \"{Advice}\"", "\"Listen, {hero},\" said {helper}. \"{Advice}\"");
        s.Ask("Who gave {hero} advice?", "{Helper} gave {hero} advice.", "{helper}");
        s.Detail("\"And remember,\" said {helper}, \"brave does not mean that you have no fear.\"", "{Hero} [nodded|thanked {helper}] and went home.", "\"I will try,\" said {hero}.");
        s.Break();
        s.Say(dread.Trial);
        s.Detail("{Hero} trembled.", "{Hero}'s heart beat fast.", "\"I cannot do it,\" {hero} whispered. But then {he} thought of {friend}.", "{Hero} was scared, but {he} remembered the words of {helper}.");
        s.Say(dread.Deed);
        s.Say(dread.After);
        s.Break();
        s.Say("\"You were so brave, {hero}!\" said {friend}.", "\"You came for me!\" said {friend}. \"You are the bravest {hero.kind} I know.\"", "\"Thank you, {hero},\" said {friend}. \"I will never forget it.\"");
        s.Say("{Hero} [smiled|blushed a little]. \"I was afraid,\" {he} said, \"but I did it [anyway|all the same].\"", "\"I was still afraid,\" said {hero}. \"But you needed me.\"", "When {helper} heard about it, {helper.he} was very proud of {hero}.");
        s.Ask("Whom did {hero} help?", "{Hero} helped {friend}.", "{friend}");
        s.Teach("you can be brave even when you are afraid", "being brave means doing the right thing even when you are scared", "fear gets smaller when you help a friend", "courage grows with every step", "a little advice can make you strong");
        Ending.Tell(s);
    }
}
