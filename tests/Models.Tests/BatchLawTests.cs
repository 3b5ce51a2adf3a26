using FsCheck;
using FsCheck.Xunit;
using Quern.Kernels.Cpu;

namespace Quern.Models.Tests;

/// <summary>What a batch must not change, for random models of every architecture and random cuts.</summary>
public sealed class BatchLawTests : IDisposable
{
    private const float Tolerance = 2e-5f;
    private readonly ThreadTeam _team = new(2);

    [Property(MaxTest = 30)]
    public void ManySequencesInOneBatchAreManyBatchesOfOne(int seed)
    {
        Random random = new(seed);
        using LoadedModel model = Load(random);
        int[][] sequences = [.. Enumerable.Range(0, 3).Select(i => ForwardTests.Tokens(random.Next(1, 60), seed + i))];
        Batch batch = new(180, 3);
        for (int i = 0; i < 3; i++) batch.Add(sequences[i], 0, model.Pages(i), BatchOutputs.All);
        float[] together = model.Forward(batch);
        float[] alone = [.. sequences.SelectMany(tokens => model.Evaluate(tokens))];
        Close.AssertAll(alone, together, TinyModel.Vocabulary, Tolerance);
    }

    [Property(MaxTest = 30)]
    public void APromptInChunksIsTheWholePrompt(int seed, PositiveInt first, PositiveInt step)
    {
        Random random = new(seed);
        using LoadedModel model = Load(random);
        int[] tokens = ForwardTests.Tokens(random.Next(1, 120), seed);
        float[] chunked = model.Evaluate(tokens, 1 + (first.Get % tokens.Length), 1 + (step.Get % 50), sequence: 1);
        Close.AssertAll(model.Evaluate(tokens), chunked, TinyModel.Vocabulary, Tolerance);
    }

    [Theory]
    [InlineData(43)]
    public void NoLogitsAtAllMayBeAskedFor(int seed) => TheLogitsAskedForAreAmongAll(seed);

    [Property(MaxTest = 30)]
    public void TheLogitsAskedForAreAmongAll(int seed)
    {
        Random random = new(seed);
        using LoadedModel model = Load(random);
        int[][] sequences = [.. Enumerable.Range(0, 3).Select(i => ForwardTests.Tokens(random.Next(1, 40), seed + i))];
        BatchOutputs[] outputs = [.. sequences.Select(_ => (BatchOutputs)random.Next(3))];
        Batch batch = new(120, 3);
        List<float> expected = [];
        for (int i = 0; i < 3; i++)
        {
            batch.Add(sequences[i], 0, model.Pages(i), outputs[i]);
            float[] all = model.Evaluate(sequences[i]);
            int rows = outputs[i] switch { BatchOutputs.All => sequences[i].Length, BatchOutputs.Last => 1, _ => 0 };
            expected.AddRange(all[^(rows * TinyModel.Vocabulary)..]);
        }

        Close.AssertAll(expected.ToArray(), model.Forward(batch), TinyModel.Vocabulary, Tolerance);

        // Tokens without logits have filled the cache all the same.
        batch.Clear();
        for (int i = 0; i < 3; i++) batch.Add([5], sequences[i].Length, model.Pages(i));
        float[] next = model.Forward(batch);
        float[] alone = [.. sequences.SelectMany(tokens => model.Evaluate([.. tokens, 5])[^TinyModel.Vocabulary..])];
        Close.AssertAll(alone, next, TinyModel.Vocabulary, Tolerance);
    }

    public void Dispose() => _team.Dispose();

    private LoadedModel Load(Random random)
    {
        string[] names = [.. TinyTraits.Names(ModelTask.Decoder)];
        string architecture = names[random.Next(names.Length)];
        return new LoadedModel(new TinyModel(architecture, random.Next()).Open(), new CpuBackend(_team, ComputeMode.Exact), TinyModel.Context);
    }
}
