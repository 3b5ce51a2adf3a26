namespace Quern.Text.Unicode;

/// <summary>The classes of code points that pre-tokenizers speak of. A code point of none of them (control, unassigned) has the value 0.</summary>
[Flags]
internal enum CharacterClass : byte
{
    Other = 0,

    /// <summary>\p{L}</summary>
    Letter = 1,

    /// <summary>\p{N}</summary>
    Number = 2,

    /// <summary>\s: White_Space of the Unicode Character Database.</summary>
    Space = 4,

    /// <summary>\p{M}</summary>
    Mark = 8,

    /// <summary>\p{P}</summary>
    Punctuation = 16,

    /// <summary>\p{S}</summary>
    Symbol = 32,

    /// <summary>[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]: what may stand in the upper-case half of a word.</summary>
    Upper = 64,

    /// <summary>[\p{Ll}\p{Lm}\p{Lo}\p{M}]: what may stand in the lower-case half of a word.</summary>
    Lower = 128,
}
