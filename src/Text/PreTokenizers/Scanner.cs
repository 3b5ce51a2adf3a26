namespace Quern.Text.PreTokenizers;

/// <summary>
/// Matches one regular expression at one place: the end of the match that begins at <paramref name="position"/>, or
/// <paramref name="position"/> where there is none. No expression that has a scanner matches the empty string.
/// </summary>
/// <param name="text">Well-formed UTF-8; begins and ends where the expression may not look beyond.</param>
/// <param name="position">In bytes, before the end of the text, where a code point begins.</param>
internal delegate int Scanner(ReadOnlySpan<byte> text, int position);
