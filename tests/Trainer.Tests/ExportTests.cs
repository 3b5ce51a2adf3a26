using Quern.Engine;
using Quern.Gguf;
using Quern.Kernels.Cpu.Formats;
using Quern.Trainer.Data;
using Quern.Trainer.Files;
using Quern.Trainer.Model;
using Quern.Trainer.Products;

namespace Quern.Trainer.Tests;

/// <summary>A model that was exported says in the engine what it said in the trainer.</summary>
public sealed class ExportTests : IDisposable
{
    private readonly TrainingFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("F32", true)]
    [InlineData("F32", false)]
    [InlineData("Q8_0", true)]
    [InlineData("F16", false)]
    public void The_engine_computes_the_trainers_logits(string format, bool tied)
    {
        string path = _folder.Path("model.gguf");
        using Crew crew = new(2);
        using (Network<float> made = new(TrainingFolder.Shape with { TiedOutput = tied, RopeBase = 50_000 }, crew))
        {
            Randomise(made);
            using GgufFile vocabulary = GgufFile.Open(_folder.Path("vocabulary.gguf"));
            LlamaFile.Write(path, "exported", made, TokenizerKeys.Read(vocabulary, made.Shape.Vocabulary), FormatTable.Find(format)!);
        }

        // Reading it back gives the rounded weights that the engine has too.
        using Network<float> network = LlamaFile.Load(path, crew);
        TokenBatch batch = new(1, 64);
        for (int i = 0; i < 64; i++) batch.Inputs[i] = i * 37 % TrainingFolder.Vocabulary;
        using Activations<float> a = new(network.Shape, 64, forBackward: false);
        network.Forward(batch, a);
        float[] expected = a.Logits.All.ToArray();

        using QuernModel model = QuernModel.Load(path, new ModelOptions { Exact = true, Threads = 2 });
        using Session session = model.CreateSession();
        List<float> found = [];
        session.EvaluateAll(batch.Inputs, (_, _, logits) => found.AddRange(logits));
        Assert.Equal(expected.Length, found.Count);
        Assert.InRange(expected.Max(), 0.5, 100);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], found[i], 2e-4f);
        Assert.Equal("exported", model.Config.Name);
        Assert.Equal("{{ messages }}", model.Metadata.GetString("tokenizer.chat_template"));
        Assert.Equal("Ann found", model.Tokenizer.Decode(model.Tokenizer.Encode("Ann found", addSpecial: false, parseSpecial: false)));
    }

    [Fact]
    public void Rows_that_are_no_whole_blocks_are_refused_by_name()
    {
        using Crew crew = new(1);
        using Network<float> network = new(TrainingFolder.Shape with { Width = 48 }, crew);
        using GgufFile vocabulary = GgufFile.Open(_folder.Path("vocabulary.gguf"));
        TokenizerKeys keys = TokenizerKeys.Read(vocabulary, TrainingFolder.Vocabulary);
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => LlamaFile.Write(_folder.Path("x.gguf"), "x", network, keys, FormatTable.Find("Q8_0")!));
        Assert.Contains("'token_embd.weight' has rows of 48 values; Q8_0 takes multiples of 32", e.Message, StringComparison.Ordinal);
        e = Assert.Throws<InvalidDataException>(() => LlamaFile.Write(_folder.Path("x.gguf"), "x", network, keys, FormatTable.Find("Q4_K")!));
        Assert.Contains("quern quantize", e.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.Path("x.gguf")));
    }

    private static void Randomise(Network<float> network)
    {
        CountedRandom random = new(3, 0);
        foreach (ParameterTensor tensor in network.Layout.Tensors)
            foreach (ref float value in network.Parameters.Span(tensor.Offset, tensor.Count))
                value = (float)(tensor.IsMatrix ? random.NextNormal() / Math.Sqrt(tensor.Cols) : 1 + (0.2 * random.NextNormal()));
    }
}
