using System.Text.Json;
using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.TestKit;

namespace Quern.Models.Tests.Golden;

/// <summary>A model with trained weights (karpathy's stories260K): what it writes, and how well it predicts a text.</summary>
public sealed class StoryTests : IDisposable
{
    private const float ExactTolerance = 2e-4f;
    private const double NativeFactor = 1.25;
    private const int ContextLength = 512;
    private static readonly string[] Folder = ["golden", "stories260K"];
    private readonly ThreadTeam _team = new(2);

    [SharedTheory]
    [InlineData(ComputeMode.Exact, KvType.F32)]
    [InlineData(ComputeMode.Fast, KvType.F16)]
    public void GreedyTokensAreTheRecordedOnes(ComputeMode mode, KvType kvType)
    {
        using JsonDocument tokens = Tokens();
        int[] expected = Integers(tokens.RootElement.GetProperty("greedy_200"));
        List<int> sequence = [.. Integers(tokens.RootElement.GetProperty("prompt_tokens"))];
        int prompt = sequence.Count;
        using LoadedModel model = Load("model.gguf", mode, kvType);
        Batch batch = new(prompt);
        for (int done = 0; sequence.Count < prompt + expected.Length;)
        {
            batch.Clear();
            batch.Add(sequence.ToArray().AsSpan(done), done, model.Pages(0));
            done = sequence.Count;
            sequence.Add(Close.Best(model.Forward(batch)));
        }

        Assert.Equal(expected, sequence.Skip(prompt));
    }

    [SharedFact]
    public void NegativeLogLikelihoodsAreTheRecordedOnes()
    {
        using JsonDocument tokens = Tokens();
        using LoadedModel model = Load("model.gguf", ComputeMode.Exact, KvType.F32);
        List<float> found = [];
        foreach (JsonElement chunk in tokens.RootElement.GetProperty("nll_chunks").EnumerateArray())
        {
            int[] ids = Integers(chunk);
            float[] logits = model.Evaluate(ids);
            for (int i = 0; i + 1 < ids.Length; i++) found.Add(NegativeLogLikelihood(logits.AsSpan(i * model.Vocabulary, model.Vocabulary), ids[i + 1]));
        }

        float[] expected = SharedData.ReadFloats([.. Folder, "nll.f32"]);
        Close.AssertAll(expected, found.ToArray(), 1, 2 * ExactTolerance);
        Assert.Equal(expected.Average(), found.Average(), 1e-5f);
    }

    [SharedFact]
    public void QuantisedLogitsAreTheRecordedOnes()
    {
        using JsonDocument tokens = Tokens();
        int[] ids = Integers(tokens.RootElement.GetProperty("tokens"));
        float[] exact = SharedData.ReadFloats([.. Folder, "logits-q8_0-exact.f32"]);
        double native = GoldenModel.Rms(exact, SharedData.ReadFloats([.. Folder, "logits-q8_0-native.f32"]));
        using (LoadedModel model = Load("model-q8_0.gguf", ComputeMode.Exact, KvType.F32))
            Close.AssertAll(exact, model.Evaluate(ids), model.Vocabulary, ExactTolerance);
        using (LoadedModel model = Load("model-q8_0.gguf", ComputeMode.Fast, KvType.F16))
        {
            double rms = GoldenModel.Rms(exact, model.Evaluate(ids, 1, 1));
            Assert.True(rms <= NativeFactor * native, $"{rms:g4} from the exact logits; the reference engine's quantised run is {native:g4} from them");
        }
    }

    public void Dispose() => _team.Dispose();

    private static JsonDocument Tokens() => JsonDocument.Parse(File.ReadAllText(SharedData.Path([.. Folder, "tokens.json"])));

    private static int[] Integers(JsonElement array) => [.. array.EnumerateArray().Select(token => token.GetInt32())];

    private static float NegativeLogLikelihood(ReadOnlySpan<float> logits, int token)
    {
        double max = double.NegativeInfinity, sum = 0;
        foreach (float logit in logits) max = Math.Max(max, logit);
        foreach (float logit in logits) sum += Math.Exp(logit - max);
        return (float)(max + Math.Log(sum) - logits[token]);
    }

    private LoadedModel Load(string file, ComputeMode mode, KvType kvType) =>
        new(GgufFile.Open(SharedData.Path([.. Folder, file])), new CpuBackend(_team, mode), ContextLength, kvType);
}
