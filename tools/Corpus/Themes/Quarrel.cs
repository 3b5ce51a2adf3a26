using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Two friends build something, quarrel about it, ruin it or leave it, and make peace.</summary>
internal static class Quarrel
{
    /// <param name="Work">"a sandcastle".</param>
    /// <param name="Noun">"sandcastle".</param>
    /// <param name="Mine">What the hero wants, a clause after "I want".</param>
    /// <param name="Yours">What the friend wants.</param>
    /// <param name="Ruin">How it breaks.</param>
    /// <param name="Peace">How both wishes fit.</param>
    private sealed record Dispute(string Work, string Noun, string Mine, string Yours, string Ruin, string Peace);

    private static readonly Dispute[] Disputes =
    [
        new("a sandcastle", "sandcastle", "a tall tower", "a long wall", "They both pushed, and the castle crumbled.", "They built a tall tower at each end of a long wall."),
        new("a tree house", "tree house", "a round window", "a square door", "The hammer fell, a board cracked, and half the floor came down.", "Now it had a round window and a square door, and it was perfect."),
        new("a snow fort", "snow fort", "a high roof", "a secret tunnel", "Each pulled at the same block of snow, and the fort fell in.", "They dug a secret tunnel that led to a room with a high roof."),
        new("a raft", "raft", "a blue sail", "a yellow sail", "The cloth ripped in the middle, from top to bottom.", "They sewed the two colors together, and the raft had a striped sail."),
        new("a pirate ship made of boxes", "pirate ship", "to be the captain", "to be the captain too", "One pulled the wheel to the left and one to the right, and the boxes fell over.", "In the morning one of them was captain, and in the afternoon the other."),
        new("a dam in the brook", "dam", "only stones", "only branches", "While they argued, the water washed everything away.", "With stones below and branches above, the dam held for days."),
        new("a puppet theater", "theater", "a play about dragons", "a play about princesses", "The curtain tore, and the puppets lay on the floor.", "They played the story of a dragon and a princess who were neighbors."),
        new("a giant pumpkin lantern", "lantern", "a scary face", "a smiling face", "The knife slipped, and the pumpkin rolled down the steps.", "With the next pumpkin, they cut a scary face in front and a smiling face on the back."),
        new("a scarecrow", "scarecrow", "a straw hat", "a woolen cap", "An arm came off, and then the other.", "The scarecrow wore the cap under the hat and was never cold."),
        new("a birdbath", "birdbath", "to put it in the sun", "to put it in the shade", "It slipped between them and landed upside down in the dirt.", "They found a spot where there was sun in the morning and shade at noon."),
        new("a mural on the barn wall", "mural", "a picture of the ocean", "a picture of the mountains", "Paint splashed everywhere, and all they could see was a brown smear.", "They painted mountains that rose out of the ocean, with a harbor in between."),
    ];

    public static void Tell(Story s)
    {
        Opening.Tell(s);
        s.Bind("friend", s.Cast.Young());
        s.Bind("place", s.Cast.Outdoors());
        Dispute dispute = s.Dice.Pick(Disputes);
        s.Bind("work", dispute.Work);
        s.Bind("noun", dispute.Noun);
        s.Bind("mine", dispute.Mine);
        s.Bind("yours", dispute.Yours);
        s.About("two friends who quarreled", "{hero} and {friend} and {work}", "how {hero} and {friend} made peace");
        s.Say("{His} best friend was {friend.full}.", "{Hero} and {friend.full} were best friends.", "{He} did almost everything together with {his} friend {friend}.");
        s.Ask("Who was {hero}'s best friend?", "{Friend} was {hero}'s best friend.", "{friend}");
        s.Break();
        s.Say("One [day|morning|holiday], they decided to make {work}.", "\"Let us make {work}!\" said {friend} one [day|morning].", "One [weekend|afternoon], {hero} had a plan. \"We will make {work},\" {he} said, and {friend} cheered.");
        s.Ask("What did the friends want to make?", "They wanted to make {work}.", "{work}");
        s.Detail("They gathered everything that they needed.", "They rolled up their sleeves and began.", "At first, everything went smoothly.");
        s.Say("\"I want {mine},\" said {hero}. \"No, I want {yours},\" said {friend}.", "But soon they disagreed. {Hero} wanted {mine}, and {friend} wanted {yours}.");
        s.Say("\"My idea is better!\" \"No, mine is!\"", "Their voices got louder and louder.", "Neither of them would give in.");
        s.Say(dispute.Ruin);
        s.Say("\"That was your fault!\" shouted {friend}, and stomped off.", "\"I will never play with you again!\" cried {hero}, and ran home.", "They turned their backs on each other and went away without a word.");
        s.Break();
        s.Say("At home, {hero} sat down with {his} chin in {his} hands. The room was awfully quiet.", "All evening, {hero} was grumpy. Playing alone was dull.", "The next day was long and boring. {Hero} missed {friend}'s laugh.");
        s.Detail("{He} looked at the empty chair beside {him}.", "Even {his} favorite supper had no flavor.", "\"Was it really so important?\" {he} wondered.");
        if (s.Dice.Percent(55))
        {
            s.Bind("helper", s.Cast.Wise());
            s.Say("\"Two ideas are not too many,\" said {helper}. \"Maybe they fit together.\"", "{Helper} listened to the whole tale and said, \"When two are right, look for a third way.\"", "\"A quarrel is like a knot,\" said {helper}. \"Pulling makes it tighter.\"");
            s.Ask("Who gave {hero} advice?", "{Helper} gave {hero} advice.", "{helper}");
        }

        s.Say("So {hero} went to {friend}. \"I am sorry,\" {he} said. \"I should have listened to you.\"", "{Hero} took a flower and knocked at {friend}'s door. \"Please forgive me,\" {he} said.", "Halfway to {friend}'s home, {hero} met {friend}, who was on the way to {him}. \"Sorry!\" they both said at the same moment, and giggled.");
        s.Say("\"I am sorry too,\" said {friend}. \"Shall we try again?\"", "{Friend} hugged {him}. \"I missed you,\" {friend} said.");
        s.Break();
        s.Say("They went back and started over, and this time they listened to each other.", "Side by side, they began once more.", "This time, each of them asked, \"And what would you like?\"");
        s.Say(dispute.Peace);
        s.Detail("It was far better than either idea alone.", "\"Our best one yet!\" said {friend}.", "Everyone who passed by admired it.");
        s.Teach("friends can disagree and still be friends", "two ideas together can be better than one", "saying sorry is stronger than being right", "it is wise to listen to each other", "a friend is more important than winning a quarrel");
        Ending.Tell(s);
    }
}
