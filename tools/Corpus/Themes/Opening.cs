using Quern.Corpus.Lexicon;
using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>The first sentences of a story: who the hero is, where they live, and what they like.</summary>
internal static class Opening
{
    private static readonly string[] Hobbies = Table.Of("""
        sing songs, run in the grass, paint pictures, climb trees, read stories, splash in puddles, count the stars, dance in the rain, tell jokes, build towers,
        look at the clouds, play hide and seek, collect stones, chase butterflies, listen to the birds, draw with chalk, swim, whistle, pick flowers, ask questions,
        roll down the hill, hop on one foot, watch the ants, catch falling leaves, play in the mud, jump over logs, make up games, feed the birds, dig holes,
        skip stones, play tag, blow bubbles, hum little tunes, ride in the wagon, watch the sunset, play the drum, make funny faces, bake cookies, plant bulbs, write letters, invent machines, solve riddles, juggle apples, balance on logs, gather chestnuts, feed the ducks, knit scarves, fold paper animals, carve sticks, polish shells, watch thunderclouds, imitate owls, tiptoe through the house, wade in the brook, gallop across the fields, giggle at silly rhymes, whisper secrets to the moon, explore hidden corners, sketch insects, study the map of the world, repair broken toys, decorate the windows, mix colors, practice cartwheels, whirl around until everything spun, name the constellations, arrange pebbles in circles, taste snowflakes, catch raindrops, splash with the paddles, rock in the hammock, visit the neighbors, sweep the porch, stack firewood, ring the doorbell, hunt for four-leaf clovers, swap stickers, blow the dandelions
        """);

    /// <summary>Introduces a hero, who is given a role here, and ends the paragraph.</summary>
    public static Character Tell(Story s)
    {
        Character hero = s.Bind("hero", s.Cast.Young());
        s.Bind("home", s.Cast.Home());
        string[] hobbies = s.Dice.PickSome(Hobbies, 2);
        s.Bind("hobby", hobbies[0]);
        s.Bind("hobby2", hobbies[1]);
        s.Say(
            "Once upon a time, there was {hero.intro}. {He} lived {home}.",
            "Once upon a time, there was {hero.intro} who lived {home}.",
            "Once upon a time, {hero.intro} lived {home}.",
            "Once there was {hero.intro}. {He} lived {home} and loved to {hobby2}.",
            "There once was {hero.intro} who lived {home}.",
            "Long ago, {home}, there lived {hero.intro}.",
            "Long, long ago, there was {hero.intro} who loved to {hobby2}. {He} lived {home}.",
            "{Hero} was {an} {hero.adjective} {hero.kind} who lived {home}.",
            "This is the story of {hero}, {an} {hero.adjective} {hero.kind} who lived {home}.",
            "Not so long ago, {hero.intro} lived {home}.",
            "In a place not far from here, {hero.intro} lived {home}.",
            "Do you know {hero}? {Hero} was {an} {hero.adjective} {hero.kind} who lived {home}.");
        s.Detail(
            "{He} loved to {hobby}.", "{Hero} liked to {hobby}.", "Every day, {he} liked to {hobby}.", "Most of all, {he} loved to {hobby}.",
            "On sunny days, {he} loved to {hobby}.", "{He} was always ready to {hobby}.", "When the weather was good, {he} went out to {hobby}.");
        s.Ask("[What is {hero}?|What kind of character is {hero}?]", "{Hero} is {an} {hero.kind}.", "{hero.kind}");
        s.Ask("Who is the story about?", "The story is about {an} {hero.kind} named {hero}.", "{hero}");
        s.Ask("Where did {hero} live?", "{Hero} lived {home}.", "{home}");
        return hero;
    }
}
