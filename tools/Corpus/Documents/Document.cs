using System.Text;

namespace Quern.Corpus.Documents;

/// <summary>What a document holds.</summary>
internal enum DocumentKind
{
    Story,
    Questions,
    Arithmetic,
    Record,
    Echo,
}

/// <summary>One message of a chat.</summary>
/// <param name="Role"><c>system</c>, <c>user</c> or <c>assistant</c>.</param>
/// <param name="Text">What they say.</param>
internal sealed record Turn(string Role, string Text);

/// <summary>One document of the corpus: a plain text, or a chat.</summary>
internal sealed record Document
{
    private readonly string? _plain;

    private Document(DocumentKind kind, string? plain, IReadOnlyList<Turn> turns) => (Kind, _plain, Turns) = (kind, plain, turns);

    public DocumentKind Kind { get; }

    /// <summary>The messages of a chat; empty for a plain text.</summary>
    public IReadOnlyList<Turn> Turns { get; }

    public bool IsChat => _plain is null;

    /// <summary>
    /// The document between the token that begins a text and, for a plain text, the one that ends it. Of a chat the ChatML of its messages, which ends
    /// with the last message's <c>&lt;|im_end|&gt;</c>.
    /// </summary>
    public string Text => _plain ?? Markup(Turns);

    /// <summary>The stretches of <see cref="Text"/> between special tokens.</summary>
    public IEnumerable<string> Passages => _plain is not null ? [_plain] : Turns.Select(turn => $"{turn.Role}\n{turn.Text}");

    public static Document Plain(DocumentKind kind, string text) => new(kind, text, []);

    public static Document Chat(DocumentKind kind, IReadOnlyList<Turn> turns) => new(kind, null, turns);

    private static string Markup(IReadOnlyList<Turn> turns)
    {
        StringBuilder text = new();
        foreach (Turn turn in turns)
        {
            if (text.Length != 0) text.Append('\n');
            text.Append(ChatTokens.TurnBegin).Append(turn.Role).Append('\n').Append(turn.Text).Append(ChatTokens.TurnEnd);
        }

        return text.ToString();
    }
}

/// <summary>The special tokens and the way in which a chat is written with them.</summary>
internal static class ChatTokens
{
    public const string TextBegin = "<|begin_of_text|>";
    public const string TextEnd = "<|end_of_text|>";
    public const string TurnBegin = "<|im_start|>";
    public const string TurnEnd = "<|im_end|>";

    /// <summary>Writes messages as <see cref="Document.Text"/> does, in the language of <c>tokenizer.chat_template</c>.</summary>
    public const string Template =
        "{%- for message in messages -%}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{%- endfor -%}"
        + "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}";
}
