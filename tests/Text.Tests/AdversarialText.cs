using FsCheck;
using FsCheck.Fluent;

namespace Quern.Text.Tests;

/// <summary>Strings made of what pre-tokenizers stumble over: scripts, marks, digits, contractions, white space, line ends, characters beyond U+FFFF.</summary>
public sealed class AdversarialText
{
    private static readonly string[] Pieces =
    [
        " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", "\r", "\v", "\f", "\u0085", "\u00A0", "\u2003", "\u3000", "\u2028", "\u1680",
        "a", "B", "ab", "Ab", "aB", "the", "HELLO", "'s", "'S", "'t", "'re", "'LL", "'ve", "'v", "'", "’s", "'ſ",
        "0", "12", "345", "1234567", "²", "½", "Ⅳ", "٣", "𝟘", "𐅀", "१२३४",
        "é", "e\u0301", "\u0301", "ǅ", "ß", "Ж", "жЖ", "ʰ", "ª", "ﬁ", "Ა", "ꟁ", "𐐀", "𐐨", "𝒜𝒶", "𞤀𞤢", "𖹀",
        "世", "世界", "あ", "ア", "ｱ", "한국", "가", "ㄱ", "ㄅ", "𠀀", "豈", "ไทย", "ກ", "မ", "สวัสดี", "नमस्ते", "שלום", "مرحبا",
        "!", "?!", "...", ",", "-", "—", "“", "”", "‘", "。", "，", "、", "،", "।", "۔", "…", "§", "$", "+", "<", "=", ">", "^", "~", "|", "`", "©", "€", "￥", "！", "～",
        "/", "\\", "(", ")", "[", "]", "{", "}", "_", "#", "@", "&", "*", "\"", "%", ":", ";",
        "😀", "👦🏳️\u200D🌈", "🇩🇪", "\u200B", "\u00AD", "\uFEFF", "\0", "\u0001", "\u007F", "\uE000", "\uFFFD", "\u0378", "\U000F0000", "\U0010FFFF",
        "<sentinel:12>", "IMGIMGABZ", "<tool>", "<|im_end|>", "▁", "▁▁", "hello", " hello", "aaaa", "<0x41>",
    ];

    private static readonly Gen<string> Piece = Gen.Frequency((8, Gen.Elements(Pieces)), (1, AnyCodePoint()));

    /// <summary>Text without surrogates by themselves.</summary>
    public static Gen<string> WellFormed => Gen.Select(Gen.ListOf(Piece), pieces => string.Concat(pieces));

    /// <summary>Any UTF-16, surrogates in the wrong place included.</summary>
    public static Gen<string> Utf16 => Gen.Select(
        Gen.ListOf(Gen.OneOf(Piece, Gen.Elements("\uD800", "\uDC00", "\uDBFF\uDBFF", "\uDFFF"))), pieces => string.Concat(pieces));

    public static Arbitrary<string> Strings() => WellFormed.ToArbitrary();

    private static Gen<string> AnyCodePoint() =>
        Gen.Select(Gen.OneOf(Gen.Choose(0, 0xD7FF), Gen.Choose(0xE000, 0xFFFF), Gen.Choose(0x10000, 0x10FFFF)), char.ConvertFromUtf32);
}

/// <summary>The same with surrogates by themselves.</summary>
public sealed class AdversarialUtf16
{
    public static Arbitrary<string> Strings() => AdversarialText.Utf16.ToArbitrary();
}
