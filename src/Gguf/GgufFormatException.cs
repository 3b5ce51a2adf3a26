using System.Text;

namespace Quern.Gguf;

/// <summary>
/// A file is not a GGUF file that can be read, or lacks what was asked of it. The message is one line that names the file, the field,
/// the offset and what was expected.
/// </summary>
public sealed class GgufFormatException : IOException
{
    private const int LongestQuote = 80;

    /// <summary>Creates an error about a field of a file.</summary>
    /// <param name="path">The file's path or name.</param>
    /// <param name="field">What is wrong, for example <c>tensor 'output.weight'</c>.</param>
    /// <param name="offset">Bytes from the start of the file, or −1 where no place can be named.</param>
    /// <param name="problem">What was found and what was expected.</param>
    public GgufFormatException(string path, string field, long offset, string problem)
        : base($"{FileName(path)}: {field}{(offset < 0 ? "" : $" at offset {offset}")}: {problem}")
    {
        Path = path;
        Field = field;
        Offset = offset;
        Problem = problem;
    }

    /// <summary>The file's path or name.</summary>
    public string Path { get; }

    /// <summary>The field that is wrong.</summary>
    public string Field { get; }

    /// <summary>Bytes from the start of the file, or −1 where no place can be named.</summary>
    public long Offset { get; }

    /// <summary>What was found and what was expected.</summary>
    public string Problem { get; }

    /// <summary>Puts text from a file between quotes, on one line and not too long.</summary>
    internal static string Quote(string text)
    {
        StringBuilder quoted = new("'");
        foreach (char c in text)
        {
            if (quoted.Length > LongestQuote) return quoted.Append("…'").ToString();
            if (char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029') quoted.Append($"\\u{(int)c:x4}");
            else quoted.Append(c);
        }

        return quoted.Append('\'').ToString();
    }

    private static string FileName(string path)
    {
        string name = System.IO.Path.GetFileName(path);
        return name.Length == 0 ? path : name;
    }
}
