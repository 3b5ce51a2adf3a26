using System.Text.Json;
using Quern.Gguf;
using Quern.TestKit;

namespace Quern.Models.Tests.Golden;

/// <summary>A folder of the reference data: a model, tokens, and the logits that an independent engine computed.</summary>
public sealed class GoldenModel
{
    private GoldenModel(string name)
    {
        string[] folder = ["golden", .. name.Split('/')];
        ModelPath = SharedData.Path([.. folder, "model.gguf"]);
        using JsonDocument meta = JsonDocument.Parse(File.ReadAllText(SharedData.Path([.. folder, "meta.json"])));
        bool isQuant = name.StartsWith("quants/", StringComparison.Ordinal);
        using JsonDocument? own = isQuant ? null : JsonDocument.Parse(File.ReadAllText(SharedData.Path([.. folder, "tokens.json"])));
        JsonElement tokens = (own ?? meta).RootElement;
        Tokens = [.. tokens.GetProperty("tokens").EnumerateArray().Select(token => token.GetInt32())];
        ContextLength = tokens.GetProperty("n_ctx").GetInt32();
        Split = tokens.TryGetProperty("split", out JsonElement split) ? split.GetInt32() : Tokens.Length / 2;
        if (tokens.TryGetProperty("encoder_tokens", out JsonElement read)) EncoderTokens = [.. read.EnumerateArray().Select(token => token.GetInt32())];
        string outputs = isQuant ? "logits_exact.f32" : File.Exists(SharedData.Path([.. folder, "pooled.f32"])) ? "pooled.f32" : "logits.f32";
        Logits = SharedData.ReadFloats([.. folder, outputs]);
        if (File.Exists(SharedData.Path([.. folder, "token_embeddings.f32"]))) TokenVectors = SharedData.ReadFloats([.. folder, "token_embeddings.f32"]);
        NativeRms = FindNativeRms(meta.RootElement);
        NativeMaxDifference = meta.RootElement.TryGetProperty("native_weight_type_max_abs_diff", out JsonElement max) ? max.GetDouble() : null;
    }

    /// <summary>The folders of decoders, by name.</summary>
    public static IEnumerable<object[]> Names => Of(ModelTask.Decoder);

    /// <summary>The folders whose architecture is in the table and does one thing with a text, by name.</summary>
    public static IEnumerable<object[]> Of(ModelTask task) => Folders(task).Select(name => new object[] { name });

    public string ModelPath { get; }

    public string Architecture
    {
        get
        {
            using GgufFile file = GgufFile.Open(ModelPath);
            return file.Metadata.GetString("general.architecture");
        }
    }

    public int[] Tokens { get; }

    public int ContextLength { get; }

    /// <summary>How many tokens the engine took as one batch when it was run a second time.</summary>
    public int Split { get; }

    /// <summary>The tokens that an encoder–decoder reads; <see cref="Tokens"/> are what it writes.</summary>
    public int[] EncoderTokens { get; } = [];

    /// <summary>[tokens, width] an encoder's vectors before they are pooled; empty where they are not recorded.</summary>
    public float[] TokenVectors { get; } = [];

    /// <summary>[tokens, vocabulary], or an encoder's pooled vector [width]: stored values, binary32 arithmetic.</summary>
    public float[] Logits { get; }

    public int Vocabulary => Logits.Length / Tokens.Length;

    /// <summary>How far the recorded engine's own quantised run is from <see cref="Logits"/>, root mean square; null without such a run.</summary>
    public double? NativeRms { get; }

    /// <summary>The largest difference of the recorded engine's own run with activations in binary16; null where weights are binary32.</summary>
    public double? NativeMaxDifference { get; }

    /// <summary>The standard deviation of <see cref="Logits"/>.</summary>
    public double Deviation
    {
        get
        {
            double mean = Logits.Average(logit => (double)logit);
            return Math.Sqrt(Logits.Average(logit => (logit - mean) * (logit - mean)));
        }
    }

    public static GoldenModel Load(string name) => new(name);

    public static double Rms(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += Math.Pow((double)a[i] - b[i], 2);
        return Math.Sqrt(sum / a.Length);
    }

    private static double? FindNativeRms(JsonElement meta)
    {
        (string group, string engine) = meta.TryGetProperty("native_engine", out JsonElement native) ? ("native", native.GetString()!.Split(' ')[0])
            : meta.TryGetProperty("logits_native_engine", out native) ? ("engines", native.GetString()!) : ("", "");
        return group.Length == 0 ? null : meta.GetProperty(group).GetProperty(engine).GetProperty("rms_diff_to_exact").GetDouble();
    }

    private static IEnumerable<string> Folders(ModelTask task)
    {
        if (SharedData.Root is null) yield break;
        string root = SharedData.Path("golden");
        foreach (string folder in Directory.GetDirectories(root).Concat(Directory.GetDirectories(Path.Combine(root, "quants"))).Order())
        {
            string model = Path.Combine(folder, "model.gguf");
            if (!File.Exists(model)) continue;
            if (!new[] { "logits.f32", "logits_exact.f32", "pooled.f32" }.Any(name => File.Exists(Path.Combine(folder, name)))) continue;
            using GgufFile file = GgufFile.Open(model);
            if (ArchitectureTable.Find(file.Metadata.GetString("general.architecture")) is { } entry && TinyTraits.Of(entry.Name).Task == task)
                yield return Path.GetRelativePath(root, folder).Replace('\\', '/');
        }
    }
}
