using Quern.Corpus.Grammar;

namespace Quern.Corpus.World;

/// <summary>He or she.</summary>
internal sealed record Pronouns(string Subject, string Object, string Possessive, string Reflexive)
{
    public static readonly Pronouns He = new("he", "him", "his", "himself");
    public static readonly Pronouns She = new("she", "her", "her", "herself");
}

/// <summary>Somebody of a story.</summary>
/// <param name="Name">How the story calls them: "Tom", "the old owl".</param>
/// <param name="Kind">What they are: "rabbit", "girl".</param>
/// <param name="Adjective">A word for them, used where they are introduced.</param>
/// <param name="Pronouns">The same all through the story.</param>
internal sealed record Character(string Name, string Kind, string Adjective, Pronouns Pronouns) : INamed
{
    public bool IsAnimal { get; init; }

    /// <summary>Has a name of their own, and not only a description.</summary>
    public bool HasName => char.IsAsciiLetterUpper(Name[0]);

    public string Form(ReadOnlySpan<char> form) => form switch
    {
        "" => Name,
        "kind" => Kind,
        "the" => HasName ? $"the {Kind}" : Name,
        "full" => !IsAnimal ? Name : HasName ? $"{Name} the {Kind}" : $"the {Adjective} {Kind}",
        "intro" => !HasName ? $"{Articles.For(Adjective)} {Adjective} {Kind}" : $"{Articles.For(Adjective)} {Adjective} {Kind} named {Name}",
        "adjective" => Adjective,
        "he" => Pronouns.Subject,
        "him" => Pronouns.Object,
        "his" => Pronouns.Possessive,
        "himself" => Pronouns.Reflexive,
        _ => throw new FormatException($"a character has no form '{form}'"),
    };
}

/// <summary>Something that can be had, given, lost and found.</summary>
/// <param name="Noun">"ball", "berries".</param>
/// <param name="Adjective">"red", or empty.</param>
/// <param name="Plural">It takes "were" and "them".</param>
internal sealed record Thing(string Noun, string Adjective = "", bool Plural = false) : INamed
{
    public string Full => Adjective.Length == 0 ? Noun : $"{Adjective} {Noun}";

    public string Form(ReadOnlySpan<char> form) => form switch
    {
        "" => Full,
        "noun" => Noun,
        "a" => Plural ? $"some {Full}" : $"{Articles.For(Full)} {Full}",
        "it" => Plural ? "them" : "it",
        "they" => Plural ? "they" : "it",
        "was" => Plural ? "were" : "was",
        "is" => Plural ? "are" : "is",
        "this" => Plural ? "these" : "this",
        _ => throw new FormatException($"a thing has no form '{form}'"),
    };
}

/// <summary>Somewhere that one can be and go.</summary>
/// <param name="Name">"the forest".</param>
/// <param name="Preposition">"in", "at", "on", "by".</param>
/// <param name="Sight">What one sees there: "tall green trees".</param>
internal sealed record Place(string Name, string Preposition, string Sight) : INamed
{
    public string Form(ReadOnlySpan<char> form) => form switch
    {
        "" => Name,
        "in" => $"{Preposition} {Name}",
        "to" => $"to {Name}",
        "sight" => Sight,
        _ => throw new FormatException($"a place has no form '{form}'"),
    };
}
