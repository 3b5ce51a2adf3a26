using System.Text;

namespace Quern.Engine;

/// <summary>
/// Looks for stop texts in a text that arrives in pieces. What might be the beginning of one is held back until it is certain, so that nothing of a
/// stop text is ever handed out.
/// </summary>
internal sealed class StopTexts
{
    private readonly string[] _stops;
    private readonly StringBuilder _held = new();

    /// <param name="stops">The texts; none may be empty.</param>
    /// <exception cref="ArgumentException">A text is empty.</exception>
    public StopTexts(IReadOnlyList<string> stops)
    {
        _stops = [.. stops];
        if (_stops.Any(string.IsNullOrEmpty)) throw new ArgumentException("a stop text is empty; expected at least one character", nameof(stops));
    }

    /// <summary>Whether a stop text appeared.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Takes a piece and gives the text that is certain; nothing after a stop text.</summary>
    public string Push(ReadOnlySpan<char> piece)
    {
        if (Stopped) return "";
        if (_stops.Length == 0) return piece.ToString();
        _held.Append(piece);
        string text = _held.ToString();
        _held.Clear();
        int first = -1;
        foreach (string stop in _stops)
        {
            int at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (first < 0 || at < first)) first = at;
        }

        if (first >= 0)
        {
            Stopped = true;
            return text[..first];
        }

        int certain = text.Length - PossibleBeginning(text);
        _held.Append(text, certain, text.Length - certain);
        return text[..certain];
    }

    /// <summary>What is held back, when nothing more comes.</summary>
    public string Flush()
    {
        string rest = _held.ToString();
        _held.Clear();
        return rest;
    }

    /// <summary>Length of the longest end of <paramref name="text"/> that a stop text begins with.</summary>
    private int PossibleBeginning(string text)
    {
        int longest = 0;
        foreach (string stop in _stops)
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length))) longest = length;
        return longest;
    }
}
