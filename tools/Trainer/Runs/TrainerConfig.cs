using System.Text.Json;
using System.Text.Json.Serialization;
using Quern.Trainer.Model;

namespace Quern.Trainer.Runs;

/// <summary>A model and how it is trained: a preset, or a JSON file of the same form.</summary>
internal sealed record TrainerConfig
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>The model's name, for its file.</summary>
    public string Name { get; init; } = "small llama";

    /// <summary>The dimensions.</summary>
    public required LlamaShape Model { get; init; }

    /// <summary>The recipe.</summary>
    public TrainingPlan Training { get; init; } = new();

    /// <summary>The presets by name: the pair that ships. All rows of the target are multiples of 256, so that every K-quant applies.</summary>
    public static IReadOnlyDictionary<string, TrainerConfig> Presets { get; } = new Dictionary<string, TrainerConfig>(StringComparer.Ordinal)
    {
        ["target"] = new()
        {
            Name = "Quern target",
            Model = new()
            {
                Width = 256,
                Layers = 5,
                Heads = 8,
                KvHeads = 4,
                HeadLength = 32,
                Hidden = 768,
                Vocabulary = 2048,
                Context = 1024,
            },
            Training = new() { Steps = 4000, BeginSteps = 400, LearningRate = 1e-3, CheckpointEvery = 100 },
        },
        ["draft"] = new()
        {
            Name = "Quern draft",
            Model = new()
            {
                Width = 96,
                Layers = 3,
                Heads = 3,
                KvHeads = 1,
                HeadLength = 32,
                Hidden = 192,
                Vocabulary = 2048,
                Context = 1024,
            },
            // With a teacher, what it would say is all that counts: a draft is as good as it is like its target.
            Training = new() { Steps = 1800, LearningRate = 4e-3, FinalLearningRate = 2e-4, SequencesPerPass = 4, TeacherShare = 1 },
        },
    };

    /// <summary>A preset, or a file.</summary>
    /// <exception cref="InvalidDataException">There is no such preset or file, or it is not a configuration.</exception>
    public static TrainerConfig Find(string nameOrPath)
    {
        if (Presets.TryGetValue(nameOrPath, out TrainerConfig? preset)) return preset;
        if (!File.Exists(nameOrPath))
            throw new InvalidDataException($"--config '{nameOrPath}' is neither a preset ({string.Join(", ", Presets.Keys)}) nor a file");
        return Parse(File.ReadAllText(nameOrPath), nameOrPath);
    }

    /// <summary>Reads JSON.</summary>
    /// <param name="json">The text.</param>
    /// <param name="source">Where it is from, for messages.</param>
    /// <exception cref="InvalidDataException">It is not a configuration.</exception>
    public static TrainerConfig Parse(string json, string source)
    {
        try
        {
            TrainerConfig config = JsonSerializer.Deserialize<TrainerConfig>(json, Json) ?? throw new InvalidDataException($"{source}: expected an object with 'model' and 'training'");
            config.Model.Validate();
            config.Training.Validate();
            return config;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{source}: {e.Message}", e);
        }
    }

    /// <summary>Writes JSON that <see cref="Parse"/> reads.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);
}
