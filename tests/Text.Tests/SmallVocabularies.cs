namespace Quern.Text.Tests;

/// <summary>Vocabularies made in code, so that the laws need no file.</summary>
internal static class SmallVocabularies
{
    public const string UserDefined = "<tool>";
    public const string Control = "<|im_end|>";

    /// <summary>All 256 bytes, some merges (one of whose results is no token), a user-defined and a control token.</summary>
    public static Dictionary<string, object?> BytePair(string preTokenizer)
    {
        string[] merges = ["h e", "l l", "he ll", "hell o", "Ġ hello", "Ġ t", "Ġt h", "Ġth e", "1 2", "12 3", "Ã ©", "ð Ł", "Ċ Ċ", "Ġ Ġ", "ĠĠ ĠĠ", "x y", "' s"];
        List<string> tokens = [.. Enumerable.Range(0, 256).Select(b => ByteAlphabet.Encode([(byte)b]))];
        tokens.AddRange(merges.Select(m => m.Replace(" ", "", StringComparison.Ordinal)).Where(t => t != "xy"));
        tokens.AddRange([UserDefined, Control]);
        int[] types = [.. Enumerable.Repeat((int)TokenType.Normal, tokens.Count)];
        types[^2] = (int)TokenType.UserDefined;
        types[^1] = (int)TokenType.Control;
        return new()
        {
            ["tokenizer.ggml.model"] = "gpt2",
            ["tokenizer.ggml.pre"] = preTokenizer,
            ["tokenizer.ggml.tokens"] = tokens.ToArray(),
            ["tokenizer.ggml.token_type"] = types,
            ["tokenizer.ggml.merges"] = merges,
            ["tokenizer.ggml.bos_token_id"] = (uint)(tokens.Count - 1),
            ["tokenizer.ggml.eos_token_id"] = (uint)(tokens.Count - 1),
        };
    }

    /// <summary>All 256 bytes with escapes, some words, a user-defined and a control token.</summary>
    public static Dictionary<string, object?> LongestMatch()
    {
        string[] words = ["he", "hell", "hello", " hello", "llo", "\\\\\\\\", "\\\'s", "\\n\\n", "\\xe4\\xb8", "\\xe4\\xb8\\x96", "xyz"];
        string[] tokens = [Control, .. Enumerable.Range(0, 256).Select(b => b is >= ' ' and < 127 and not '\\' ? $"{(char)b}" : $"\\x{b:x2}"), .. words, UserDefined];
        int[] types = [.. tokens.Select(token => (int)(token == Control ? TokenType.Control : token == UserDefined ? TokenType.UserDefined : TokenType.Normal))];
        return new()
        {
            ["tokenizer.ggml.model"] = "rwkv",
            ["tokenizer.ggml.tokens"] = tokens,
            ["tokenizer.ggml.token_type"] = types,
            ["tokenizer.ggml.eos_token_id"] = 0u,
        };
    }

    /// <summary>SentencePiece with byte tokens, a few words, and scores with ties.</summary>
    public static Dictionary<string, object?> SentencePiece(bool spaceInside = false)
    {
        List<(string Text, float Score, TokenType Type)> tokens = [("<unk>", 0, TokenType.Unknown), ("<s>", 0, TokenType.Control), ("</s>", 0, TokenType.Control)];
        tokens.AddRange(Enumerable.Range(0, 256).Select(b => ($"<0x{b:X2}>", 0f, TokenType.Byte)));
        string[] words = ["▁", "a", "b", "h", "e", "l", "o", "é", "he", "ll", "llo", "hello", "▁h", "▁he", "▁hello", "aa", "aaa", "ab", "▁▁", "▁▁▁▁", "世", "世界"];
        tokens.AddRange(words.Select((w, i) => (w, -(float)(i / 2), TokenType.Normal)));
        if (spaceInside) tokens.Add(("a▁b", -3, TokenType.Normal));
        tokens.Add((UserDefined, 0, TokenType.UserDefined));
        return new()
        {
            ["tokenizer.ggml.model"] = "llama",
            ["tokenizer.ggml.tokens"] = tokens.Select(t => t.Text).ToArray(),
            ["tokenizer.ggml.scores"] = tokens.Select(t => t.Score).ToArray(),
            ["tokenizer.ggml.token_type"] = tokens.Select(t => (int)t.Type).ToArray(),
            ["tokenizer.ggml.bos_token_id"] = 1u,
            ["tokenizer.ggml.eos_token_id"] = 2u,
            ["tokenizer.ggml.unknown_token_id"] = 0u,
        };
    }

    /// <summary>Unigram with single characters, words and no byte tokens.</summary>
    public static Dictionary<string, object?> Unigram()
    {
        (string Text, float Score, int Type)[] tokens =
        [
            ("<pad>", 0, 3), ("</s>", 0, 3), ("<unk>", 0, 2), ("▁", -2, 1), ("a", -3, 1), ("b", -3, 1), ("ab", -4, 1), ("▁a", -3, 1), ("ba", -7, 1),
            ("▁abba", -9, 1), (UserDefined, 0, 4), ("é", -5, 1),
        ];
        return new()
        {
            ["tokenizer.ggml.model"] = "t5",
            ["tokenizer.ggml.tokens"] = tokens.Select(t => t.Text).ToArray(),
            ["tokenizer.ggml.scores"] = tokens.Select(t => t.Score).ToArray(),
            ["tokenizer.ggml.token_type"] = tokens.Select(t => t.Type).ToArray(),
            ["tokenizer.ggml.add_space_prefix"] = true,
            ["tokenizer.ggml.remove_extra_whitespaces"] = true,
        };
    }

    /// <summary>WordPiece with a handful of words.</summary>
    public static Dictionary<string, object?> WordPiece() => new()
    {
        ["tokenizer.ggml.model"] = "bert",
        ["tokenizer.ggml.tokens"] = new[] { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁un", "aff", "able", "▁cafe", "▁,", "▁世", "▁a", "s" },
        ["tokenizer.ggml.token_type"] = new[] { 3, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1 },
        ["tokenizer.ggml.cls_token_id"] = 2u,
        ["tokenizer.ggml.unknown_token_id"] = 1u,
        ["tokenizer.ggml.seperator_token_id"] = 3u,
    };

    public static Vocabulary Read(Dictionary<string, object?> metadata) => Vocabulary.Read(key => metadata.GetValueOrDefault(key));

    public static Tokenizer Make(Dictionary<string, object?> metadata) => Tokenizer.Create(Read(metadata));
}
