using System.Text;
using FsCheck.Xunit;
using Quern.Text.PreTokenizers;

namespace Quern.Text.Tests;

/// <summary>Every scanner of the table is its regular expression; and what the expressions mean, by examples.</summary>
public sealed class PreTokenizerTests
{
    private static readonly Split[] Scanned = [.. PreTokenizerTable.All.SelectMany(p => p.Splits).Where(s => s.ByHand is not null).DistinctBy(s => s.Pattern)];

    private static readonly (IPieceSink Expression, IPieceSink Scanner, Collector Expected, Collector Found)[] Pairs = [.. Scanned.Select(split =>
    {
        Collector expected = new(), found = new();
        return ((split with { ByHand = null }).Before(expected), split.Before(found), expected, found);
    })];

    private static readonly (IPieceSink Chain, Collector Words)[] Chains = [.. PreTokenizerTable.All.Select(p =>
    {
        Collector words = new();
        return (p.Before(words), words);
    })];

    public static TheoryData<string> Names => [.. PreTokenizerTable.All.SelectMany(p => p.Names)];

    [Property(Arbitrary = [typeof(AdversarialText)], MaxTest = 1500, EndSize = 40)]
    public void EveryScannerIsItsExpression(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        foreach ((IPieceSink expression, IPieceSink scanner, Collector expected, Collector found) in Pairs)
        {
            expected.Pieces.Clear();
            found.Pieces.Clear();
            expression.Accept(utf8, []);
            scanner.Accept(utf8, []);
            Assert.Equal(expected.Pieces, found.Pieces);
        }
    }

    [Property(Arbitrary = [typeof(AdversarialText)], MaxTest = 300, EndSize = 60)]
    public void PiecesMakeTheText(string text)
    {
        foreach ((IPieceSink chain, Collector words) in Chains)
        {
            words.Pieces.Clear();
            chain.Accept(Encoding.UTF8.GetBytes(text), []);
            Assert.Equal(text, string.Concat(words.Pieces));
        }
    }

    [Fact]
    public void ThereAreScannersToCompare() => Assert.True(Scanned.Length >= 20, $"{Scanned.Length} expressions have scanners");

    [Fact]
    public void NoNameStandsTwice() =>
        Assert.Equal(PreTokenizerTable.All.Sum(p => p.Names.Length), PreTokenizerTable.All.SelectMany(p => p.Names).Distinct().Count());

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryNameIsFound(string name) => Assert.Contains(name, PreTokenizerTable.Find(name).Names);

    [Theory]
    [InlineData("gpt-2", "I've  12345 pages!\n\nTHE'S 日本𠀀", "I|'ve| | 12345| pages|!|\n|\n|THE|'|S| 日本𠀀")]
    [InlineData("llama-bpe", "I'VE  12345 pages!\n\n x", "I|'VE| | |123|45| pages|!\n\n| x")]
    [InlineData("qwen2", "a12 \n\n b", "a|1|2| \n\n| b")]
    [InlineData("gpt-4o", "camelCase HTMLParser don't приветМир", "camel|Case| HTMLParser| don't| привет|Мир")]
    [InlineData("tekken", "don't 123", "don|'t| |1|2|3")]
    [InlineData("deepseek-v3", "1234 你好hi ~ok", "123|4| |你好|hi| ~|ok")]
    [InlineData("deepseek-llm", "Привет 你好 12345 !", "Привет| |你好| |12345| !")]
    [InlineData("deepseek-coder", "if x==12:\n", "if| x|==|1|2|:|\n")]
    [InlineData("starcoder", "x = 42", "x| =| |4|2")]
    [InlineData("default", "a.b 12345", "a|.|b| |123|45")]
    [InlineData("falcon", "a->b 1234", "a|->|b| |123|4")]
    [InlineData("afmoe", "12345678 한국어 a", "12|345|678| |한국어| a")]
    [InlineData("superbpe", "by 1234567 way", "by |1|234|567| way")]
    [InlineData("tiny_aya", "1234567 a12", "1|234|567| a|12")]
    [InlineData("kimi-k2", "你好world's 𠀀A", "你好|world's| |𠀀|A")]
    [InlineData("bloom", "one, two words.", "one|,| two| words|.")]
    [InlineData("laguna", "a\n\nb", "a|\n\n|b")]
    [InlineData("gemma4", "a b\n\nc", "a b|\n\n|c")]
    [InlineData("exaone-moe", "the cat sat.", "the cat sat|.")]
    [InlineData("jais-2", "a       b", "a|    |  | b")]
    [InlineData("chameleon", "IMGIMGABZ x1", "IMGIMGABZ| x|1")]
    public void Examples(string name, string text, string expected)
    {
        Assert.Equal(expected, string.Join('|', Words(PreTokenizerTable.Find(name), text)));
    }

    [Fact]
    public void AnUnknownNameSaysHowToOverride()
    {
        string message = Assert.Throws<NotSupportedException>(() => PreTokenizerTable.Find("gpt-7")).Message;
        Assert.Contains("'gpt-7'", message, StringComparison.Ordinal);
        Assert.Contains("override", message, StringComparison.Ordinal);
        Assert.Contains("llama-bpe", message, StringComparison.Ordinal);
    }

    private static List<string> Words(PreTokenizer preTokenizer, string text)
    {
        Collector words = new();
        preTokenizer.Before(words).Accept(Encoding.UTF8.GetBytes(text), []);
        return words.Pieces;
    }

    private sealed class Collector : IPieceSink
    {
        public List<string> Pieces { get; } = [];

        public void Accept(ReadOnlySpan<byte> piece, List<int> ids) => Pieces.Add(Encoding.UTF8.GetString(piece));
    }
}
