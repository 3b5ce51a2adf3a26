using System.Text;

namespace Quern.Text.Tests;

/// <summary>What is particular to each kind of tokenizer, worked out by hand on vocabularies made in code.</summary>
public sealed class TokenizerKindTests
{
    [Theory]
    [InlineData("Unaffable cafés, 世a", "[CLS] ▁un aff able ▁cafe s ▁, ▁世 ▁a [SEP]")]
    [InlineData("CAFÉ", "[CLS] ▁cafe [SEP]")]
    [InlineData("unaffx able", "[CLS] [UNK] [UNK] [SEP]")]
    [InlineData("\u00ADun\u200B\u0000aff", "[CLS] ▁un aff [SEP]")]
    [InlineData(" \u3000 ", "[CLS] [SEP]")]
    [InlineData("un[SEP]aff", "[CLS] ▁un [SEP] [UNK] [SEP]")]
    public void WordPiece(string text, string expected) => Assert.Equal(expected, Tokens(SmallVocabularies.Make(SmallVocabularies.WordPiece()), text));

    [Fact]
    public void CombiningMarksAreKeptUnlessTheFileAsksToStripThem()
    {
        Dictionary<string, object?> metadata = SmallVocabularies.WordPiece();
        Assert.Equal("[CLS] [UNK] [SEP]", Tokens(SmallVocabularies.Make(metadata), "cafe\u0301"));
        metadata["tokenizer.ggml.normalizer.strip_accents"] = true;
        Assert.Equal("[CLS] ▁cafe [SEP]", Tokens(SmallVocabularies.Make(metadata), "cafe\u0301"));
        metadata["tokenizer.ggml.normalizer.strip_accents"] = false;
        metadata["tokenizer.ggml.normalizer.lowercase"] = false;
        Assert.Equal("[CLS] [UNK] ▁cafe [SEP]", Tokens(SmallVocabularies.Make(metadata), "Cafe cafe"));
    }

    [Fact]
    public void TwoTextsAreJoinedAsTheVocabularyAsks()
    {
        Tokenizer wordPiece = SmallVocabularies.Make(SmallVocabularies.WordPiece());
        Assert.Equal("[CLS] ▁un aff [SEP] ▁cafe s [SEP]", Spelled(wordPiece, wordPiece.EncodePair("unaff", "cafés")));
        Dictionary<string, object?> metadata = SmallVocabularies.Unigram();
        Tokenizer plain = SmallVocabularies.Make(metadata);
        Assert.Equal("▁abba </s> ▁ ab </s>", Spelled(plain, plain.EncodePair("abba", "ab")));
        metadata["tokenizer.ggml.add_sep_token"] = true;
        metadata["tokenizer.ggml.seperator_token_id"] = (uint)plain.Vocabulary.Eos!.Value;
        Tokenizer separated = SmallVocabularies.Make(metadata);
        Assert.Equal("▁abba </s> </s> ▁ ab </s>", Spelled(separated, separated.EncodePair("abba", "ab")));
    }

    // Scores: ▁ -2, a -3, b -3, ab -4, ▁a -3, ba -7, ▁abba -9, é -5; an unknown character -9 - 10.
    [Theory]
    [InlineData("ab", "▁ ab </s>")] // -6, as ▁a b, which is found later and is not better
    [InlineData("abba", "▁abba </s>")] // -9; ▁ ab b a is -12
    [InlineData("  a   b ", "▁a ▁ b </s>")]
    [InlineData("axyb", "▁a <unk> b </s>")]
    [InlineData("a<tool>b", "▁a <tool> ▁ b </s>")]
    [InlineData("", "</s>")]
    public void Unigram(string text, string expected) => Assert.Equal(expected, Tokens(SmallVocabularies.Make(SmallVocabularies.Unigram()), text));

    [Theory]
    [InlineData("hello hello", "hello| hello")]
    [InlineData("helllo", "hell|l|o")] // from the left, however long what follows could be
    [InlineData("xy", "x|y")]
    [InlineData("it's \\\\\n\n\\", @"i|t|\'s| |\\\\|\n\n|\x5c")]
    [InlineData("世\u4e00", @"\xe4\xb8\x96|\xe4\xb8|\x80")]
    [InlineData("a<tool>he", "a|<tool>|he")]
    public void LongestMatch(string text, string expected)
    {
        Tokenizer tokenizer = SmallVocabularies.Make(SmallVocabularies.LongestMatch());
        Assert.Equal(expected, string.Join('|', tokenizer.Encode(text).Select(id => tokenizer.Vocabulary.Tokens[id])));
    }

    [Fact]
    public void LongestMatchNeedsATokenForEveryByteOrAnUnknownOne()
    {
        Dictionary<string, object?> metadata = SmallVocabularies.LongestMatch();
        string[] tokens = (string[])metadata["tokenizer.ggml.tokens"]!;
        tokens[1 + 'q'] = "qq";
        Assert.Contains("0x71", Assert.Throws<InvalidDataException>(() => SmallVocabularies.Make(metadata)).Message, StringComparison.Ordinal);
        metadata["tokenizer.ggml.unknown_token_id"] = 5u;
        Tokenizer tokenizer = SmallVocabularies.Make(metadata);
        Assert.Equal([1 + 'p', 5, 1 + 'r'], tokenizer.Encode("pqr"));
        Assert.Equal([1 + 'q'], tokenizer.Encode("qq"));
    }

    [Fact]
    public void UnigramKeepsSpacesWhenTold()
    {
        Dictionary<string, object?> metadata = SmallVocabularies.Unigram();
        metadata["tokenizer.ggml.remove_extra_whitespaces"] = false;
        Assert.Equal("▁ ▁ ▁a </s>", Tokens(SmallVocabularies.Make(metadata), "  a"));
    }

    [Theory]
    [InlineData("hello", "▁hello")]
    [InlineData(" hello", "▁ ▁hello")]
    [InlineData("aaa", "▁ aaa")]
    [InlineData("aaaa", "▁ aa aa")] // aa -7 goes before aaa -8, from the left
    [InlineData("ж", "▁ <0xD0> <0xB6>")]
    [InlineData("    a", "▁▁▁▁ ▁ a")]
    public void SentencePiece(string text, string expected) =>
        Assert.Equal(expected, Tokens(SmallVocabularies.Make(SmallVocabularies.SentencePiece()), text, addSpecial: false));

    [Theory]
    [InlineData("gpt-2", "hello the12345", "hello Ġt he 123 4 5")] // h e goes before Ġt h
    [InlineData("gpt-2", "xy", "x y")]
    [InlineData("gpt-2", "é\n\n", "Ã© ĊĊ")]
    [InlineData("gpt-2", "a<|im_end|>b", "a <|im_end|> b")]
    [InlineData("gpt-2", "a<tool>b", "a <tool> b")]
    public void BytePair(string preTokenizer, string text, string expected) =>
        Assert.Equal(expected, Tokens(SmallVocabularies.Make(SmallVocabularies.BytePair(preTokenizer)), text, addSpecial: false));

    [Fact]
    public void ControlTokensInATextAreTextUnlessParsed()
    {
        Tokenizer tokenizer = SmallVocabularies.Make(SmallVocabularies.BytePair("gpt-2"));
        int[] ids = tokenizer.Encode(SmallVocabularies.Control, addSpecial: false, parseSpecial: false);
        Assert.Equal(SmallVocabularies.Control.Length, ids.Length);
        Assert.Equal(SmallVocabularies.Control, tokenizer.Decode(ids));
        Assert.Equal("", tokenizer.Decode(tokenizer.Encode(SmallVocabularies.Control, addSpecial: false)));
        Assert.Equal(SmallVocabularies.Control, tokenizer.Decode(tokenizer.Encode(SmallVocabularies.Control, addSpecial: false), renderSpecial: true));
    }

    [Fact]
    public void LongerSpecialTokensTakeTheirPlacesFirst()
    {
        Dictionary<string, object?> metadata = SmallVocabularies.BytePair("gpt-2");
        VocabularyTests.Extend(metadata, ("abc", 4), ("cdefg", 4), ("ab", 4));
        Assert.Equal("ab cdefg", Tokens(SmallVocabularies.Make(metadata), "abcdefg", addSpecial: false));
        Assert.Equal("abc d abc", Tokens(SmallVocabularies.Make(metadata), "abcdabc", addSpecial: false));
    }

    [Fact]
    public void Phi3SwallowsSpaceBehindItsSpecialTokens()
    {
        Dictionary<string, object?> metadata = SmallVocabularies.BytePair("gpt-2");
        metadata["general.name"] = "Phi-3 mini";
        Assert.Equal("a <|im_end|> b", Tokens(SmallVocabularies.Make(metadata), "a<|im_end|> \n b", addSpecial: false));
    }

    [Fact]
    public void AMaskSwallowsSpaceBeforeIt()
    {
        Dictionary<string, object?> metadata = SmallVocabularies.BytePair("jina-v2-de");
        VocabularyTests.Extend(metadata, ("<mask>", 3));
        Assert.Equal("a <mask> b", Tokens(SmallVocabularies.Make(metadata), "a \t<mask>b", addSpecial: false));
    }

    [Fact]
    public void Llama3TakesAWholeWordBeforeMerging()
    {
        foreach ((string preTokenizer, string expected) in new[] { ("llama-bpe", "hexl"), ("gpt-2", "he x l") })
        {
            Dictionary<string, object?> metadata = SmallVocabularies.BytePair(preTokenizer);
            VocabularyTests.Extend(metadata, ("hexl", 1));
            Assert.Equal(expected, Tokens(SmallVocabularies.Make(metadata), "hexl", addSpecial: false));
        }
    }

    [Fact]
    public void Gemma4IsBytePairOverPlainCharacters()
    {
        List<string> tokens = ["<bos>", "▁", "h", "i", "é", "hi", "▁hi", "\n", "\n\n", .. Enumerable.Range(0, 256).Select(b => $"<0x{b:X2}>")];
        Dictionary<string, object?> metadata = new()
        {
            ["tokenizer.ggml.model"] = "gemma4",
            ["tokenizer.ggml.tokens"] = tokens.ToArray(),
            ["tokenizer.ggml.token_type"] = tokens.Select((t, i) => i == 0 ? 3 : t.Length == 6 ? 6 : 1).ToArray(),
            ["tokenizer.ggml.merges"] = new[] { "h i", "▁ hi" },
            ["tokenizer.ggml.bos_token_id"] = 0u,
            ["tokenizer.ggml.add_bos_token"] = false,
        };
        Tokenizer tokenizer = SmallVocabularies.Make(metadata);
        Assert.Equal("<bos> hi ▁hi ▁ é <0xC3> <0x9F> <0xC3> <0x9F> \n\n h", Tokens(tokenizer, "hi hi éßß\n\nh"));
        Assert.Equal("hi hi éßß\n\nh", tokenizer.Decode(tokenizer.Encode("hi hi éßß\n\nh")));
    }

    [Fact]
    public void DecodingTakesAwayWhatEncodingPutBefore()
    {
        Tokenizer bert = SmallVocabularies.Make(SmallVocabularies.WordPiece());
        Assert.Equal("unaffable cafe", bert.Decode(bert.Encode("Unaffable café")));
        Dictionary<string, object?> metadata = SmallVocabularies.BytePair("gpt-2");
        metadata["tokenizer.ggml.add_space_prefix"] = true;
        Tokenizer bytePair = SmallVocabularies.Make(metadata);
        Assert.Equal(" hello", bytePair.Decode(bytePair.Encode(" hello")));
    }

    [Fact]
    public void AContinuationKeepsItsSpace()
    {
        Tokenizer tokenizer = SmallVocabularies.Make(SmallVocabularies.SentencePiece());
        int[] ids = tokenizer.Encode("hello");
        Assert.Equal("hello", tokenizer.Decode(ids));
        Detokenizer detokenizer = tokenizer.CreateDetokenizer(continuesText: true);
        Assert.Equal(" hello", string.Concat(ids.Select(id => detokenizer.Append(id).ToString())));
    }

    [Fact]
    public void ACharacterThatNeverEndsBecomesAReplacement()
    {
        Tokenizer tokenizer = SmallVocabularies.Make(SmallVocabularies.SentencePiece());
        Detokenizer detokenizer = tokenizer.CreateDetokenizer();
        int[] ids = tokenizer.Encode("aж", addSpecial: false);
        StringBuilder text = new();
        foreach (int id in ids[..^1]) text.Append(detokenizer.Append(id));
        Assert.Equal("a", text.ToString());
        Assert.Equal("\uFFFD", detokenizer.Flush().ToString());
        Assert.Equal("", detokenizer.Flush().ToString());
    }

    private static string Tokens(Tokenizer tokenizer, string text, bool addSpecial = true) =>
        Spelled(tokenizer, tokenizer.Encode(text, addSpecial));

    private static string Spelled(Tokenizer tokenizer, int[] ids) => string.Join(' ', ids.Select(id => tokenizer.Vocabulary.Tokens[id]));
}
