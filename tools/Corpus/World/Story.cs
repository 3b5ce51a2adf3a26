using System.Text;
using Quern.Corpus.Grammar;

namespace Quern.Corpus.World;

/// <summary>A question about a story, with the answer that the story's state gives.</summary>
/// <param name="Text">The question.</param>
/// <param name="Answer">A whole sentence.</param>
/// <param name="Key">The words of the answer that the story itself has.</param>
internal sealed record Question(string Text, string Answer, string Key);

/// <summary>
/// A story while it is told: its prose, and what is true in it by now (who has what, who is where, how they feel). A theme that lets somebody
/// give what they do not have is an error.
/// </summary>
internal sealed class Story
{
    private readonly StringBuilder _text = new(2048);
    private readonly Dictionary<INamed, Character> _holders = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Character, Place> _places = new(ReferenceEqualityComparer.Instance);
    private readonly int _detail;
    private bool _atParagraph = true;

    /// <param name="dice">All choices.</param>
    /// <param name="detail">How many of a hundred details are told: it sets the length.</param>
    public Story(Dice dice, int detail) => (Dice, _detail) = (dice, detail);

    public Dice Dice { get; }

    public Roles Roles { get; } = new();

    public Cast Cast => field ??= new Cast(Dice);

    public Character Hero { get; private set; } = null!;

    public List<Question> Questions { get; } = [];

    /// <summary>What the story is about, for the prompt of a chat: "a rabbit who lost a red ball".</summary>
    public string Subject { get; private set; } = "";

    /// <summary>The moral, a clause: "it is good to share".</summary>
    public string Lesson { get; private set; } = "";

    /// <summary>Everybody who has or had a role, in the order of their appearance.</summary>
    public List<Character> Characters { get; } = [];

    public string Text => _text.ToString();

    /// <summary>Gives a role to somebody or something.</summary>
    public T Bind<T>(string role, T who)
        where T : INamed
    {
        Roles[role] = who;
        if (who is Character character && !Characters.Contains(character)) Characters.Add(character);
        if (role == Template.Hero) Hero = who as Character ?? throw new FormatException("the hero is a character");
        return who;
    }

    /// <summary>Lets a slot stand for words, which may be a template themselves.</summary>
    public string Bind(string role, string words)
    {
        string expanded = Expand(words);
        Roles[role] = new Phrase(expanded);
        return expanded;
    }

    /// <summary>Tells one of the sentences.</summary>
    public Story Say(params ReadOnlySpan<string> templates)
    {
        if (!_atParagraph) _text.Append(' ');
        _atParagraph = false;
        Template.Expand(Dice.Pick(templates), Dice, Roles, _text);
        return this;
    }

    /// <summary>Tells one of the sentences where the story has room for details.</summary>
    public Story Detail(params ReadOnlySpan<string> templates) => Dice.Percent(_detail) ? Say(templates) : this;

    /// <summary>Begins a paragraph.</summary>
    public Story Break()
    {
        if (!_atParagraph) _text.Append("\n\n");
        _atParagraph = true;
        return this;
    }

    /// <summary>One of the wordings of a template.</summary>
    public string Expand(string template)
    {
        StringBuilder words = new();
        Template.Expand(template, Dice, Roles, words);
        return words.ToString();
    }

    /// <summary>Somebody has the thing now, whoever had it before.</summary>
    public void Give(INamed thing, Character to) => _holders[thing] = to;

    /// <summary>A thing goes from one to another.</summary>
    /// <exception cref="InvalidOperationException">The giver does not have it.</exception>
    public void Give(INamed thing, Character from, Character to)
    {
        if (!Has(from, thing)) throw new InvalidOperationException($"{from.Name} gives {thing.Form("")} away without having it");
        _holders[thing] = to;
    }

    /// <summary>Nobody has the thing any more.</summary>
    /// <exception cref="InvalidOperationException">The loser does not have it.</exception>
    public void Lose(INamed thing, Character by)
    {
        if (!Has(by, thing)) throw new InvalidOperationException($"{by.Name} loses {thing.Form("")} without having it");
        _holders.Remove(thing);
    }

    public bool Has(Character who, INamed thing) => _holders.TryGetValue(thing, out Character? holder) && ReferenceEquals(holder, who);

    public void Go(Character who, Place place) => _places[who] = place;

    public Place? Where(Character who) => _places.GetValueOrDefault(who);

    /// <summary>A question whose answer the story has just told. All three are templates; the key is what the answer turns on.</summary>
    public void Ask(string question, string answer, string key) => Questions.Add(new Question(Expand(question), Expand(answer), Expand(key)));

    /// <summary>Says what the story is about, as "a story about …".</summary>
    public void About(params ReadOnlySpan<string> subjects) => Subject = Expand(Dice.Pick(subjects));

    /// <summary>Says what the story teaches, a clause without its full stop.</summary>
    public void Teach(params ReadOnlySpan<string> lessons) => Lesson = Bind("lesson", Dice.Pick(lessons));
}
