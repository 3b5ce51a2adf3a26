using Quern.Gguf;

namespace Quern.Models;

/// <summary>The sizes and constants of a model, as the metadata of its file gives them.</summary>
public sealed record ModelConfig
{
    /// <summary>The name of the architecture as GGUF spells it, for example <c>llama</c>.</summary>
    public required string Architecture { get; init; }

    /// <summary>The model's name, or null where the file does not say it.</summary>
    public string? Name { get; init; }

    /// <summary>Tokens that have an embedding, and logits.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Values in the residual stream of a token.</summary>
    public required int Width { get; init; }

    /// <summary>Number of layers.</summary>
    public required int LayerCount { get; init; }

    /// <summary>Query heads of a layer; 0 in a model without attention.</summary>
    public required int HeadCount { get; init; }

    /// <summary>Heads with their own keys and values, of each layer.</summary>
    public required IReadOnlyList<int> KvHeadCounts { get; init; }

    /// <summary>Values in a head's query and key.</summary>
    public required int KeyLength { get; init; }

    /// <summary>Values in a head's value.</summary>
    public required int ValueLength { get; init; }

    /// <summary>Inner width of a dense feed-forward network; 0 where the file does not say it.</summary>
    public int FeedForwardLength { get; init; }

    /// <summary>Tokens of the longest context that the model was trained for.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Whether a token sees only those before it; null where the file leaves it to the architecture.</summary>
    public bool? IsCausal { get; init; }

    /// <summary>How the vectors of a text's tokens become one; null where the file does not say it.</summary>
    public Pooling? Pooling { get; init; }

    /// <summary>Layers of the decoder, where a model has an encoder besides; otherwise the same as <see cref="LayerCount"/>.</summary>
    public int DecoderLayerCount { get; init; }

    /// <summary>The token that a decoder begins with which writes about a text that an encoder has read; null in other models.</summary>
    public int? DecoderStart { get; init; }

    /// <summary>Number of biases by distance, for ranges of distances; 0 where the file does not say it.</summary>
    public int RelativeBuckets { get; init; }

    /// <summary>Tokens of the longest sequence that the model was trained for: a context, or one that is read and one that is written.</summary>
    public int TrainedLength => DecoderStart is null ? ContextLength : (int)Math.Min(2L * ContextLength, int.MaxValue);

    /// <summary>The experts; null in a dense model.</summary>
    public ExpertConfig? Experts { get; init; }

    /// <summary>The sizes of latent attention; null in a model without.</summary>
    public LatentConfig? Latent { get; init; }

    /// <summary>The sizes of a selective state space; null in a model without.</summary>
    public StateSpaceConfig? StateSpace { get; init; }

    /// <summary>The sizes of a time mix; null in a model without.</summary>
    public TimeMixConfig? TimeMix { get; init; }

    /// <summary>ε of the norms.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>The rotary encoding.</summary>
    public required RopeConfig Rope { get; init; }

    /// <summary>Slots that a query sees in a layer with a sliding window; 0 for none, null where the file does not say it.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>Which layers have the sliding window, or null where the file leaves it to the architecture.</summary>
    public IReadOnlyList<bool>? WindowedLayers { get; init; }

    /// <summary>c in <c>c · tanh(s / c)</c> on attention scores; 0 without.</summary>
    public float AttentionSoftCap { get; init; }

    /// <summary>c in <c>c · tanh(l / c)</c> on logits; 0 without.</summary>
    public float LogitSoftCap { get; init; }

    /// <summary>Factor on scores; null where the file leaves it to the architecture.</summary>
    public float? AttentionScale { get; init; }

    /// <summary>Largest magnitude of a query's, key's or value's number; 0 for any.</summary>
    public float QkvClamp { get; init; }

    /// <summary>b of a linear bias on scores; 0 where the file does not say it.</summary>
    public float AlibiMaxBias { get; init; }

    /// <summary>Whether both branches of a layer start from the same residual stream; null where the file leaves it to the architecture.</summary>
    public bool? ParallelResidual { get; init; }

    /// <summary>Factor on the embeddings; null where the file leaves it to the architecture.</summary>
    public float? EmbeddingScale { get; init; }

    /// <summary>Factor on what a branch adds; null where the file leaves it to the architecture.</summary>
    public float? ResidualScale { get; init; }

    /// <summary>What logits are multiplied with or divided by, as the architecture says; null where the file does not say it.</summary>
    public float? LogitScale { get; init; }

    /// <summary>Reads the metadata of a file.</summary>
    /// <exception cref="GgufFormatException">A key is missing or of another type.</exception>
    /// <exception cref="ModelFormatException">A value is out of range, or contradicts another.</exception>
    public static ModelConfig Read(GgufFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        string architecture = file.Metadata.GetString("general.architecture");
        ConfigReader keys = new(file, architecture);
        int layers = keys.Positive("block_count");
        if (layers > file.Tensors.Count)
            throw keys.Error("block_count", $"it holds {layers}; the file has only {file.Tensors.Count} tensors");

        int width = keys.Positive("embedding_length");
        StateSpaceConfig? stateSpace = StateSpaceConfig.Read(keys);
        TimeMixConfig? timeMix = TimeMixConfig.Read(keys, width);
        // A state takes the place of attention, and of the feed-forward networks if it likes.
        int least = stateSpace is null && timeMix is null ? 1 : 0;
        int heads = keys.SharedByLayers("attention.head_count", layers, least);
        int[] kvHeads = heads > 0 && keys.Has("attention.head_count_kv")
            ? keys.PerLayer("attention.head_count_kv", layers, smallest: 1)
            : [.. Enumerable.Repeat(heads, layers)];
        foreach (int count in kvHeads)
            if (count != 0 && heads % count != 0) throw keys.Error("attention.head_count_kv", $"it holds {count}; expected a divisor of {heads}, the number of heads");

        int keyLength = heads == 0 ? 0 : HeadLength(keys, "attention.key_length", width, heads);
        int valueLength = heads == 0 ? 0 : HeadLength(keys, "attention.value_length", width, heads);
        int contextLength = keys.Positive("context_length");
        int feedForward = keys.Has("feed_forward_length") ? keys.SharedByLayers("feed_forward_length", layers, least) : 0;
        int window = keys.CountOr("attention.sliding_window", 0);
        ModelConfig config = new()
        {
            Architecture = architecture,
            Name = file.Metadata.GetStringOr("general.name", null),
            VocabularySize = Vocabulary(file, width),
            Width = width,
            LayerCount = layers,
            HeadCount = heads,
            KvHeadCounts = kvHeads,
            KeyLength = keyLength,
            ValueLength = valueLength,
            FeedForwardLength = feedForward,
            ContextLength = contextLength,
            IsCausal = keys.Has("attention.causal") ? file.Metadata.GetBool(keys.Key("attention.causal")) : null,
            Pooling = PoolingOf(keys),
            DecoderLayerCount = keys.PositiveOr("decoder_block_count", layers),
            DecoderStart = keys.Has("decoder_start_token_id") ? keys.CountOr("decoder_start_token_id", 0) : null,
            RelativeBuckets = keys.CountOr("attention.relative_buckets_count", 0),
            Experts = ExpertConfig.Read(keys, feedForward),
            StateSpace = stateSpace,
            TimeMix = timeMix,
            Latent = LatentConfig.Read(keys, keyLength, valueLength),
            NormEpsilon = keys.NumberOr("attention.layer_norm_rms_epsilon", keys.NumberOr("attention.layer_norm_epsilon", 1e-5f)),
            Rope = RopeConfig.Read(keys, keyLength, contextLength),
            SlidingWindow = keys.Has("attention.sliding_window") ? window : null,
            WindowedLayers = Windows(keys, layers),
            AttentionSoftCap = keys.NumberOr("attn_logit_softcapping", 0),
            LogitSoftCap = keys.NumberOr("final_logit_softcapping", 0),
            AttentionScale = keys.PositiveNumber("attention.scale"),
            QkvClamp = keys.NumberOr("attention.clamp_kqv", 0),
            AlibiMaxBias = keys.NumberOr("attention.max_alibi_bias", 0),
            ParallelResidual = keys.Has("use_parallel_residual") ? file.Metadata.GetBool(keys.Key("use_parallel_residual")) : null,
            EmbeddingScale = keys.PositiveNumber("embedding_scale"),
            ResidualScale = keys.PositiveNumber("residual_scale"),
            LogitScale = keys.PositiveNumber("logit_scale"),
        };
        config.Latent?.Check(keys, config);
        return config;
    }

    /// <summary>Layers with a window in a repeating pattern: all of a period but its last one. A period of 1 has none, 0 has all.</summary>
    internal static bool[] PeriodicWindows(int layers, int period)
    {
        bool[] windowed = new bool[layers];
        for (int layer = 0; layer < layers; layer++) windowed[layer] = period == 0 || layer % period < period - 1;
        return windowed;
    }

    private static Pooling? PoolingOf(ConfigReader keys)
    {
        const string Suffix = "pooling_type";
        if (!keys.Has(Suffix)) return null;
        int value = keys.CountOr(Suffix, 0);
        return Enum.IsDefined((Pooling)value) ? (Pooling)value : throw keys.Error(Suffix, $"it holds {value}; expected 0 to {Enum.GetValues<Pooling>().Length - 1}");
    }

    private static bool[]? Windows(ConfigReader keys, int layers)
    {
        const string Suffix = "attention.sliding_window_pattern";
        if (keys.Metadata.FindEntry(keys.Key(Suffix)) is not { } entry) return null;
        if (entry.ElementType is null) return PeriodicWindows(layers, keys.CountOr(Suffix, 0));
        if (entry.ElementType != GgufValueType.Bool) return [.. keys.PerLayer(Suffix, layers, smallest: 0).Select(value => value != 0)];
        bool[] windowed = keys.Metadata.GetBoolArray(keys.Key(Suffix));
        return windowed.Length >= layers
            ? windowed[..layers]
            : throw keys.Error(Suffix, $"it has {windowed.Length} values; expected {layers}, one for each layer");
    }

    private static int HeadLength(ConfigReader keys, string suffix, int width, int heads)
    {
        if (keys.Has(suffix)) return keys.Positive(suffix);
        return width % heads == 0
            ? width / heads
            : throw keys.Error(suffix, $"the file does not have it, and {heads} heads do not divide the width {width}");
    }

    /// <summary>The rows of the embedding: the one place that every file agrees with itself.</summary>
    private static int Vocabulary(GgufFile file, int width)
    {
        const string Name = "token_embd.weight";
        if (!file.TryGetTensor(Name, out GgufTensor? table))
            throw new ModelFormatException(file.Path, $"tensor '{Name}'", $"the file does not have it; expected [{width}, vocabulary]");
        return table.Dimensions.Length == 2 && table.Dimensions[1] <= int.MaxValue
            ? (int)table.Dimensions[1]
            : throw new ModelFormatException(
                file.Path, $"tensor '{Name}'", $"its shape is [{string.Join(", ", table.Dimensions)}]; expected [{width}, vocabulary]");
    }
}
