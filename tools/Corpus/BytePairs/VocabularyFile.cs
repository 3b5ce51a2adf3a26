using Quern.Corpus.Documents;
using Quern.Gguf;
using Quern.Text;

namespace Quern.Corpus.BytePairs;

/// <summary>Writes a vocabulary as the metadata of a GGUF file.</summary>
internal static class VocabularyFile
{
    /// <summary>How text is split into words: the expression of Llama 3, which keeps a space with the word behind it.</summary>
    public const string PreTokenizer = "llama-bpe";

    /// <summary>The special tokens, in the order of their ids behind all others.</summary>
    public static readonly string[] SpecialTokens = [ChatTokens.TextBegin, ChatTokens.TextEnd, ChatTokens.TurnBegin, ChatTokens.TurnEnd];

    /// <summary>Makes a writer with the vocabulary's keys, to which a model may add its tensors.</summary>
    public static GgufWriter Create(BytePairs pairs)
    {
        string[] spelled = [.. pairs.Tokens.Select(Spelled)];
        int first = spelled.Length;
        GgufWriter writer = new();
        writer.Set("tokenizer.ggml.model", "gpt2");
        writer.Set("tokenizer.ggml.pre", PreTokenizer);
        writer.Set("tokenizer.ggml.tokens", (string[])[.. spelled, .. SpecialTokens]);
        writer.Set("tokenizer.ggml.token_type", (int[])[.. Enumerable.Repeat((int)TokenType.Normal, first), .. SpecialTokens.Select(_ => (int)TokenType.Control)]);
        writer.Set("tokenizer.ggml.merges", (string[])[.. pairs.Merges.Select(merge => $"{spelled[merge.Left]} {spelled[merge.Right]}")]);
        writer.Set("tokenizer.ggml.bos_token_id", Id(first, ChatTokens.TextBegin));
        writer.Set("tokenizer.ggml.eos_token_id", Id(first, ChatTokens.TextEnd));
        writer.Set("tokenizer.ggml.eot_token_id", Id(first, ChatTokens.TurnEnd));
        writer.Set("tokenizer.ggml.add_bos_token", true);
        writer.Set("tokenizer.ggml.add_eos_token", false);
        writer.Set("tokenizer.chat_template", ChatTokens.Template);
        return writer;
    }

    /// <summary>Reads a vocabulary from a GGUF file.</summary>
    public static Tokenizer Open(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        return Tokenizer.Create(Vocabulary.Read(file.Metadata.Find));
    }

    private static uint Id(int first, string special) => (uint)(first + Array.IndexOf(SpecialTokens, special));

    private static string Spelled(string token) => ByteAlphabet.Encode(System.Text.Encoding.Latin1.GetBytes(token));
}
