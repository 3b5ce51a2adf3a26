using Quern.Corpus.World;

namespace Quern.Corpus.Themes;

/// <summary>All themes; each is told equally often.</summary>
internal static class ThemeTable
{
    public static readonly (string Name, Action<Story> Tell)[] All =
    [
        ("lost thing", LostThing.Tell),
        ("sharing", Sharing.Tell),
        ("fear", Fear.Tell),
        ("rescue", Rescue.Tell),
        ("trade chain", TradeChain.Tell),
        ("journey", Journey.Tell),
        ("new friend", NewFriend.Tell),
        ("truth", Truth.Tell),
        ("garden", Garden.Tell),
        ("contest", Contest.Tell),
        ("wish", Wish.Tell),
        ("learning", Learning.Tell),
        ("quarrel", Quarrel.Tell),
        ("way home", WayHome.Tell),
        ("kindness", Kindness.Tell),
    ];
}
