using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Quern.Text.Unicode;

/// <summary>
/// Code points in well-formed UTF-8, and their classes. The classes are those of .NET's Unicode data, version 16; llama.cpp carries
/// version 15, so that the few thousand characters assigned between the two are split differently.
/// </summary>
internal static class CodePoints
{
    /// <summary>U+FFFD.</summary>
    public const int Replacement = 0xFFFD;

    private static readonly CharacterClass[] Plane0 = ClassifyPlane0();

    /// <summary>The length in bytes of the code point that starts with this byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Length(byte lead) => lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    /// <summary>The code point at <paramref name="position"/> of well-formed UTF-8, and where the next one begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Decode(ReadOnlySpan<byte> text, int position, out int next)
    {
        int lead = text[position];
        if (lead < 0x80)
        {
            next = position + 1;
            return lead;
        }

        return DecodeLong(text, position, out next);
    }

    /// <summary>Where the code point that ends before <paramref name="end"/> begins.</summary>
    public static int Previous(ReadOnlySpan<byte> text, int end)
    {
        int position = end - 1;
        while ((text[position] & 0xC0) == 0x80) position--;
        return position;
    }

    /// <summary>The class of a code point.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static CharacterClass Class(int codePoint) =>
        (uint)codePoint < 0x10000 ? Plane0[codePoint] : Classify(codePoint);

    /// <summary>The class of the code point at <paramref name="position"/>, and where the next one begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static CharacterClass ClassAt(ReadOnlySpan<byte> text, int position, out int next) => Class(Decode(text, position, out next));

    /// <summary>The end of the longest run from <paramref name="position"/> of code points that belong to one of <paramref name="classes"/>.</summary>
    public static int Run(ReadOnlySpan<byte> text, int position, CharacterClass classes)
    {
        while (position < text.Length)
        {
            if ((ClassAt(text, position, out int next) & classes) == 0) break;
            position = next;
        }

        return position;
    }

    /// <summary>The end of the longest run from <paramref name="position"/> of code points that belong to none of <paramref name="classes"/>.</summary>
    public static int RunOutside(ReadOnlySpan<byte> text, int position, CharacterClass classes)
    {
        while (position < text.Length)
        {
            if ((ClassAt(text, position, out int next) & classes) != 0) break;
            position = next;
        }

        return position;
    }

    /// <summary>Writes a code point as UTF-8 and returns its length in bytes.</summary>
    public static int Encode(int codePoint, Span<byte> destination) => new System.Text.Rune(codePoint).EncodeToUtf8(destination);

    private static int DecodeLong(ReadOnlySpan<byte> text, int position, out int next)
    {
        int lead = text[position];
        if (lead < 0xE0)
        {
            next = position + 2;
            return ((lead & 0x1F) << 6) | (text[position + 1] & 0x3F);
        }

        if (lead < 0xF0)
        {
            next = position + 3;
            return ((lead & 0x0F) << 12) | ((text[position + 1] & 0x3F) << 6) | (text[position + 2] & 0x3F);
        }

        Debug.Assert(lead < 0xF8, "the text is not well-formed UTF-8");
        next = position + 4;
        return ((lead & 0x07) << 18) | ((text[position + 1] & 0x3F) << 12) | ((text[position + 2] & 0x3F) << 6) | (text[position + 3] & 0x3F);
    }

    private static CharacterClass[] ClassifyPlane0()
    {
        CharacterClass[] classes = new CharacterClass[0x10000];
        for (int c = 0; c < classes.Length; c++) classes[c] = Classify(c);
        return classes;
    }

    private static CharacterClass Classify(int codePoint)
    {
        CharacterClass space = codePoint < 0x10000 && char.IsWhiteSpace((char)codePoint) ? CharacterClass.Space : 0;
        return space | CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => CharacterClass.Letter | CharacterClass.Upper,
            UnicodeCategory.LowercaseLetter => CharacterClass.Letter | CharacterClass.Lower,
            UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => CharacterClass.Letter | CharacterClass.Upper | CharacterClass.Lower,
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
                => CharacterClass.Mark | CharacterClass.Upper | CharacterClass.Lower,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharacterClass.Number,
            UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation
                or UnicodeCategory.ClosePunctuation or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation
                or UnicodeCategory.OtherPunctuation => CharacterClass.Punctuation,
            UnicodeCategory.MathSymbol or UnicodeCategory.CurrencySymbol or UnicodeCategory.ModifierSymbol or UnicodeCategory.OtherSymbol
                => CharacterClass.Symbol,
            _ => CharacterClass.Other,
        };
    }
}
