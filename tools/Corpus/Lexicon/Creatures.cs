using static Quern.Corpus.Lexicon.Table;

namespace Quern.Corpus.Lexicon;

/// <summary>What the somebody of a story may be.</summary>
internal static class Creatures
{
    /// <summary>Animals that are the heroes of their own stories.</summary>
    public static readonly string[] Animals = Of("""
        rabbit, fox, bear, mouse, squirrel, hedgehog, badger, otter, beaver, deer, raccoon, mole, frog, turtle, duck, kitten, puppy, lamb, piglet,
        pony, calf, goat, donkey, chick, goose, monkey, elephant, lion, tiger, giraffe, zebra, panda, koala, kangaroo, penguin, seal, hippo, camel,
        parrot, lizard, hamster, skunk, chipmunk, porcupine, moose, wolf, cat, dog, pig, hen, cow, swan, crab, toad, weasel, marmot, alpaca, lynx,
        ferret, puffin, gecko, meerkat, jackal, llama, ostrich, pheasant, gopher, dormouse, mongoose, armadillo, sloth, wombat, platypus, newt, coyote,
        antelope, gazelle, reindeer, flamingo, cricket, robin, canary, gorilla, leopard, walrus, turkey, peacock, hare, quail, partridge, bobcat, vole, shrew
        """);

    /// <summary>Animals that give advice.</summary>
    public static readonly string[] WiseAnimals = Of("owl, tortoise, crow, goat, heron, badger, raven, elephant, stork, turtle, toad, donkey, ram, pelican, bison, magpie, hare, salamander, walrus, ibis, beetle, yak");

    /// <summary>Words for a hero.</summary>
    public static readonly string[] HeroAdjectives = Of("little, small, young, cheerful, curious, kind, lively, gentle, happy, friendly, quiet, playful, clever, merry, tiny, bright, sweet, brave, honest, shy, polite, dreamy, thoughtful, sunny, spirited, eager, patient, daring, helpful, modest, nimble");

    /// <summary>Words for somebody old.</summary>
    public static readonly string[] WiseAdjectives = Of("old, wise old, kind old, very old, gentle old, grey old, friendly old");

    /// <summary>Grown-ups of a village whom everybody knows by what they do, men and women.</summary>
    public static readonly string[] Trades = Of("""
        baker, farmer, gardener, teacher, shopkeeper, carpenter, painter, fisherman, miller, shoemaker, tailor, potter, beekeeper, librarian, doctor,
        postman, musician, sailor, cook, shepherd, blacksmith, weaver, clockmaker, ferryman, woodcutter, grocer, juggler, toymaker, mayor, nurse, pilot, astronomer, inventor, captain, carver, saddler, plumber, mechanic,
        poet, dancer, magician, florist, barber, chemist, conductor, wizard, knight, hunter, merchant, glassblower, candlemaker, jeweler, goatherd,
        innkeeper, printer, roofer, mason, sculptor
        """);

    /// <summary>Those of <see cref="Trades"/> that only a man's word names.</summary>
    public static readonly string[] MensTrades = Of("fisherman, postman, ferryman");

    /// <summary>Family, he.</summary>
    public static readonly string[] Men = Of("Dad, Grandpa, Uncle Joe, Uncle Bill, Grandpa Abe, Papa");

    /// <summary>Family, she.</summary>
    public static readonly string[] Women = Of("Mom, Grandma, Aunt May, Aunt Rose, Grandma Ruth, Mama");
}
