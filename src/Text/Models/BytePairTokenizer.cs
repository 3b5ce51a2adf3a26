using System.Buffers;
using Quern.Text.Merging;
using Quern.Text.PreTokenizers;
using Quern.Text.Search;
using Quern.Text.Unicode;

namespace Quern.Text.Models;

/// <summary>
/// Byte-pair encoding by a list of merges. Words are cut by a pre-tokenizer; the symbols of a word are its bytes, or its characters where
/// the vocabulary is plain (gemma 4). Source: Sennrich et al., 2016; Radford et al., Language Models are Unsupervised Multitask Learners, 2019.
/// </summary>
internal sealed class BytePairTokenizer : Tokenizer, IPieceSink
{
    private const int StackSymbols = 48;
    private readonly PreTokenizer _preTokenizer;
    private readonly IPieceSink _words;
    private readonly TokenIndex _index;
    private readonly PairTable _pairs;
    private readonly int[] _byteIds = new int[256];
    private readonly SpelledAlone _spelledAlone;

    public BytePairTokenizer(Vocabulary vocabulary)
        : base(vocabulary, PreTokenizerTable.Find(vocabulary.PreTokenizer).PlainCharacters ? TokenSpelling.Plain : TokenSpelling.ByteLevel)
    {
        _preTokenizer = PreTokenizerTable.Find(vocabulary.PreTokenizer);
        _words = _preTokenizer.Before(this);
        BytePairSymbols symbols = new(vocabulary, plain: _preTokenizer.PlainCharacters);
        (_index, _pairs) = (symbols.Index, symbols.Pairs);
        for (int b = 0; b < _byteIds.Length; b++) _byteIds[b] = _index.Find([(byte)b]);
        if (_preTokenizer.PlainCharacters) _byteIds = ByteTokens.Find(vocabulary, _index);
        _spelledAlone = new SpelledAlone(Count);
    }

    /// <summary>Appends the tokens of a word.</summary>
    void IPieceSink.Accept(ReadOnlySpan<byte> piece, List<int> ids)
    {
        int whole = piece.Length <= _index.LongestKeyBytes ? _index.Find(piece) : -1;
        if ((uint)whole < (uint)Count)
        {
            bool? alone = _preTokenizer.IgnoreMerges || (_preTokenizer.WholeNewlines && piece[0] == '\n') ? true : _spelledAlone[whole];
            if (alone == true)
            {
                ids.Add(whole);
                return;
            }

            if (alone is null)
            {
                int before = ids.Count;
                Merge(piece, ids);
                _spelledAlone[whole] = ids.Count == before + 1 && ids[before] == whole;
                return;
            }
        }

        Merge(piece, ids);
    }

    private protected override void EncodeText(ReadOnlySpan<byte> text, List<int> ids, bool afterSpecial)
    {
        if (!_preTokenizer.PlainCharacters)
        {
            _words.Accept(text, ids);
            return;
        }

        byte[] rented = ArrayPool<byte>.Shared.Rent(EscapedSpace.MostBytes(text, prefixed: false));
        _words.Accept(rented.AsSpan(0, EscapedSpace.Write(text, prefixed: false, rented)), ids);
        ArrayPool<byte>.Shared.Return(rented);
    }

    private void Merge(ReadOnlySpan<byte> word, List<int> ids)
    {
        int[]? rented = word.Length <= StackSymbols ? null : ArrayPool<int>.Shared.Rent(2 * word.Length);
        Span<int> symbols = rented is null ? stackalloc int[2 * StackSymbols] : rented;
        Span<int> ends = symbols[(symbols.Length / 2)..];
        int count = 0;
        for (int start = 0; start < word.Length; count++)
        {
            int end = start + 1;
            if (_preTokenizer.PlainCharacters)
            {
                end = start + CodePoints.Length(word[start]);
                symbols[count] = _index.Find(word[start..end]);
            }
            else
            {
                symbols[count] = _byteIds[word[start]];
            }

            ends[count] = start = end;
        }

        Rule rule = new(_pairs);
        count = SymbolMerger.Merge(ref rule, symbols[..count], ends[..count]);
        for (int i = 0; i < count; i++)
        {
            if ((uint)symbols[i] < (uint)Count) ids.Add(symbols[i]);
            else AppendBytes(word[(i == 0 ? 0 : ends[i - 1])..ends[i]], ids);
        }

        if (rented is not null) ArrayPool<int>.Shared.Return(rented);
    }

    /// <summary>A symbol that is no token, though the merges may make it, is spelled by its bytes; a byte that has no token is the unknown token, or nothing.</summary>
    private void AppendBytes(ReadOnlySpan<byte> bytes, List<int> ids)
    {
        foreach (byte b in bytes)
        {
            if ((uint)_byteIds[b] < (uint)Count) ids.Add(_byteIds[b]);
            else if (Vocabulary.Unk is { } unknown) ids.Add(unknown);
        }
    }

    private readonly struct Rule(PairTable pairs) : IMergeRule
    {
        public int Rank(int left, int right, int start, int end, out int merged) => pairs.Rank(left, right, out merged);
    }
}
