using System.Text;
using Quern.Text;

namespace Quern.Engine;

/// <summary>
/// A conversation with a model in its chat template: messages, and answers that are generated for them. What the messages have in common with those before is not computed again, whichever of
/// them change. Used by one thread at a time.
/// </summary>
/// <example>
/// <code>
/// using QuernModel model = QuernModel.Load("model.gguf");
/// using Conversation chat = new(model);
/// chat.Messages.Add(new ChatMessage("user", "Why is the sky blue?"));
/// foreach (GeneratedText piece in chat.Answer()) Console.Write(piece.Text);
/// </code>
/// </example>
public sealed class Conversation : IDisposable
{
    private readonly Session _session;
    private readonly ChatTemplate _template;
    private readonly ChatTemplateOptions _options;

    /// <summary>Begins a conversation.</summary>
    /// <param name="model">The model.</param>
    /// <param name="template">How messages become text; null for the model's own template.</param>
    /// <param name="options">What the template is told besides, such as tools; null for nothing. The model's own tokens for beginning and end are put in where they are empty.</param>
    /// <exception cref="ChatTemplateException">The template is not well formed.</exception>
    /// <exception cref="InvalidOperationException">The model has no template, and none is given; or it has an encoder and does not go on from a text.</exception>
    public Conversation(QuernModel model, ChatTemplate? template = null, ChatTemplateOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.CheckContinues("a conversation");
        _template = template ?? model.ChatTemplate
            ?? throw new InvalidOperationException($"'{model.File.Path}' has no chat template (tokenizer.chat_template), and none is given (quern chat: --chat-template FILE)");
        _options = options ?? new ChatTemplateOptions();
        string Piece(int? token) => token is { } id ? model.Vocabulary.Tokens[id] : "";
        if (_options.BosToken.Length == 0) _options = _options with { BosToken = Piece(model.Vocabulary.Bos) };
        if (_options.EosToken.Length == 0) _options = _options with { EosToken = Piece(model.Vocabulary.Eos) };
        _session = model.CreateSession();
    }

    /// <summary>The messages, oldest first; change them as you like.</summary>
    public IList<ChatMessage> Messages { get; } = [];

    /// <summary>The text that the model goes on from.</summary>
    /// <exception cref="ChatTemplateException">The template refuses the messages.</exception>
    public string Prompt => _template.Render([.. Messages], _options with { AddGenerationPrompt = true });

    /// <summary>Generates an answer to the last message as it comes, and appends it to the messages: as far as it came, if it ends early.</summary>
    /// <param name="options">What to generate; null for the defaults.</param>
    /// <param name="cancellation">Ends the answer with <see cref="FinishReason.Cancelled"/>.</param>
    /// <returns>An element for each token, and a last one that says why it ended and what it cost.</returns>
    /// <exception cref="ChatTemplateException">The template refuses the messages.</exception>
    /// <exception cref="ContextFullException">The conversation is longer than the context.</exception>
    public IEnumerable<GeneratedText> Answer(GenerationOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= new GenerationOptions();
        int[] tokens = Tokens();
        int known = _session.Tokens.CommonPrefixLength(tokens);
        // One token is left to go on from.
        _session.Truncate(Math.Min(known, tokens.Length - 1));
        StringBuilder answer = new();
        bool appended = false;
        try
        {
            foreach (GeneratedText piece in _session.Generate(tokens.AsSpan(_session.Length), options, cancellation))
            {
                answer.Append(piece.Text);
                if (piece.Finish is not null)
                {
                    Messages.Add(new ChatMessage("assistant", answer.ToString()));
                    appended = true;
                }

                yield return piece;
            }
        }
        finally
        {
            if (!appended) Messages.Add(new ChatMessage("assistant", answer.ToString()));
        }
    }

    /// <summary>Gives the conversation's memory back to the model.</summary>
    public void Dispose() => _session.Dispose();

    // The template writes the token that begins a text itself, or leaves it to the tokenizer.
    private int[] Tokens()
    {
        string prompt = Prompt;
        bool begins = _options.BosToken.Length > 0 && prompt.StartsWith(_options.BosToken, StringComparison.Ordinal);
        return _session.Model.Tokenizer.Encode(prompt, addSpecial: !begins, parseSpecial: true);
    }
}
