using System.Text.Json;
using Quern.TestKit;

namespace Quern.Engine.Tests;

/// <summary>Sessions of models that read a text and write another one.</summary>
public sealed class EncoderDecoderTests
{
    private const float Tolerance = 2e-4f;

    private static readonly GenerationOptions Greedy = new() { MaxTokens = 24, IgnoreEos = true, Sampling = new() { Temperature = 0 } };

    [SharedTheory]
    [InlineData("t5-gated", 1)]
    [InlineData("t5-relu", 5)]
    [InlineData("mix-t5-q4_1", 512)]
    public void A_session_says_what_an_independent_engine_says(string name, int batch)
    {
        using QuernModel model = Load(name, batch);
        (int[] text, int[] tokens, float[] expected) = Golden(name);
        using Session session = model.CreateSession();
        session.Read(text);
        Assert.Equal((text.Length, text.Length), (session.Length, session.PrefixLength));
        AssertClose(expected, Logits(session, tokens));
        Assert.Equal([.. text, .. tokens], session.Tokens.ToArray());

        session.Truncate(text.Length + 3);
        using Session fork = session.Fork();
        session.Truncate(text.Length);
        AssertClose(expected, Logits(session, tokens));
        AssertClose(expected.AsSpan(3 * model.VocabularySize), Logits(fork, tokens.AsSpan(3)));
        session.Truncate(0);
        Assert.Equal(0, session.PrefixLength);
        session.Read(text.AsSpan(5));
        Assert.True(Logits(session, tokens).Zip(expected, (a, b) => Math.Abs(a - b)).Max() > 0.1f);
    }

    [SharedFact]
    public void A_generation_reads_its_prompt_and_writes_from_the_first_token_on()
    {
        using QuernModel model = Load("t5-gated", 512);
        int[] text = model.Tokenizer.Encode("Once upon a time");
        using Session byHand = model.CreateSession();
        byHand.Read(text);
        List<int> expected = [];
        for (int token = model.Config.DecoderStart!.Value; expected.Count < 24; expected.Add(token)) token = Best(byHand.Evaluate([token]));

        using Session session = model.CreateSession();
        GeneratedText[] pieces = [.. session.Generate("Once upon a time", Greedy)];
        Assert.Equal(expected, pieces[..^1].Select(piece => piece.Token));
        Assert.Equal(text.Length + 1, pieces[^1].Statistics!.Value.PromptTokens);
        string written = string.Concat(pieces.Select(piece => piece.Text));
        Assert.Equal(model.Tokenizer.Decode(expected.ToArray()), written);

        // Two generations in a row are one long one, also behind a text that was read by itself.
        using Session again = model.CreateSession();
        again.Read(text);
        GeneratedText[] first = [.. again.Generate("", Greedy with { MaxTokens = 9 })], second = [.. again.Generate("", Greedy with { MaxTokens = 15 })];
        Assert.Equal(expected, first[..^1].Concat(second[..^1]).Select(piece => piece.Token));
        Assert.Equal(written, string.Concat(first.Concat(second).Select(piece => piece.Text)));
    }

    [SharedFact]
    public void A_full_context_goes_on_without_the_older_half_of_what_was_written()
    {
        (int[] text, _, _) = Golden("t5-gated");
        using QuernModel model = QuernModel.Load(SharedData.Path("golden", "t5-gated", "model.gguf"), new ModelOptions { Threads = 1, Exact = true, ContextLength = 60, CacheTokens = 128 });
        using Session session = model.CreateSession();
        Assert.Equal(FinishReason.Context, session.Generate(text, Greedy with { MaxTokens = null }).Last().Finish);
        Assert.Equal(60, session.Length);
        using Session shifting = model.CreateSession();
        GeneratedText last = shifting.Generate(text, Greedy with { MaxTokens = 100, ShiftKeep = 2 }).Last();
        Assert.Equal((FinishReason.Length, text.Length), (last.Finish, shifting.PrefixLength));
        Assert.Equal([.. text, model.Config.DecoderStart!.Value], shifting.Tokens[..(text.Length + 1)].ToArray());
        AssertFull(60, text.Length, () => shifting.Start(new int[3], Greedy), shifting);
    }

    [SharedFact]
    public void The_context_holds_a_text_and_an_answer_of_the_length_that_was_trained()
    {
        using QuernModel model = Load("t5-gated", 512);
        Assert.Equal((256, 512), (model.Config.ContextLength, model.ContextLength));
        Assert.Empty(model.Warnings);
        using Session session = model.CreateSession();
        Assert.Throws<ContextFullException>(() => session.Start(new int[512], Greedy));
        Assert.Throws<ContextFullException>(() => session.Read(new int[513]));
        Assert.Equal(0, session.Length);
    }

    [SharedFact]
    public void What_does_not_go_is_told()
    {
        using QuernModel model = Load("t5-relu", 512);
        using Session session = model.CreateSession();
        Assert.Contains("(t5) writes about a text that it has read", Assert.Throws<InvalidOperationException>(() => session.Evaluate([0])).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => session.EvaluateAll([0], (_, _, _) => { }));
        Assert.Throws<ArgumentException>(() => session.Start([], Greedy));
        Assert.Throws<ArgumentException>(() => session.Read([512]));
        session.Read([5, 6, 7, 1]);
        Assert.Contains("has 4 tokens", Assert.Throws<InvalidOperationException>(() => session.Read([1])).Message, StringComparison.Ordinal);
        Assert.Contains("expected 0, or at least 4", Assert.Throws<ArgumentOutOfRangeException>(() => session.Truncate(3)).Message, StringComparison.Ordinal);
        Assert.Contains("(t5) is an encoder–decoder", Assert.Throws<NotSupportedException>(() => session.Save("no-such")).Message, StringComparison.Ordinal);
        Assert.Contains("an engine is for models that go on", Assert.Throws<InvalidOperationException>(() => new InferenceEngine(model)).Message, StringComparison.Ordinal);
        Assert.Contains("a conversation is for models that go on", Assert.Throws<InvalidOperationException>(() => new Conversation(model)).Message, StringComparison.Ordinal);
        using TinyModel file = new();
        using QuernModel decoder = QuernModel.Load(file.Path, new ModelOptions { Threads = 1 });
        using Session other = decoder.CreateSession();
        Assert.Contains("(llama) has no encoder", Assert.Throws<InvalidOperationException>(() => other.Read([1])).Message, StringComparison.Ordinal);
    }

    private static void AssertFull(int capacity, int read, Action generate, Session session)
    {
        // The context is filled up to its end first.
        while (session.Remaining > 0) session.Evaluate([5]);
        ContextFullException full = Assert.Throws<ContextFullException>(generate);
        Assert.Equal((capacity, capacity), (full.Capacity, full.Used));
        Assert.Equal(read, session.PrefixLength);
    }

    private static QuernModel Load(string name, int batch) =>
        QuernModel.Load(SharedData.Path("golden", name, "model.gguf"), new ModelOptions { Threads = 1, Exact = true, BatchTokens = batch });

    private static (int[] Text, int[] Tokens, float[] Logits) Golden(string name)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(SharedData.Path("golden", name, "tokens.json")));
        int[] Ids(string key) => [.. json.RootElement.GetProperty(key).EnumerateArray().Select(id => id.GetInt32())];
        return (Ids("encoder_tokens"), Ids("tokens"), SharedData.ReadFloats("golden", name, "logits.f32"));
    }

    private static float[] Logits(Session session, ReadOnlySpan<int> tokens)
    {
        List<float> all = [];
        session.EvaluateAll(tokens, (_, _, logits) => all.AddRange(logits));
        return [.. all];
    }

    private static int Best(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
            if (logits[i] > logits[best]) best = i;
        return best;
    }

    private static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> found)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++) Assert.InRange(Math.Abs(expected[i] - found[i]), 0, Tolerance);
    }
}
