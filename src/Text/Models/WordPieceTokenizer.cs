using System.Buffers;
using System.Text;
using Quern.Text.Search;
using Quern.Text.Unicode;

namespace Quern.Text.Models;

/// <summary>
/// WordPiece as BERT has it: text is cleaned, lower-cased, stripped of accents, cut at white space, punctuation and ideographs, and each
/// word is spelled by the longest tokens from its left. A GGUF writes a token that begins a word as ▁word, and one within a word plainly.
/// Source: Devlin et al., BERT, 2018, tokenization.py; llama.cpp, llm_tokenizer_wpm, which keeps of a decomposed character its first part only.
/// </summary>
internal sealed class WordPieceTokenizer : Tokenizer
{
    private readonly TokenIndex _index;

    public WordPieceTokenizer(Vocabulary vocabulary)
        : base(vocabulary)
    {
        if (vocabulary.Bos is null || vocabulary.Sep is null || vocabulary.Unk is null)
            throw new InvalidDataException("tokenizer.ggml.model is 'bert', which needs bos_token_id (or cls_token_id), seperator_token_id and unknown_token_id");
        _index = new TokenIndex(Count);
        for (int id = 0; id < Count; id++) _index.Add(Encoding.UTF8.GetBytes(vocabulary.Tokens[id]), id);
    }

    internal override bool PutsSpaceBefore => true;

    private protected override bool EndsWithSep => true;

    private protected override void AddPrefix(List<int> ids) => ids.Add(Vocabulary.Bos!.Value);

    private protected override void AddSuffix(List<int> ids) => ids.Add(Vocabulary.Sep!.Value);

    private protected override void EncodeText(ReadOnlySpan<byte> text, List<int> ids, bool afterSpecial)
    {
        // Lower case and decomposition lengthen a character by at most one byte (Ⱥ becomes ⱥ), so that twice the text is room enough.
        byte[] rented = ArrayPool<byte>.Shared.Rent((2 * text.Length) + EscapedSpace.Utf8.Length + 4);
        EscapedSpace.Utf8.CopyTo(rented);
        int length = EscapedSpace.Utf8.Length;
        for (int position = 0; position < text.Length;)
        {
            int codePoint = CodePoints.Decode(text, position, out position);
            if (Vocabulary.StripAccents) codePoint = CanonicalBase.Of(codePoint);
            CharacterClass kind = CodePoints.Class(codePoint);
            if ((kind & CharacterClass.Space) != 0)
            {
                EndWord(rented, ref length, ids);
                continue;
            }

            if (codePoint is 0 or CodePoints.Replacement || IsControl(codePoint, kind)) continue;
            if (Vocabulary.StripCombiningMarks && (kind & CharacterClass.Mark) != 0) continue;

            bool alone = (kind & CharacterClass.Punctuation) != 0 || (codePoint < 0x7F && (kind & CharacterClass.Symbol) != 0) || IsIdeograph(codePoint);
            if (alone) EndWord(rented, ref length, ids);
            if (Vocabulary.Lowercase) codePoint = Rune.ToLowerInvariant(new Rune(codePoint)).Value;
            length += CodePoints.Encode(codePoint, rented.AsSpan(length));
            if (alone) EndWord(rented, ref length, ids);
        }

        EndWord(rented, ref length, ids);
        ArrayPool<byte>.Shared.Return(rented);
    }

    private void EndWord(ReadOnlySpan<byte> buffer, ref int length, List<int> ids)
    {
        if (length > EscapedSpace.Utf8.Length) EncodeWord(buffer[..length], ids);
        length = EscapedSpace.Utf8.Length;
    }

    /// <summary>Appends the tokens of a word, or the unknown token where they cannot spell it whole.</summary>
    private void EncodeWord(ReadOnlySpan<byte> word, List<int> ids)
    {
        int before = ids.Count;
        for (int start = 0; start < word.Length;)
        {
            int end = Math.Min(word.Length, start + _index.LongestKeyBytes);
            int id = -1;
            for (; end > start && (id = _index.Find(word[start..end])) < 0; end--)
            {
            }

            if (id < 0)
            {
                ids.RemoveRange(before, ids.Count - before);
                ids.Add(Vocabulary.Unk!.Value);
                return;
            }

            ids.Add(id);
            start = end;
        }
    }

    /// <summary>Categories Cc, Cf, Cs and Co; an unassigned character is kept.</summary>
    private static bool IsControl(int codePoint, CharacterClass kind) =>
        kind == CharacterClass.Other && System.Globalization.CharUnicodeInfo.GetUnicodeCategory(codePoint) != System.Globalization.UnicodeCategory.OtherNotAssigned;

    // 0x2B920 for 0x2B820 is an error of the original that models were trained with.
    private static bool IsIdeograph(int c) => c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
        or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}
