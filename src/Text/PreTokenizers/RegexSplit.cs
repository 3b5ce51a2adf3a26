using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Quern.Text.PreTokenizers;

/// <summary>Splits a text at the matches of a regular expression.</summary>
internal sealed class RegexSplit(string pattern, IPieceSink next) : IPieceSink
{
    // Compiling pays off after some 100 kB of text, which a prompt seldom has, but a host that encodes documents soon reaches.
    private readonly Regex _regex = new(
        pattern, RegexOptions.CultureInvariant | (RuntimeFeature.IsDynamicCodeCompiled ? RegexOptions.Compiled : RegexOptions.None));

    public void Accept(ReadOnlySpan<byte> piece, List<int> ids)
    {
        using CollapsedText text = new(piece);
        int done = 0;
        foreach (ValueMatch match in _regex.EnumerateMatches(text.Characters))
        {
            int start = text.Offset(match.Index);
            int end = text.Offset(match.Index + match.Length);
            if (done < start) next.Accept(piece[done..start], ids);
            if (start < end) next.Accept(piece[start..end], ids);
            done = end;
        }

        if (done < piece.Length) next.Accept(piece[done..], ids);
    }
}
