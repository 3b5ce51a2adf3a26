namespace Quern.Text.Tests;

/// <summary>What is read from metadata, and what is refused, by name.</summary>
public sealed class VocabularyTests
{
    [Fact]
    public void DefaultsFollowTheModel()
    {
        Vocabulary llama = SmallVocabularies.Read(SmallVocabularies.SentencePiece());
        Assert.True(llama.AddBos && llama.AddSpacePrefix && !llama.AddEos);
        Vocabulary bpe = SmallVocabularies.Read(SmallVocabularies.BytePair("llama-bpe"));
        Assert.True(bpe.AddBos && !bpe.AddSpacePrefix);
        Assert.False(SmallVocabularies.Read(SmallVocabularies.BytePair("gpt-2")).AddBos);
        Vocabulary bert = SmallVocabularies.Read(SmallVocabularies.WordPiece());
        Assert.Equal((2, 3, 1), (bert.Bos, bert.Sep, bert.Unk));
        Assert.Equal("default", bert.PreTokenizer);
        Assert.True(SmallVocabularies.Read(SmallVocabularies.Unigram()).AddEos);
    }

    [Fact]
    public void EndTokensAreFoundByTheirText()
    {
        Dictionary<string, object?> metadata = SmallVocabularies.BytePair("gpt-2");
        Extend(metadata, ("<|eom_id|>", 1), ("<|return|>", 3), ("<|call|>", 3), ("<|end|>", 3), ("<|fim_pad|>", 3));
        Vocabulary vocabulary = SmallVocabularies.Read(metadata);
        string[] ends = [.. vocabulary.EndOfGeneration.Select(id => vocabulary.Tokens[id])];
        Assert.Equal([SmallVocabularies.Control, "<|eom_id|>", "<|return|>", "<|call|>", "<|fim_pad|>"], ends);
        Assert.All(vocabulary.EndOfGeneration, id => Assert.True(vocabulary.IsEndOfGeneration(id)));
        Assert.False(vocabulary.IsEndOfGeneration(0));
        Assert.Equal(TokenType.Control, vocabulary.Types[vocabulary.Eom!.Value]);
        Assert.Equal(TokenType.UserDefined, vocabulary.Types[Array.IndexOf([.. vocabulary.Tokens], "<|end|>")]);
    }

    [Theory]
    [InlineData("tokenizer.ggml.model", null)]
    [InlineData("tokenizer.ggml.model", 5)]
    [InlineData("tokenizer.ggml.tokens", null)]
    [InlineData("tokenizer.ggml.tokens", "text")]
    [InlineData("tokenizer.ggml.merges", null)]
    [InlineData("tokenizer.ggml.token_type", new[] { 1, 2 })]
    [InlineData("tokenizer.ggml.token_type", new[] { 1f })]
    [InlineData("tokenizer.ggml.scores", new[] { 1f })]
    [InlineData("tokenizer.ggml.bos_token_id", 100000u)]
    [InlineData("tokenizer.ggml.bos_token_id", "1")]
    [InlineData("tokenizer.ggml.eos_token_id", -7)]
    [InlineData("tokenizer.ggml.add_bos_token", 1)]
    [InlineData("tokenizer.ggml.merges", new[] { "ab" })]
    public void WhatIsWrongIsNamed(string key, object? value)
    {
        Dictionary<string, object?> metadata = SmallVocabularies.BytePair("gpt-2");
        metadata[key] = value;
        string message = Assert.Throws<InvalidDataException>(() => SmallVocabularies.Make(metadata)).Message;
        Assert.Contains(key, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no_vocab")]
    [InlineData("plamo2")]
    public void AnUnknownModelIsNamed(string model)
    {
        Dictionary<string, object?> metadata = SmallVocabularies.BytePair("gpt-2");
        metadata["tokenizer.ggml.model"] = model;
        Assert.Contains($"'{model}'", Assert.Throws<NotSupportedException>(() => SmallVocabularies.Read(metadata)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ThePreTokenizerCanBeOverridden()
    {
        Dictionary<string, object?> metadata = SmallVocabularies.BytePair("never-heard-of");
        Assert.Throws<NotSupportedException>(() => SmallVocabularies.Read(metadata));
        Vocabulary vocabulary = Vocabulary.Read(key => metadata.GetValueOrDefault(key), preTokenizerOverride: "qwen2");
        Assert.Equal("qwen2", vocabulary.PreTokenizer);
        Assert.Equal("default", SmallVocabularies.Read(SmallVocabularies.BytePair("")).PreTokenizer);
    }

    [Fact]
    public void AnIdOfAnotherVocabularyIsRefused()
    {
        Tokenizer tokenizer = SmallVocabularies.Make(SmallVocabularies.SentencePiece());
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Piece(tokenizer.Count).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([-1]));
    }

    internal static void Extend(Dictionary<string, object?> metadata, params (string Text, int Type)[] added)
    {
        metadata["tokenizer.ggml.tokens"] = ((string[])metadata["tokenizer.ggml.tokens"]!).Concat(added.Select(a => a.Text)).ToArray();
        metadata["tokenizer.ggml.token_type"] = ((int[])metadata["tokenizer.ggml.token_type"]!).Concat(added.Select(a => a.Type)).ToArray();
    }
}
