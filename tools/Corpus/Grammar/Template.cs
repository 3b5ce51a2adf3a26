using System.Text;

namespace Quern.Corpus.Grammar;

/// <summary>What a slot of a template may stand for.</summary>
internal interface INamed
{
    /// <summary>The wording of a form: the empty form is the usual wording, others are the entity's own (<c>he</c>, <c>in</c>, <c>it</c>).</summary>
    /// <exception cref="FormatException">There is no such form.</exception>
    string Form(ReadOnlySpan<char> form);
}

/// <summary>Words that have no other form.</summary>
internal sealed record Phrase(string Text) : INamed
{
    public string Form(ReadOnlySpan<char> form) => form.IsEmpty ? Text : throw new FormatException($"the phrase '{Text}' has no form '{form}'");
}

/// <summary>
/// The language in which all prose is written. <c>[a|b|c]</c> is one of the alternatives (they may nest and be empty); <c>{role}</c> and
/// <c>{role.form}</c> are slots, capitalised where a letter of the slot is; <c>{he}</c>, <c>{him}</c>, <c>{his}</c>, <c>{himself}</c> speak of the hero;
/// <c>{an}</c> is "a" or "an" by what follows. Everything else is text.
/// </summary>
internal static class Template
{
    /// <summary>The role that a slot of a pronoun by itself speaks of.</summary>
    public const string Hero = "hero";

    /// <summary>Appends one of the texts that a template stands for.</summary>
    /// <exception cref="FormatException">The template has an unknown slot or form, or its brackets do not match.</exception>
    public static void Expand(ReadOnlySpan<char> template, Dice dice, Roles roles, StringBuilder text)
    {
        int start = text.Length;
        Append(template, dice, roles, text);
        Articles.Close(text, start);
    }

    private static void Append(ReadOnlySpan<char> template, Dice dice, Roles roles, StringBuilder text)
    {
        while (!template.IsEmpty)
        {
            int special = template.IndexOfAny('{', '[');
            if (special < 0)
            {
                text.Append(template);
                return;
            }

            text.Append(template[..special]);
            template = template[special..];
            int end = template[0] == '{' ? template.IndexOf('}') : Matching(template);
            if (end < 0) throw new FormatException($"the template has a bracket without its partner: {template}");
            ReadOnlySpan<char> inner = template[1..end];
            if (template[0] == '{') AppendSlot(inner, roles, text);
            else Append(Alternative(inner, dice), dice, roles, text);
            template = template[(end + 1)..];
        }
    }

    private static void AppendSlot(ReadOnlySpan<char> slot, Roles roles, StringBuilder text)
    {
        if (slot is "an" or "An")
        {
            text.Append(slot is "an" ? Articles.Open : Articles.OpenCapital);
            return;
        }

        Span<char> lower = stackalloc char[slot.Length];
        slot.ToLowerInvariant(lower);
        bool capital = !slot.SequenceEqual(lower);
        int dot = lower.IndexOf('.');
        ReadOnlySpan<char> role = dot < 0 ? lower : lower[..dot];
        ReadOnlySpan<char> form = dot < 0 ? [] : lower[(dot + 1)..];
        bool ofHero = dot < 0 && role is "he" or "him" or "his" or "himself";
        string wording = ofHero ? roles.Find(Hero).Form(role) : roles.Find(role).Form(form);
        if (capital) text.Append(char.ToUpperInvariant(wording[0])).Append(wording, 1, wording.Length - 1);
        else text.Append(wording);
    }

    private static int Matching(ReadOnlySpan<char> template)
    {
        int depth = 0;
        for (int i = 0; i < template.Length; i++)
        {
            if (template[i] == '[') depth++;
            else if (template[i] == ']' && --depth == 0) return i;
        }

        return -1;
    }

    private static ReadOnlySpan<char> Alternative(ReadOnlySpan<char> inner, Dice dice)
    {
        Span<int> ends = stackalloc int[64];
        int count = 0, depth = 0;
        for (int i = 0; i < inner.Length; i++)
        {
            if (inner[i] == '[') depth++;
            else if (inner[i] == ']') depth--;
            else if (inner[i] == '|' && depth == 0) ends[count++] = i;
        }

        ends[count++] = inner.Length;
        int chosen = dice.Below(count);
        return inner[(chosen == 0 ? 0 : ends[chosen - 1] + 1)..ends[chosen]];
    }
}

/// <summary>Who and what the slots of a document's templates stand for.</summary>
internal sealed class Roles
{
    private readonly List<(string Name, INamed Who)> _bound = [];

    public INamed this[string role]
    {
        set
        {
            int i = _bound.FindIndex(b => b.Name == role);
            if (i < 0) _bound.Add((role, value));
            else _bound[i] = (role, value);
        }
    }

    /// <exception cref="FormatException">The role is not bound.</exception>
    public INamed Find(ReadOnlySpan<char> role)
    {
        foreach ((string name, INamed who) in _bound)
            if (role.SequenceEqual(name)) return who;
        throw new FormatException($"the slot '{role}' stands for nothing; there are {string.Join(", ", _bound.Select(b => b.Name))}");
    }
}
