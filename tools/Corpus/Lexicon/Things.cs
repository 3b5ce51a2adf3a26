using static Quern.Corpus.Lexicon.Table;

namespace Quern.Corpus.Lexicon;

/// <summary>Things, by what a story may do with them.</summary>
internal static class Things
{
    /// <summary>What one plays with and would miss; each goes with any of <see cref="Colours"/>.</summary>
    public static readonly string[] Toys = Of("""
        ball, kite, drum, whistle, doll, toy boat, toy train, toy car, hat, scarf, blanket, umbrella, balloon, bell, bucket, ribbon, book, ring, marble, wagon,
        puppet, teddy bear, flute, basket, lantern, pillow, crown, mask
        """);

    /// <summary>The same, more than one of them.</summary>
    public static readonly string[] PluralToys = Of("boots, gloves, shoes, socks, blocks, glasses, beads, crayons");

    public static readonly string[] Colours = Of("""
        red, blue, green, yellow, orange, purple, pink, white, brown, silver, golden, black, little, old, pretty, new, tiny, bright
        """);

    /// <summary>What one eats and can cut in two.</summary>
    public static readonly string[] Treats = Of("""
        apple, cookie, pie, cake, sandwich, muffin, pear, bun, pancake, peach, banana, orange, plum, waffle, melon, carrot,
        loaf of bread, piece of cheese, bar of chocolate, jar of honey, bag of nuts, basket of berries, bowl of soup, bunch of grapes
        """);

    /// <summary>How a treat is.</summary>
    public static readonly string[] TreatAdjectives = Of("big, sweet, warm, fresh, delicious, tasty, large, lovely, yummy, fine");

    /// <summary>What is found and treasured.</summary>
    public static readonly string[] Treasures = Of("""
        shell, stone, coin, feather, pebble, leaf, crystal, acorn, pearl, button, key, map, bottle, chest, necklace, compass, lamp, medal, mirror, spoon
        """);

    public static readonly string[] TreasureAdjectives = Of("shiny, golden, silver, smooth, sparkling, strange, old, beautiful, rare, blue, tiny, glowing, dusty, forgotten");

    /// <summary>What one works with, and what it is for.</summary>
    public static readonly (string Tool, string Use)[] Tools =
    [
        ("rope", "pull"), ("ladder", "climb up"), ("long stick", "reach far"), ("basket", "carry many things"), ("lantern", "see in the dark"),
        ("shovel", "dig"), ("net", "catch things"), ("blanket", "keep warm"), ("whistle", "call for help"), ("raft", "cross the water"),
        ("wheelbarrow", "move heavy things"), ("hook", "grab things"), ("board", "make a bridge"), ("bucket", "carry water"),
    ];

    /// <summary>What grows from a seed: the seed, the plant, the fruit (plural).</summary>
    public static readonly (string Seed, string Plant, string Fruit)[] Plants =
    [
        ("sunflower seed", "sunflower", "seeds"), ("bean", "bean plant", "beans"), ("pumpkin seed", "pumpkin vine", "pumpkins"),
        ("tomato seed", "tomato plant", "tomatoes"), ("apple seed", "apple tree", "apples"), ("cherry stone", "cherry tree", "cherries"),
        ("pea", "pea plant", "peas"), ("strawberry seed", "strawberry plant", "strawberries"), ("melon seed", "melon vine", "melons"),
        ("acorn", "oak tree", "acorns"), ("corn seed", "corn plant", "ears of corn"), ("pepper seed", "pepper plant", "peppers"),
        ("grape seed", "grape vine", "grapes"), ("walnut", "walnut tree", "walnuts"), ("cucumber seed", "cucumber vine", "cucumbers"),
        ("plum stone", "plum tree", "plums"), ("carrot seed", "carrot plant", "carrots"), ("lemon seed", "lemon tree", "lemons"),
    ];
}
