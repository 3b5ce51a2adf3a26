using System.Text.Json;
using System.Text.Json.Nodes;
using Quern.Text.Templates;

namespace Quern.Text;

/// <summary>
/// A model's chat template: how a conversation becomes the text that the model goes on from. Templates are written in Jinja, as Hugging Face transformers runs them: with <c>trim_blocks</c> and
/// <c>lstrip_blocks</c>, <c>break</c> and <c>continue</c>, <c>tojson</c> without escapes, <c>raise_exception</c> and <c>strftime_now</c>. Reading it once serves any number of threads.
/// Source: Jinja 3.1, Template Designer Documentation; Hugging Face transformers, Chat templates.
/// </summary>
/// <remarks>What it gives names special tokens in its text: tokenise it with those names read as tokens, and without another token at the beginning.</remarks>
public sealed class ChatTemplate
{
    private readonly Body _body;

    private ChatTemplate(string source) => (Source, _body) = (source, StatementParser.Read(source));

    /// <summary>The template's text.</summary>
    public string Source { get; }

    /// <summary>Reads a template.</summary>
    /// <exception cref="ChatTemplateException">It is not well formed, or needs something that is not there; the message says where.</exception>
    public static ChatTemplate Parse(string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new ChatTemplate(source);
    }

    /// <summary>Renders a conversation.</summary>
    /// <param name="messages">The messages, oldest first.</param>
    /// <param name="options">What else the template is told; null for the defaults.</param>
    /// <param name="cancellation">Looked at now and then.</param>
    /// <exception cref="ChatTemplateException">The template refuses the conversation, in its own words, or does not fit it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages, ChatTemplateOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        options ??= new ChatTemplateOptions();
        Scope scope = new(options.Clock, cancellation);
        scope.Set("messages", (List<object?>)[.. messages.Select(message => FromJson(message.ToJson()))]);
        scope.Set("add_generation_prompt", options.AddGenerationPrompt);
        scope.Set("bos_token", options.BosToken);
        scope.Set("eos_token", options.EosToken);
        if (options.Tools is { } tools) scope.Set("tools", FromJson(tools));
        foreach ((string name, JsonNode? value) in options.Variables) scope.Set(name, FromJson(value));
        return _body.ToText(scope.Inner());
    }

    /// <summary>JSON as a template sees it.</summary>
    internal static object? FromJson(JsonNode? node)
    {
        switch (node)
        {
            case null: return null;
            case JsonArray array: return (List<object?>)[.. array.Select(FromJson)];
            case JsonObject pairs:
                TemplateMapping mapping = [];
                foreach ((string key, JsonNode? value) in pairs) mapping[key] = FromJson(value);
                return mapping;
            default:
                JsonValue scalar = node.AsValue();
                return scalar.GetValueKind() switch
                {
                    JsonValueKind.String => scalar.GetValue<string>(),
                    JsonValueKind.True => true,
                    JsonValueKind.False => false,
                    JsonValueKind.Number when long.TryParse(scalar.ToJsonString(), out long whole) => whole,
                    _ => double.Parse(scalar.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture),
                };
        }
    }
}
