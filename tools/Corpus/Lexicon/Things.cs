using static Quern.Corpus.Lexicon.Table;

namespace Quern.Corpus.Lexicon;

/// <summary>Things, by what a story may do with them.</summary>
internal static class Things
{
    /// <summary>What one plays with and would miss; each goes with any of <see cref="Colours"/>.</summary>
    public static readonly string[] Toys = Of("""
        ball, kite, drum, whistle, doll, toy boat, toy train, toy car, hat, scarf, cap, blanket, umbrella, balloon, bell, bucket, mitten, ribbon, cup,
        book, backpack, button, ring, marble, wagon, puppet, spinning top, yo-yo, crayon, lantern, basket, teddy bear, flute, key, lunchbox, pencil case,
        feather, jacket, pillow, toy robot, music box, jump rope, paper plane, flag, purse, watering can, pinwheel, toy horse, bracelet, raincoat,
        sweater, apron, bow tie, tambourine, trumpet, violin, guitar, harmonica, xylophone, telescope, magnifying glass, notebook, paintbrush, sketchbook, wristwatch,
        tricycle, scooter, sled, hoop, frisbee, domino, puzzle, card game, chess set, globe, snow globe, flashlight, sailor hat, crown, cape, mask, badge, toy truck,
        toy rocket, toy bear, toy tiger, toy dragon, toy castle, stuffed rabbit, stuffed elephant, postcard, photograph, diary, fountain pen, envelope, thermos
        """);

    /// <summary>The same, more than one of them.</summary>
    public static readonly string[] PluralToys = Of("boots, gloves, shoes, skates, socks, blocks, slippers, glasses, beads, crayons, mittens, marbles, sandals");

    public static readonly string[] Colours = Of("""
        red, blue, green, yellow, orange, purple, pink, white, brown, silver, golden, purple and white, red and yellow, blue and green, violet, turquoise, scarlet, gray, black, beige, lilac, cream, crimson, orange and black,
        little, old, pretty, new, tiny, bright
        """);

    /// <summary>What one eats and can cut in two.</summary>
    public static readonly string[] Treats = Of("""
        apple, cookie, pie, cake, sandwich, muffin, pear, bun, pancake, cupcake, peach, banana, orange, plum, waffle, pretzel, melon, carrot,
        loaf of bread, piece of cheese, bar of chocolate, slice of pizza, bowl of soup, jar of honey, bag of nuts, basket of berries, bowl of porridge,
        bag of popcorn, box of raisins, bunch of grapes, plate of noodles, fruit tart, cinnamon roll, corn cake, gingerbread man, jam roll, honey cake,
        apricot, mango, coconut, pineapple, radish, turnip, pumpkin pie, cheesecake, doughnut, croissant, bagel, dumpling, omelet, taco, lollipop, popsicle, brownie,
        chestnut cake, nutcake, walnut bun, poppy roll, piece of fudge, piece of toffee, slice of toast, slice of watermelon, cup of custard, cup of yogurt, dish of pudding,
        plate of spaghetti, bowl of stew, bowl of rice, jar of pickles, jar of marmalade, box of caramels, bag of almonds, bag of peanuts, bunch of cherries, pot of jam
        """);

    /// <summary>How a treat is.</summary>
    public static readonly string[] TreatAdjectives = Of("big, sweet, warm, fresh, delicious, tasty, large, lovely, yummy, fine");

    /// <summary>What is found and treasured.</summary>
    public static readonly string[] Treasures = Of("""
        shell, stone, coin, feather, pebble, leaf, crystal, acorn, pearl, button, key, map, bottle, chest, necklace, crown, compass, lamp, pine cone,
        snail shell, piece of glass, medal, seashell, starfish, horseshoe, locket, spoon, thimble, goblet, amulet, ruby, emerald, sapphire, diamond, nugget, mirror, hourglass, whistle, candlestick, buckle, brooch, scroll, pendant, fossil, chestnut, cork, chain, helmet, shield, bead, arrowhead, doorknob
        """);

    public static readonly string[] TreasureAdjectives = Of("shiny, golden, silver, smooth, sparkling, strange, old, beautiful, rare, blue, tiny, glittering, mysterious, rainbow, glowing, copper, bronze, crooked, polished, gleaming, curious, ancient, dusty, forgotten, delicate, marvelous");

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
