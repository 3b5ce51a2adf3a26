using System.Text.Json;
using Quern.Engine.Sampling;
using Quern.TestKit;

namespace Quern.Engine.Tests;

/// <summary>The one trained model of the reference data: what it tells is recorded, token for token.</summary>
public sealed class StoriesTests
{
    private static readonly GenerationOptions Greedy = new() { Sampling = new SamplingOptions { Temperature = 0 }, MaxTokens = 200 };

    [SharedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Greedy_tokens_and_text_are_the_recorded_ones(bool exact)
    {
        using JsonDocument record = Record();
        using QuernModel model = Load(exact);
        using Session session = model.CreateSession();
        List<GeneratedText> pieces = [.. session.Generate("Once upon a time", Greedy)];
        Assert.Equal(Ids(record.RootElement.GetProperty("greedy_200")), pieces.Where(piece => piece.Token >= 0).Select(piece => piece.Token));
        string recorded = record.RootElement.GetProperty("greedy_text").GetString()!;
        Assert.Equal(recorded, " Once upon a time" + string.Concat(pieces.Select(piece => piece.Text)));
    }

    [SharedFact]
    public void Negative_log_likelihoods_are_the_recorded_ones()
    {
        using JsonDocument record = Record();
        float[] expected = SharedData.ReadFloats("golden", "stories260K", "nll.f32");
        using QuernModel model = Load(exact: true);
        using Session session = model.CreateSession();
        int next = 0;
        foreach (JsonElement chunk in record.RootElement.GetProperty("nll_chunks").EnumerateArray())
        {
            int[] tokens = Ids(chunk);
            session.Truncate(0);
            session.EvaluateAll(tokens, (first, count, logits) =>
            {
                for (int i = 0; i < count && first + i + 1 < tokens.Length; i++)
                    Assert.Equal(expected[next++], Nll(logits.Slice(i * model.VocabularySize, model.VocabularySize), tokens[first + i + 1]), 2e-4);
            });
        }

        Assert.Equal(expected.Length, next);
    }

    private static QuernModel Load(bool exact) =>
        QuernModel.Load(SharedData.Path("golden", "stories260K", "model.gguf"), new ModelOptions { Exact = exact });

    private static JsonDocument Record() => JsonDocument.Parse(File.ReadAllBytes(SharedData.Path("golden", "stories260K", "tokens.json")));

    private static int[] Ids(JsonElement array) => [.. array.EnumerateArray().Select(id => id.GetInt32())];

    private static double Nll(ReadOnlySpan<float> logits, int token)
    {
        double max = double.NegativeInfinity;
        foreach (float logit in logits) max = Math.Max(max, logit);
        double sum = 0;
        foreach (float logit in logits) sum += Math.Exp(logit - max);
        return max + Math.Log(sum) - logits[token];
    }
}
