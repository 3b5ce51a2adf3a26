using static Quern.Corpus.Lexicon.Table;

namespace Quern.Corpus.Lexicon;

/// <summary>What the somebody of a story may be.</summary>
internal static class Creatures
{
    /// <summary>Animals that are the heroes of their own stories.</summary>
    public static readonly string[] Animals = Of("""
        rabbit, fox, bear, mouse, squirrel, hedgehog, otter, beaver, deer, frog, duck, kitten, puppy, lamb, pony, monkey, elephant, lion, tiger, panda,
        penguin, pig, cat, dog, goose, hamster, wolf, dragon
        """);

    /// <summary>Animals that give advice.</summary>
    public static readonly string[] WiseAnimals = Of("owl, tortoise, crow, goat, badger, raven, stork, donkey, toad, pelican");

    /// <summary>Words for a hero.</summary>
    public static readonly string[] HeroAdjectives = Of("little, small, young, cheerful, curious, kind, lively, gentle, happy, friendly, quiet, playful, clever, merry, tiny, bright, sweet, brave, honest, shy, polite, dreamy, thoughtful, sunny, spirited, eager, patient, daring, helpful, modest, nimble");

    /// <summary>Words for somebody old.</summary>
    public static readonly string[] WiseAdjectives = Of("old, wise old, kind old, very old, gentle old, grey old, friendly old");

    /// <summary>Grown-ups of a village whom everybody knows by what they do, men and women.</summary>
    public static readonly string[] Trades = Of("""
        baker, farmer, gardener, teacher, shopkeeper, carpenter, painter, fisherman, miller, tailor, doctor, postman, sailor, cook, shepherd, blacksmith,
        clockmaker, woodcutter, mayor, nurse
        """);

    /// <summary>Those of <see cref="Trades"/> that only a man's word names.</summary>
    public static readonly string[] MensTrades = Of("fisherman, postman");

    /// <summary>Family, he.</summary>
    public static readonly string[] Men = Of("Dad, Grandpa, Uncle Joe, Uncle Bill, Grandpa Abe, Papa");

    /// <summary>Family, she.</summary>
    public static readonly string[] Women = Of("Mom, Grandma, Aunt May, Aunt Rose, Grandma Ruth, Mama");
}
