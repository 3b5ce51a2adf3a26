using Quern.Corpus.World;

namespace Quern.Corpus.Lexicon;

/// <summary>Where stories happen.</summary>
internal static class Places
{
    /// <summary>Near where children and animals live.</summary>
    public static readonly Place[] Outdoors =
    [
        new("the garden", "in", "rows of bright flowers"), new("the park", "in", "tall trees and a little pond"), new("the meadow", "in", "soft grass and daisies"),
        new("the forest", "in", "tall green trees"), new("the beach", "on", "white sand and blue waves"), new("the river", "by", "smooth stones and clear water"),
        new("the pond", "by", "lily pads and dragonflies"), new("the old oak tree", "under", "thick roots and a carpet of leaves"), new("the hill", "on", "a view of the whole valley"),
        new("the orchard", "in", "trees full of fruit"), new("the field", "in", "tall golden wheat"), new("the farm", "on", "red barns and sleepy cows"),
        new("the lake", "by", "little boats on the water"), new("the bridge", "on", "fish swimming far below"), new("the playground", "in", "swings and a long slide"),
        new("the market", "at", "stalls with fruit and bread"), new("the village square", "in", "a fountain and wooden benches"), new("the barn", "in", "bales of yellow hay"),
        new("the stream", "by", "tiny silver fish"), new("the cave", "in", "walls that sparkled like stars"), new("the waterfall", "by", "a rainbow in the spray"),
        new("the lighthouse", "at", "gulls flying in circles"), new("the windmill", "near", "big white sails that turned slowly"),
        new("the old well", "beside", "moss on grey stones"), new("the harbor", "in", "ships with tall masts"),
    ];

    /// <summary>In and about a house.</summary>
    public static readonly Place[] Indoors =
    [
        new("the bed", "under", "a bit of dust and an old sock"), new("the kitchen", "in", "pots and pans"), new("the cupboard", "in", "plates and cups"),
        new("the toy box", "in", "blocks and puzzle pieces"), new("the big chair", "behind", "a spider in its web"), new("the closet", "in", "coats and hats"),
        new("the table", "under", "a few crumbs"), new("the attic", "in", "dusty old boxes"), new("the cellar", "in", "jars of jam"), new("the stairs", "under", "an old broom"),
        new("the sofa", "behind", "a lost button"), new("the hall", "in", "a row of shoes"), new("the window", "by", "raindrops on the glass"), new("the shed", "in", "rakes and flower pots"),
        new("the doghouse", "in", "a chewed bone"), new("the mailbox", "in", "a letter from far away"),
    ];

    /// <summary>Far away.</summary>
    public static readonly Place[] Faraway =
    [
        new("the tall mountain", "on", "the whole world below"), new("the deep forest", "in", "trees as old as time"), new("the blue sea", "by", "waves that never ended"),
        new("the snowy valley", "in", "white snow everywhere"), new("the big city", "in", "lights in a thousand windows"), new("the crystal lake", "by", "water as clear as glass"),
        new("the green island", "on", "palm trees and colorful birds"), new("the castle", "at", "flags on high towers"), new("the desert", "in", "sand as far as the eye could see"),
        new("the rainbow waterfall", "at", "water in seven colors"), new("the great canyon", "at", "red rocks and deep shadows"), new("the sunflower field", "in", "a thousand yellow flowers"),
    ];

    /// <summary>Where the animals live.</summary>
    public static readonly string[] AnimalHomes =
    [
        "in a cozy burrow", "in a hollow tree", "near a quiet pond", "at the edge of the forest", "in a warm den", "on a small farm", "beside a little stream",
        "under a big oak tree", "in a green valley", "near a sunny meadow", "behind an old barn", "at the foot of a hill", "in a snug nest of leaves", "on a quiet island",
    ];

    /// <summary>Where the children live.</summary>
    public static readonly string[] ChildHomes =
    [
        "in a small house", "in a little village", "in a big city", "on a farm", "near the sea", "in a house with a red door", "in a quiet town", "by a lake", "in a tall building",
        "at the end of a long street", "in a cottage near the forest", "in a blue house on a hill", "next to a bakery", "above a flower shop", "on a busy street", "near a railway",
    ];
}
