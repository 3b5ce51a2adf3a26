namespace Quern.Text;

/// <summary>
/// Tokens that are recognised by their text, because many files do not name them by key. The lists are those of llama.cpp
/// (src/llama-vocab.cpp, 2026), in the order in which a text is preferred.
/// </summary>
internal static class WellKnownTokens
{
    public static readonly string[] EndOfTurn =
    [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>", "_<EOT>", "[EOT]",
        "<｜end▁of▁sentence｜>", "<end_of_utterance>",
    ];

    public static readonly string[] EndOfMessage = ["<|eom_id|>"];

    public static readonly string[] FimPrefix =
        ["<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>", "<|prefix|>"];

    public static readonly string[] FimSuffix =
        ["<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>", "<|suffix|>"];

    public static readonly string[] FimMiddle =
        ["<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>", "<|middle|>"];

    public static readonly string[] FimPad = ["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"];

    public static readonly string[] FimRepository = ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"];

    public static readonly string[] FimSeparator = ["<|file_sep|>"];

    public static readonly string[] EndOfGeneration =
    [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>", "</s>",
        "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>",
        "<｜end▁of▁sentence｜>", "[e~[",
    ];

    /// <summary>The structure of gpt-oss (harmony), which is always shown.</summary>
    public static readonly string[] AlwaysShown = ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

    /// <summary>
    /// The tokens that end generation. In harmony (gpt-oss) and solar-open, <c>&lt;|end|&gt;</c> only ends a message, and in gemma 4,
    /// <c>&lt;/s&gt;</c> is plain text: both are told apart by the other end tokens of their vocabularies, and their types corrected.
    /// </summary>
    public static int[] FindEndOfGeneration(Func<string, int?> find, IEnumerable<int?> named, TokenType[] types)
    {
        SortedSet<int> ends = [.. named.Where(id => id is not null).Select(id => id!.Value)];
        HashSet<string> texts = [];
        foreach (string text in EndOfGeneration)
        {
            if (find(text) is not { } id) continue;
            ends.Add(id);
            texts.Add(text);
            // A </s> that the file calls user-defined (phi-3) is found in a text even where control tokens are not.
            if (text != "</s>" || types[id] != TokenType.UserDefined) types[id] = TokenType.Control;
        }

        foreach (string text in AlwaysShown)
        {
            if (find(text) is { } id) types[id] = TokenType.UserDefined;
        }

        bool calls = texts.Contains("<|call|>") || texts.Contains("<|calls|>");
        if (calls && (texts.Contains("<|return|>") || texts.Contains("<|flush|>"))) Demote("<|end|>", TokenType.UserDefined);
        if (texts.Contains("<|tool_response>")) Demote("</s>", TokenType.Normal);
        return [.. ends];

        void Demote(string text, TokenType type)
        {
            if (find(text) is not { } id || !ends.Remove(id)) return;
            types[id] = type;
        }
    }
}
