using System.Text.Json;
using Quern.Corpus.Building;
using Quern.Corpus.BytePairs;
using Quern.Corpus.Documents;
using Quern.Text;

namespace Quern.Corpus.Tests;

/// <summary>A small corpus on disk, built once for all tests of the class.</summary>
public sealed class SmallCorpus : IDisposable
{
    public const int Documents = 3000;

    public SmallCorpus() => Build(Folder);

    public string Folder { get; } = Directory.CreateTempSubdirectory("quern-corpus-").FullName;

    public static void Build(string folder) => new CorpusBuild(new BuildOptions(folder, 7, Documents, null), _ => { }).Run();

    public string PathOf(string name) => Path.Combine(Folder, name);

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}

/// <summary>The vocabulary and the files of a corpus.</summary>
public sealed class BuildTests(SmallCorpus corpus) : IClassFixture<SmallCorpus>
{
    private readonly Tokenizer _tokenizer = VocabularyFile.Open(corpus.PathOf(CorpusBuild.VocabularyName));

    [Fact]
    public void TheVocabularyIsComplete()
    {
        Vocabulary vocabulary = _tokenizer.Vocabulary;
        Assert.Equal(2048, vocabulary.Count);
        Assert.Equal(2048, vocabulary.Tokens.Distinct().Count());
        HashSet<string> tokens = [.. vocabulary.Tokens];
        foreach (string merge in vocabulary.Merges)
        {
            string[] parts = merge.Split(' ');
            Assert.Equal(2, parts.Length);
            Assert.Contains(parts[0], tokens);
            Assert.Contains(parts[1], tokens);
            Assert.Contains(parts[0] + parts[1], tokens);
        }

        Assert.Equal(4, vocabulary.Types.Count(type => type == TokenType.Control));
        Assert.Equal("<|begin_of_text|>", vocabulary.Tokens[vocabulary.Bos!.Value]);
        Assert.Equal("<|end_of_text|>", vocabulary.Tokens[vocabulary.Eos!.Value]);
        Assert.Equal("<|im_end|>", vocabulary.Tokens[vocabulary.Eot!.Value]);
        Assert.True(vocabulary.IsEndOfGeneration(vocabulary.Eos.Value) && vocabulary.IsEndOfGeneration(vocabulary.Eot.Value));
        Assert.True(vocabulary.AddBos);
        for (int b = 0; b < 256; b++) Assert.Equal([(byte)b], _tokenizer.Piece(b).ToArray());
    }

    [Theory]
    [InlineData("Once upon a time, there was a little rabbit.")]
    [InlineData("Zwölf Boxkämpfer jagen Viktor über den Sylter Deich. 你好 🐇\n\t  x = 12345;")]
    [InlineData("")]
    public void EveryTextComesBack(string text) => Assert.Equal(text, _tokenizer.Decode(_tokenizer.Encode(text, addSpecial: false)));

    [Fact]
    public void DigitsAreTokensOfTheirOwn()
    {
        Assert.Equal(5, _tokenizer.Encode("12345", addSpecial: false).Length);
        Assert.Equal(256 + 4, _tokenizer.Vocabulary.Count - _tokenizer.Vocabulary.Tokens.Skip(256).Count(token => !token.Any(char.IsAsciiDigit) && !token.StartsWith("<|", StringComparison.Ordinal)));
    }

    [Fact]
    public void StoriesThatItWasNotLearnedFromAreCompressed()
    {
        string[] stories = [.. Enumerable.Range(0, 200).Select(i => DocumentWriter.Write(DocumentStream.HeldOutSeed(7, i), DocumentKind.Story, chat: false).Text)];
        int tokens = stories.Sum(story => _tokenizer.Encode(story, addSpecial: false).Length);
        Assert.InRange((double)stories.Sum(story => story.Length) / tokens, 3.5, 6);
    }

    [Fact]
    public void TokenFilesDecodeToTheirDocuments()
    {
        foreach ((string name, Func<int, ulong> seed) in new (string, Func<int, ulong>)[]
        {
            (CorpusBuild.TrainName, i => DocumentStream.TrainSeed(7, i)), (CorpusBuild.HeldOutName, i => DocumentStream.HeldOutSeed(7, i)),
        })
        {
            List<int[]> documents = Split(Tokens(name));
            Assert.All(documents, document => Assert.True(document[^1] == _tokenizer.Vocabulary.Eos || document[^1] == _tokenizer.Vocabulary.Eot));
            for (int i = 0; i < 100; i++)
            {
                Document expected = DocumentWriter.Write(seed(i));
                Assert.Equal(DocumentStream.Marked(expected), _tokenizer.Decode(documents[i], renderSpecial: true));
                Assert.Equal(expected.IsChat, documents[i][^1] == _tokenizer.Vocabulary.Eot);
            }
        }
    }

    [Fact]
    public void ATrainingBeginsWithTextsThatSayThingsAgain()
    {
        List<int[]> documents = Split(Tokens(CorpusBuild.BeginName));
        Assert.Equal(SmallCorpus.Documents / 10, documents.Count);
        for (int i = 0; i < 20; i++)
            Assert.Equal(DocumentStream.Marked(DocumentWriter.Write(DocumentStream.BeginSeed(7, i), DocumentKind.Echo)), _tokenizer.Decode(documents[i], renderSpecial: true));
    }

    [Fact]
    public void TheHeldOutTextHasTheHeldOutTokens() =>
        Assert.Equal(Tokens(CorpusBuild.HeldOutName), _tokenizer.Encode(File.ReadAllText(corpus.PathOf(CorpusBuild.HeldOutTextName)), addSpecial: false));

    [Fact]
    public void NothingHeldOutIsTrainedOnAndNothingComesTwice()
    {
        List<string> all = [.. Split(Tokens(CorpusBuild.TrainName)).Concat(Split(Tokens(CorpusBuild.HeldOutName))).Select(document => string.Join(',', document))];
        Assert.Equal(all.Count, all.Distinct().Count());
        Assert.Equal(SmallCorpus.Documents + (SmallCorpus.Documents / 10), all.Count);
    }

    [Fact]
    public void TheCardCounts()
    {
        using JsonDocument card = JsonDocument.Parse(File.ReadAllText(corpus.PathOf(CorpusBuild.CardName)));
        JsonElement train = card.RootElement.GetProperty("train"), heldOut = card.RootElement.GetProperty("heldOut");
        Assert.Equal(SmallCorpus.Documents, train.GetProperty("documents").GetInt32());
        Assert.Equal(Tokens(CorpusBuild.TrainName).Length, train.GetProperty("tokens").GetInt32());
        Assert.Equal(Tokens(CorpusBuild.HeldOutName).Length, heldOut.GetProperty("tokens").GetInt32());
        Assert.Equal(Tokens(CorpusBuild.BeginName).Length, card.RootElement.GetProperty("begin").GetProperty("tokens").GetInt32());
        Assert.Equal(5, train.GetProperty("kinds").EnumerateObject().Count());
        Assert.Equal(SmallCorpus.Documents, train.GetProperty("kinds").EnumerateObject().Sum(kind => kind.Value.GetProperty("documents").GetInt32()));
        Assert.True(train.GetProperty("longestDocumentInTokens").GetInt32() <= 1024, "a document fits the context of the models");
        Assert.InRange(heldOut.GetProperty("charactersPerToken").GetDouble(), 3.2, 6);
        Assert.InRange(card.RootElement.GetProperty("distinctWords").GetInt32(), 1500, 6000);
    }

    [Fact]
    public void TheSameSeedGivesTheSameBytes()
    {
        string again = Directory.CreateTempSubdirectory("quern-corpus-").FullName;
        try
        {
            SmallCorpus.Build(again);
            string[] names = [.. Directory.GetFiles(corpus.Folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
            Assert.Equal(7, names.Length);
            Assert.All(names, name => Assert.Equal(File.ReadAllBytes(corpus.PathOf(name)), File.ReadAllBytes(Path.Combine(again, name))));
        }
        finally
        {
            Directory.Delete(again, recursive: true);
        }
    }

    private int[] Tokens(string name)
    {
        byte[] bytes = File.ReadAllBytes(corpus.PathOf(name));
        return [.. Enumerable.Range(0, bytes.Length / 2).Select(i => bytes[2 * i] | (bytes[(2 * i) + 1] << 8))];
    }

    private List<int[]> Split(int[] tokens)
    {
        List<int[]> documents = [];
        int start = 0;
        for (int i = 1; i <= tokens.Length; i++)
        {
            if (i < tokens.Length && tokens[i] != _tokenizer.Vocabulary.Bos) continue;
            Assert.Equal(_tokenizer.Vocabulary.Bos, tokens[start]);
            documents.Add(tokens[start..i]);
            start = i;
        }

        return documents;
    }
}
