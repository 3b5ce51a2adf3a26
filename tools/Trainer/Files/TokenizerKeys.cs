using Quern.Gguf;

namespace Quern.Trainer.Files;

/// <summary>The metadata of a GGUF that describes its tokenizer and its chat form: every key that begins with <c>tokenizer.</c></summary>
internal sealed class TokenizerKeys
{
    private readonly List<(string Key, object Value)> _entries;

    private TokenizerKeys(List<(string Key, object Value)> entries) => _entries = entries;

    /// <summary>Reads the keys of a file that holds a vocabulary of a given size.</summary>
    /// <exception cref="InvalidDataException">The file has no vocabulary, or another size.</exception>
    public static TokenizerKeys Read(GgufFile file, int vocabulary)
    {
        if (!file.Metadata.TryGetStringArray("tokenizer.ggml.tokens", out string[]? tokens))
            throw new InvalidDataException($"{file.Path}: metadata key 'tokenizer.ggml.tokens' is missing; expected a GGUF with a vocabulary");
        if (tokens.Length != vocabulary)
            throw new InvalidDataException($"{file.Path}: the vocabulary has {tokens.Length} tokens; the model has {vocabulary}");
        TokenizerKeys keys = new([.. file.Metadata.Entries.Where(entry => entry.Key.StartsWith("tokenizer.", StringComparison.Ordinal)).Select(entry => (entry.Key, entry.Read()))]);
        int bos = file.Metadata.GetInt32("tokenizer.ggml.bos_token_id");
        if (bos < 0 || bos >= vocabulary) throw new InvalidDataException($"{file.Path}: tokenizer.ggml.bos_token_id is {bos}; expected less than {vocabulary}");
        keys.Bos = bos;
        return keys;
    }

    /// <summary>The token that begins a document.</summary>
    public int Bos { get; private set; }

    public void WriteTo(GgufWriter writer)
    {
        foreach ((string key, object value) in _entries) writer.Set(key, value);
    }
}
