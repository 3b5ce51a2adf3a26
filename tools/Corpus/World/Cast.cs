using Quern.Corpus.Grammar;
using Quern.Corpus.Lexicon;

namespace Quern.Corpus.World;

/// <summary>Finds the characters, things and places of one story: no name, kind, thing or place twice.</summary>
internal sealed class Cast
{
    private readonly Dice _dice;
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    public Cast(Dice dice)
    {
        _dice = dice;
        InAnimalWorld = dice.Percent(55);
    }

    /// <summary>The story's heroes are animals; otherwise children.</summary>
    public bool InAnimalWorld { get; }

    /// <summary>Somebody who can be the hero or the hero's friend.</summary>
    public Character Young() => InAnimalWorld ? Animal() : Child();

    public Character Child()
    {
        bool boy = _dice.Percent(50);
        return new(Fresh(boy ? Names.Boys : Names.Girls), boy ? "boy" : "girl", _dice.Pick(Creatures.HeroAdjectives), boy ? Pronouns.He : Pronouns.She);
    }

    public Character Animal()
    {
        bool he = _dice.Percent(50);
        return new(Fresh(he ? Names.Boys : Names.Girls), Fresh(Creatures.Animals), _dice.Pick(Creatures.HeroAdjectives), he ? Pronouns.He : Pronouns.She) { IsAnimal = true };
    }

    /// <summary>Somebody old who knows more: a member of the family, somebody of the village, or a wise animal.</summary>
    public Character Wise()
    {
        if (!InAnimalWorld && _dice.Percent(60)) return Parent();
        if (InAnimalWorld || _dice.Percent(40)) return WiseAnimal();
        return Villager();
    }

    public Character WiseAnimal()
    {
        string kind = Fresh(Creatures.WiseAnimals), adjective = _dice.Pick(Creatures.WiseAdjectives);
        return new($"the {(adjective.Contains("grey", StringComparison.Ordinal) ? "grey" : "old")} {kind}", kind, adjective, Either()) { IsAnimal = true };
    }

    public Character Parent()
    {
        bool man = _dice.Percent(50);
        return new(Fresh(man ? Creatures.Men : Creatures.Women), man ? "man" : "woman", "kind", man ? Pronouns.He : Pronouns.She);
    }

    public Character Villager()
    {
        string trade = Fresh(Creatures.Trades);
        bool he = Array.IndexOf(Creatures.MensTrades, trade) >= 0 || _dice.Percent(50);
        return new($"the {trade}", trade, _dice.Pick<string>(["busy", "friendly", "kind", "cheerful", "old", "tall"]), he ? Pronouns.He : Pronouns.She);
    }

    public Thing Toy() => _dice.Percent(85)
        ? new Thing(Fresh(Things.Toys), _dice.Pick(Things.Colours))
        : new Thing(Fresh(Things.PluralToys), _dice.Pick(Things.Colours), Plural: true);

    public Thing Treat() => new(Fresh(Things.Treats), _dice.Pick(Things.TreatAdjectives));

    public Thing Treasure() => new(Fresh(Things.Treasures), _dice.Pick(Things.TreasureAdjectives));

    public Place Outdoors() => Fresh(Places.Outdoors);

    public Place Indoors() => Fresh(Places.Indoors);

    /// <summary>Somewhere near the hero's home, inside only where the hero lives in a house.</summary>
    public Place Near() => !InAnimalWorld && _dice.Percent(50) ? Indoors() : Outdoors();

    public Place Faraway() => Fresh(Places.Faraway);

    public string Home() => _dice.Pick(InAnimalWorld ? Places.AnimalHomes : Places.ChildHomes);

    private Pronouns Either() => _dice.Percent(50) ? Pronouns.He : Pronouns.She;

    private string Fresh(string[] of)
    {
        string found;
        do found = _dice.Pick(of);
        while (!_taken.Add(found));
        return found;
    }

    private Place Fresh(Place[] of)
    {
        Place found;
        do found = _dice.Pick(of);
        while (!_taken.Add(found.Name));
        return found;
    }
}
