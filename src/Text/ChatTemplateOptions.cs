using System.Text.Json.Nodes;

namespace Quern.Text;

/// <summary>What a chat template is told beside the messages.</summary>
public sealed record ChatTemplateOptions
{
    /// <summary>Whether the text ends with the beginning of the assistant's answer.</summary>
    public bool AddGenerationPrompt { get; init; } = true;

    /// <summary>The text of the token that begins a text.</summary>
    public string BosToken { get; init; } = "";

    /// <summary>The text of the token that ends one.</summary>
    public string EosToken { get; init; } = "";

    /// <summary>Functions that the assistant may call, in OpenAI's form; null for none.</summary>
    public JsonArray? Tools { get; init; }

    /// <summary>Further variables by name, such as <c>enable_thinking</c>.</summary>
    public IReadOnlyDictionary<string, JsonNode?> Variables { get; init; } = new Dictionary<string, JsonNode?>();

    /// <summary>The clock of templates that say the date.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
