using Quern.Engine;
using Quern.Kernels.Cpu.Formats;

namespace Quern.ModelMaker.Tests;

/// <summary>What the tool writes is a model: it loads, its tokenizer works, its logits are numbers, and it has the types that were asked for.</summary>
public sealed class RandomModelTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"quern-{Guid.NewGuid():n}.gguf");
    private readonly PublishedShape _tiny = PublishedShapes.All.Single(shape => shape.Name == "Tiny");

    public void Dispose() => File.Delete(_path);

    public static TheoryData<string> Types => [.. WeightTypes.Names];

    [Theory]
    [MemberData(nameof(Types))]
    public void A_tiny_model_of_every_type_runs(string type)
    {
        int told = 0;
        new RandomModel(_tiny, WeightTypes.Find(type)!, seed: 1).Write(_path, _ => told++);
        using QuernModel model = QuernModel.Load(_path, new ModelOptions { Threads = 1, ContextLength = 64 });
        Assert.Equal(model.File.Tensors.Count, told);
        Assert.Equal(FormatTable.Find(type)?.Info.Name ?? type[..4], model.File.Tensors.Single(tensor => tensor.Name == "blk.0.attn_q.weight").TypeName);

        const string Text = "a mill grinds corn; ein Müller lacht 😀";
        int[] tokens = model.Tokenizer.Encode(Text);
        Assert.Equal(Text, model.Tokenizer.Decode(tokens));
        using Session session = model.CreateSession();
        ReadOnlySpan<float> logits = session.Evaluate(tokens);
        Assert.Equal(_tiny.Vocabulary, logits.Length);
        float smallest = float.MaxValue, largest = float.MinValue;
        foreach (float logit in logits)
        {
            Assert.True(float.IsFinite(logit));
            (smallest, largest) = (Math.Min(smallest, logit), Math.Max(largest, logit));
        }

        Assert.True(largest - smallest > 0.1f, $"all logits lie in {smallest}…{largest}");
    }

    [Fact]
    public void The_same_seed_writes_the_same_bytes_and_another_does_not()
    {
        byte[] Make(int seed)
        {
            new RandomModel(_tiny, WeightTypes.Find("Q8_0")!, seed).Write(_path, _ => { });
            return File.ReadAllBytes(_path);
        }

        byte[] first = Make(7);
        Assert.Equal(first, Make(7));
        Assert.NotEqual(first, Make(8));
    }

    [Fact]
    public void Every_shape_has_consistent_sizes()
    {
        foreach (PublishedShape shape in PublishedShapes.All)
        {
            Assert.Equal(0, shape.Heads % shape.KvHeads);
            Assert.Equal(0, shape.HeadLength % 2);
            Assert.NotNull(Quern.Models.ArchitectureTable.Find(shape.Architecture));
        }
    }
}
