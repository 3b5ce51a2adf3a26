namespace Quern.Text;

/// <summary>A chat template cannot be read, does not fit a conversation, or refuses it with a message of its own.</summary>
public sealed class ChatTemplateException : Exception
{
    internal ChatTemplateException(string message, int line = 0)
        : base(line > 0 ? $"chat template, line {line}: {message}" : $"chat template: {message}") => (Line, Reason) = (line, message);

    /// <summary>The line of the template, from 1; 0 where it is not known.</summary>
    public int Line { get; }

    /// <summary>What is wrong, without the place: for a refusal the template's own words.</summary>
    public string Reason { get; }
}
