using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>Somebody new is lonely or different, and becomes a friend.</summary>
internal static class NewFriend
{
    private static readonly (string Different, string Good, string Turn)[] Differences =
    [
        ("spoke very softly", "heard everything", "Suddenly, {newcomer} held up a hand. \"Listen!\" It was a tiny bird that had fallen out of its nest. Only {newcomer} had heard it."),
        ("was very shy", "could draw", "{Newcomer} took a stick and drew a picture in the sand. It was {hero}, with a big smile. \"That is beautiful!\" said {hero}."),
        ("walked very slowly", "saw every little thing", "\"Look,\" said {newcomer}, and pointed at the ground. There, under a leaf, was a four-leaf clover. Everyone else had run past it."),
        ("did not know the games", "knew new ones", "\"Where I come from, we play another game,\" said {newcomer}, and showed {hero} how to play it. It was the best game ever."),
        ("was taller than all the others", "could reach high", "When the kite got stuck in a tree, {newcomer} simply reached up and took it down."),
        ("was smaller than all the others", "could slip through any gap", "When the ball rolled under the fence, only {newcomer} was small enough to get it."),
        ("laughed in a funny way", "made everyone happy", "Then {newcomer} laughed, and it sounded so funny that {hero} had to laugh too. Soon nobody could stop."),
        ("wore strange clothes", "had a story for everything", "\"This coat comes from across the sea,\" said {newcomer}, and told {hero} about ships, whales and islands."),
        ("could not see well", "knew all the songs", "{Newcomer} began to sing, and all the birds became quiet to listen."),
        ("liked to read alone", "knew many things", "When they lost the way, {newcomer} looked at the sun and said, \"I read about this. Home is over there.\" And it was."),
    ];

    public static void Tell(Story s)
    {
        Character hero = Opening.Tell(s);
        Character newcomer = s.Bind("newcomer", s.Cast.Young());
        s.Bind("place", s.Cast.Outdoors());
        Thing toy = s.Bind("toy", s.Cast.Toy());
        (string different, string good, string turn) = s.Dice.Pick(Differences);
        s.Bind("different", different);
        s.Bind("good", good);
        s.About("{an} {hero.kind} who found a new friend", "{hero} and a new friend named {newcomer}", "how {hero} met {newcomer}");
        s.Break();
        s.Say("One [day|spring day|Monday], {newcomer.intro} moved in next door.", "One day, someone new came {place.to}. It was {newcomer.intro}.", "One [morning|afternoon], {hero} went {place.to} and saw someone new: {newcomer.intro}.");
        s.Ask("Who was new?", "{Newcomer} was new.", "{newcomer}");
        s.Say("{Newcomer} {different}, and the others did not [play with|talk to] {newcomer.him}.", "Nobody knew {newcomer.him}. {Newcomer} {different}, and so {newcomer.he} was often alone.", "{Newcomer} {different}. Some of the others [laughed|whispered], and {newcomer} sat alone {place.in}.");
        s.Detail("{Newcomer} looked [very lonely|so sad].", "\"I have no friends here,\" {newcomer} said to {newcomer.himself}.", "Every day, {newcomer} watched the others play.");
        s.Break();
        s.Give(toy, hero);
        s.Say("{Hero} saw this and felt sorry. {He} took {his} {toy} and went over to {newcomer}.", "\"It is no fun to be alone,\" thought {hero}. So {he} walked up to {newcomer} with {his} {toy}.", "{Hero} remembered a time when {he} had been alone too. {He} picked up {his} {toy} and went to {newcomer}.");
        s.Ask("What did {hero} bring?", "{Hero} brought {his} {toy}.", "{toy}");
        s.Say("\"Hello, I am {hero},\" {he} said. \"[Do you want to play with me|Would you like to play|Shall we play together]?\"", "\"Hi! My name is {hero}. Look at my {toy}! [You can hold {toy.it}|You may try {toy.it}].\"");
        s.Say("At first, {newcomer} did not say a word. Then {newcomer.he} nodded.", "{Newcomer} looked up, surprised. \"With me?\" {newcomer.he} asked. \"Yes, with you,\" said {hero}.", "{Newcomer} smiled for the first time. \"I would love to,\" {newcomer.he} said.");
        s.Give(toy, hero, newcomer);
        s.Say("{Hero} gave {newcomer} the {toy.noun}, and they began to play.", "They played with the {toy.noun}, first one and then the other.", "{Newcomer} took the {toy.noun} very carefully, and they started a game.");
        s.Break();
        s.Say(turn);
        s.Say("It turned out that {newcomer} {good}.", "\"Nobody ever told me that you are so [clever|special|wonderful],\" said {hero}.", "{Hero} was amazed. {Newcomer} {good}!");
        s.Detail("Soon the others came closer. \"May we play too?\" they asked.", "The others saw it and were sorry that they had not been kind.", "\"Come and play with us!\" {hero} called to the others.");
        s.Say("From that day on, {hero} and {newcomer} were best friends.", "Now {newcomer} was never alone again.", "The next day, {newcomer} waited for {hero} at the gate, and they played again.", "\"See you tomorrow,\" said {hero}. \"See you tomorrow, friend,\" said {newcomer}.");
        s.Teach("a friend can be very different from you", "a kind hello can change everything", "it is good to be kind to someone new", "everyone is good at something", "nobody should have to play alone");
        Ending.Tell(s);
    }
}
