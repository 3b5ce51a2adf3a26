using System.Text.Json.Nodes;

namespace Quern.Text;

/// <summary>A message of a conversation, in the form of OpenAI's API.</summary>
/// <param name="Role">Who says it: <c>system</c>, <c>user</c>, <c>assistant</c> or <c>tool</c>; templates may know others.</param>
/// <param name="Content">The text; null where there is none, as in a message of calls only.</param>
public sealed record ChatMessage(string Role, string? Content)
{
    /// <summary>Calls of functions by the assistant, as OpenAI's API has them; arguments are an object, not its text.</summary>
    public JsonArray? ToolCalls { get; init; }

    /// <summary>Which call a message of a tool answers.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>The name of the tool, or of who speaks.</summary>
    public string? Name { get; init; }

    /// <summary>What the assistant thought before it answered.</summary>
    public string? ReasoningContent { get; init; }

    /// <summary>Further fields by name.</summary>
    public IReadOnlyDictionary<string, JsonNode?> Fields { get; init; } = new Dictionary<string, JsonNode?>();

    internal JsonObject ToJson()
    {
        JsonObject message = new() { ["role"] = Role, ["content"] = Content };
        if (ToolCalls is not null) message["tool_calls"] = ToolCalls.DeepClone();
        if (ToolCallId is not null) message["tool_call_id"] = ToolCallId;
        if (Name is not null) message["name"] = Name;
        if (ReasoningContent is not null) message["reasoning_content"] = ReasoningContent;
        foreach ((string name, JsonNode? value) in Fields) message[name] = value?.DeepClone();
        return message;
    }
}
