using System.Buffers;
using System.Text;
using Quern.Text.Models;
using Quern.Text.Search;

namespace Quern.Text;

/// <summary>
/// Turns text into the tokens of a vocabulary and back. A tokenizer does not change once made and may be used from many threads at a time.
/// Text that is not well-formed (a surrogate by itself) counts as U+FFFD, as the Unicode Standard asks.
/// </summary>
public abstract class Tokenizer
{
    private const int StackBytes = 1024;
    private readonly SpecialTokenMatcher _allSpecial;
    private readonly SpecialTokenMatcher _userDefined;
    private readonly TokenPieces _pieces;

    private protected Tokenizer(Vocabulary vocabulary, TokenSpelling spelling = TokenSpelling.Plain)
    {
        Vocabulary = vocabulary;
        _pieces = new TokenPieces(vocabulary, spelling);
        _allSpecial = new SpecialTokenMatcher(vocabulary, type => type is TokenType.Control or TokenType.UserDefined or TokenType.Unknown);
        _userDefined = new SpecialTokenMatcher(vocabulary, type => type is TokenType.UserDefined);
    }

    /// <summary>The vocabulary.</summary>
    public Vocabulary Vocabulary { get; }

    /// <summary>The number of tokens.</summary>
    public int Count => Vocabulary.Count;

    /// <summary>Makes the tokenizer that a vocabulary asks for.</summary>
    /// <exception cref="NotSupportedException">The library has no such tokenizer or pre-tokenizer.</exception>
    /// <exception cref="InvalidDataException">The vocabulary contradicts itself; the message names the key.</exception>
    public static Tokenizer Create(Vocabulary vocabulary)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        return TokenizerModel.Find(vocabulary.Model).Create(vocabulary);
    }

    /// <summary>Appends the tokens of a text. Allocates nothing but room in the list.</summary>
    /// <param name="text">Any text; a surrogate by itself counts as U+FFFD.</param>
    /// <param name="ids">Receives the tokens.</param>
    /// <param name="addSpecial">Begin and end with the tokens that the vocabulary asks for. A text that already begins with the BOS token then has two, which the caller may want to warn about.</param>
    /// <param name="parseSpecial">Control tokens written in the text (<c>&lt;|im_end|&gt;</c>) become these tokens; otherwise they are plain text. User-defined tokens are always found.</param>
    /// <returns>The number of tokens appended.</returns>
    public int Encode(ReadOnlySpan<char> text, List<int> ids, bool addSpecial = true, bool parseSpecial = true)
    {
        ArgumentNullException.ThrowIfNull(ids);
        int before = ids.Count;
        if (addSpecial) AddPrefix(ids);
        if (!text.IsEmpty)
        {
            int length = Encoding.UTF8.GetByteCount(text);
            byte[]? rented = length <= StackBytes ? null : ArrayPool<byte>.Shared.Rent(length);
            Span<byte> utf8 = rented is null ? stackalloc byte[StackBytes] : rented;
            utf8 = utf8[..Encoding.UTF8.GetBytes(text, utf8)];
            EncodeUtf8(utf8, ids, parseSpecial ? _allSpecial : _userDefined);
            if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        }

        if (addSpecial) AddSuffix(ids);
        return ids.Count - before;
    }

    /// <summary>The tokens of a text.</summary>
    /// <inheritdoc cref="Encode(ReadOnlySpan{char}, List{int}, bool, bool)"/>
    /// <returns>[tokens] The tokens.</returns>
    public int[] Encode(string text, bool addSpecial = true, bool parseSpecial = true)
    {
        List<int> ids = [];
        Encode(text, ids, addSpecial, parseSpecial);
        return [.. ids];
    }

    /// <summary>
    /// The tokens of two texts in one, as a model takes them that judges the second by the first: each with the tokens that end a text, the first with those that begin one, and
    /// <see cref="Vocabulary.Sep"/> between them where the vocabulary asks for it. Source: Devlin et al. 2018, arXiv 1810.04805, section 3; Liu et al. 2019, arXiv 1907.11692.
    /// </summary>
    /// <param name="first">The first text.</param>
    /// <param name="second">The second text.</param>
    /// <param name="parseSpecial">As in <see cref="Encode(string, bool, bool)"/>.</param>
    /// <returns>[tokens] The tokens.</returns>
    public int[] EncodePair(string first, string second, bool parseSpecial = true)
    {
        List<int> ids = [];
        Encode(first, ids, addSpecial: true, parseSpecial);
        if (Vocabulary is { AddSep: true, Sep: { } separator } && !EndsWithSep) ids.Add(separator);
        Encode(second, ids, addSpecial: false, parseSpecial);
        AddSuffix(ids);
        return [.. ids];
    }

    /// <summary>The bytes that a token stands for: UTF-8, but not always whole characters.</summary>
    /// <param name="id">A token.</param>
    /// <param name="renderSpecial">Control tokens and the unknown token give their text; otherwise nothing.</param>
    /// <exception cref="ArgumentOutOfRangeException">The id is not of the vocabulary.</exception>
    public ReadOnlySpan<byte> Piece(int id, bool renderSpecial = true)
    {
        if ((uint)id >= (uint)Count) throw new ArgumentOutOfRangeException(nameof(id), id, $"the vocabulary has the tokens 0 to {Count - 1}");
        return _pieces[id, renderSpecial];
    }

    /// <summary>Makes a decoder that takes one token at a time.</summary>
    /// <param name="renderSpecial">Show control tokens by their text.</param>
    /// <param name="continuesText">The tokens follow other text, so that a space that they begin with is kept. A tokenizer that puts a space before a text otherwise takes it away again.</param>
    public Detokenizer CreateDetokenizer(bool renderSpecial = false, bool continuesText = false) =>
        new(this, renderSpecial, removeLeadingSpace: PutsSpaceBefore && !continuesText);

    /// <summary>The text of the tokens. Bytes that are no UTF-8 become U+FFFD.</summary>
    /// <param name="ids">[tokens] Tokens of the vocabulary.</param>
    /// <param name="renderSpecial">Show control tokens by their text.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not of the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool renderSpecial = false)
    {
        Detokenizer detokenizer = CreateDetokenizer(renderSpecial);
        StringBuilder text = new();
        foreach (int id in ids) text.Append(detokenizer.Append(id));
        return text.Append(detokenizer.Flush()).ToString();
    }

    /// <summary>True where encoding puts a space before a text, which decoding then takes away.</summary>
    internal virtual bool PutsSpaceBefore => false;

    /// <summary>True where the token that ends a text is the one that separates two.</summary>
    private protected virtual bool EndsWithSep => false;

    /// <summary>True for a control token or the unknown token.</summary>
    internal bool IsSpecial(int id) => _pieces.IsSpecial(id);

    /// <summary>Appends the tokens of a text that has no special tokens.</summary>
    /// <param name="text">Well-formed UTF-8, not empty.</param>
    /// <param name="ids">Receives the tokens.</param>
    /// <param name="afterSpecial">The text is the first, or follows a special token.</param>
    private protected abstract void EncodeText(ReadOnlySpan<byte> text, List<int> ids, bool afterSpecial);

    private protected virtual void AddPrefix(List<int> ids)
    {
        if (Vocabulary.AddBos) ids.Add(Vocabulary.Bos!.Value);
    }

    private protected virtual void AddSuffix(List<int> ids)
    {
        if (Vocabulary.AddEos) ids.Add(Vocabulary.Eos!.Value);
    }

    private void EncodeUtf8(ReadOnlySpan<byte> text, List<int> ids, SpecialTokenMatcher matcher)
    {
        using SpecialTokenMatches matches = matcher.Match(text);
        int done = 0;
        bool afterSpecial = true;
        foreach (SpecialTokenMatch match in matches.Found)
        {
            if (done < match.Start) EncodeText(text[done..match.Start], ids, afterSpecial);
            ids.Add(match.Id);
            done = match.End;
            afterSpecial = true;
        }

        if (done < text.Length) EncodeText(text[done..], ids, afterSpecial);
    }
}
