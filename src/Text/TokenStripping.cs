namespace Quern.Text;

/// <summary>
/// Which special tokens swallow the white space beside them. A GGUF file does not say; llama.cpp (src/llama-vocab.cpp, "per token
/// attributes") knows the models by name, and so do we.
/// </summary>
internal static class TokenStripping
{
    private static readonly string[] MaskSwallowsLeft = ["jina-v2-de", "jina-v2-es", "jina-v2-code"];
    private static readonly string[] MaskSwallowsLeftArchitectures = ["nomic-bert-moe", "jina-bert-v3"];

    public static IReadOnlySet<int> Left(string preTokenizer, TokenizerMetadata metadata, Func<string, int?> find)
    {
        HashSet<int> left = [];
        string architecture = metadata.String("general.architecture") ?? "";
        if (MaskSwallowsLeft.Any(preTokenizer.Contains) || MaskSwallowsLeftArchitectures.Any(architecture.Contains))
        {
            if (find("<mask>") is { } mask) left.Add(mask);
        }
        else if (ModelName(metadata).Contains("modern-bert", StringComparison.Ordinal) && find("[MASK]") is { } mask)
        {
            left.Add(mask);
        }

        return left;
    }

    public static IReadOnlySet<int> Right(TokenizerMetadata metadata, Func<string, int?> find, TokenType[] types)
    {
        HashSet<int> right = [];
        string name = ModelName(metadata);
        if (!name.Contains("phi-3", StringComparison.Ordinal) && !name.Contains("phi3", StringComparison.Ordinal)) return right;
        for (int id = 0; id < types.Length; id++)
        {
            if (types[id] is TokenType.Control or TokenType.UserDefined or TokenType.Unknown) right.Add(id);
        }

        if (find("</s>") is { } end) right.Add(end);
        foreach (string text in (ReadOnlySpan<string>)["<unk>", "<s>", "<|endoftext|>"])
        {
            if (find(text) is { } id) right.Remove(id);
        }

        return right;
    }

    private static string ModelName(TokenizerMetadata metadata) => (metadata.String("general.name") ?? "").ToLowerInvariant();
}
