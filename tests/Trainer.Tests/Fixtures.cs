using System.Runtime.InteropServices;
using System.Text;
using Quern.Gguf;
using Quern.ModelMaker;
using Quern.Trainer.Data;
using Quern.Trainer.Model;
using Quern.Trainer.Runs;

namespace Quern.Trainer.Tests;

/// <summary>A folder with data for a training run: sentences whose tokens are their bytes. It goes with the test.</summary>
internal sealed class TrainingFolder : IDisposable
{
    public const int Vocabulary = 300, Bos = 297, Eos = 298;

    private static readonly string[] Names = ["Ann", "Ben", "Cleo", "Dan"], Things = ["a red ball", "a blue kite", "the old boat"], Ends = ["was glad", "went home", "sang"];

    public TrainingFolder()
    {
        GgufWriter writer = new();
        writer.Set("general.architecture", "llama");
        ByteVocabulary.Write(writer, Vocabulary, "llama-bpe");
        writer.Set("tokenizer.chat_template", "{{ messages }}");
        writer.Write(Path("vocabulary.gguf"));
        WriteTokens("train.tok", Stories(400, seed: 1));
        WriteTokens("heldout.tok", Stories(60, seed: 2));
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("quern-trainer-").FullName;

    public static LlamaShape Shape { get; } = new()
    {
        Width = 32,
        Layers = 2,
        Heads = 4,
        KvHeads = 2,
        HeadLength = 8,
        Hidden = 64,
        Vocabulary = Vocabulary,
        Context = 64,
    };

    public static TrainerConfig Config { get; } = new()
    {
        Name = "tiny",
        Model = Shape,
        Training = new()
        {
            Sequences = 3,
            SequencesPerPass = 2,
            Steps = 6,
            LearningRate = 1e-2,
            FinalLearningRate = 1e-3,
            WarmupSteps = 2,
            EvaluateEvery = 2,
            EvaluationSequences = 4,
            CheckpointEvery = 3,
            Seed = 5,
        },
    };

    public string Path(string name) => System.IO.Path.Combine(Folder, name);

    public RunFolders Run(string name) => new(Folder, Path(name));

    public void WriteTokens(string name, ushort[] tokens) => File.WriteAllBytes(Path(name), MemoryMarshal.AsBytes(tokens.AsSpan()));

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    public static ushort[] Stories(int count, int seed)
    {
        CountedRandom random = new((ulong)seed, 0);
        List<ushort> tokens = [];
        for (int i = 0; i < count; i++)
        {
            string name = Names[random.NextInt(Names.Length)];
            string story = $"{name} found {Things[random.NextInt(Things.Length)]}. {name} {Ends[random.NextInt(Ends.Length)]}.";
            tokens.Add(Bos);
            tokens.AddRange(Encoding.UTF8.GetBytes(story).Select(b => (ushort)b));
            tokens.Add(Eos);
        }

        return [.. tokens];
    }
}
