using System.Text;
using Quern.Gguf;

namespace Quern.ModelMaker;

/// <summary>
/// A byte-level BPE vocabulary without a corpus: the 256 bytes, merges of two lower-case letters, then of a space with those, and control tokens up to the
/// wanted size. Every text can be encoded, and comes back. Source of the bytes' letters: Radford et al. 2019 (GPT-2), <c>bytes_to_unicode</c>.
/// </summary>
internal static class ByteVocabulary
{
    private const int ControlTokens = 3;

    /// <summary>Writes the tokenizer's keys.</summary>
    public static void Write(GgufWriter writer, int size, string preTokenizer)
    {
        List<string> tokens = [.. ByteLetters()];
        List<string> merges = [];
        string space = tokens[' '];
        void Merge(string left, string right)
        {
            if (tokens.Count >= size - ControlTokens) return;
            tokens.Add(left + right);
            merges.Add($"{left} {right}");
        }

        for (char a = 'a'; a <= 'z'; a++)
            for (char b = 'a'; b <= 'z'; b++) Merge($"{a}", $"{b}");
        for (char a = 'a'; a <= 'z'; a++)
            for (char b = 'a'; b <= 'z'; b++) Merge(space, $"{a}{b}");

        int ordinary = tokens.Count;
        tokens.AddRange(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]);
        while (tokens.Count < size) tokens.Add($"<|reserved_{tokens.Count}|>");
        int[] types = new int[tokens.Count];
        for (int i = 0; i < types.Length; i++) types[i] = i < ordinary ? 1 : 3;

        writer.Set("tokenizer.ggml.model", "gpt2");
        writer.Set("tokenizer.ggml.pre", preTokenizer);
        writer.Set("tokenizer.ggml.tokens", tokens.ToArray());
        writer.Set("tokenizer.ggml.token_type", types);
        writer.Set("tokenizer.ggml.merges", merges.ToArray());
        writer.Set("tokenizer.ggml.bos_token_id", (uint)ordinary);
        writer.Set("tokenizer.ggml.eos_token_id", (uint)ordinary + 1);
        writer.Set("tokenizer.ggml.eot_token_id", (uint)ordinary + 2);
        writer.Set("tokenizer.ggml.add_bos_token", true);
    }

    // Printable bytes are their own letter; the others take the letters from U+0100 on, in order.
    private static IEnumerable<string> ByteLetters()
    {
        int next = 256;
        for (int i = 0; i < 256; i++)
        {
            bool printable = i is (>= '!' and <= '~') or (>= 0xa1 and <= 0xac) or (>= 0xae and <= 0xff);
            yield return new Rune(printable ? i : next++).ToString();
        }
    }
}
