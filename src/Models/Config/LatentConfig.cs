namespace Quern.Models;

/// <summary>The sizes of an attention whose keys and values come from a short latent vector. Source: DeepSeek-AI 2024, arXiv 2405.04434, section 2.1.</summary>
public sealed record LatentConfig
{
    /// <summary>Values of the latent vector of keys and values.</summary>
    public required int Rank { get; init; }

    /// <summary>Values of the latent vector of queries; 0 where queries come from the residual stream.</summary>
    public int QueryRank { get; init; }

    /// <summary>Values in a head's key, with those that are turned and that all heads share.</summary>
    public required int KeyLength { get; init; }

    /// <summary>Values in a head's value.</summary>
    public required int ValueLength { get; init; }

    /// <summary>Whether the cache holds the latent vector itself, as the one key and value of all heads.</summary>
    public required bool IsAbsorbed { get; init; }

    internal static LatentConfig? Read(ConfigReader keys, int keyLength, int valueLength)
    {
        int rank = keys.CountOr("attention.kv_lora_rank", 0);
        if (rank == 0) return null;
        return new LatentConfig
        {
            Rank = rank,
            QueryRank = keys.CountOr("attention.q_lora_rank", 0),
            KeyLength = keys.PositiveOr("attention.key_length_mla", keyLength),
            ValueLength = keys.PositiveOr("attention.value_length_mla", valueLength),
            IsAbsorbed = keys.Has("attention.key_length_mla"),
        };
    }

    /// <summary>Checks that the parts of a head fit.</summary>
    internal void Check(ConfigReader keys, ModelConfig config)
    {
        int turned = config.Rope.Dimensions;
        if (turned >= KeyLength)
            throw keys.Error("rope.dimension_count", $"it holds {turned}; expected less than {KeyLength}, the length of a head's key");
        foreach (int heads in config.KvHeadCounts)
        {
            if (IsAbsorbed ? heads != 1 : heads != config.HeadCount)
                throw keys.Error("attention.head_count_kv", $"it holds {heads}; expected {(IsAbsorbed ? 1 : config.HeadCount)} with this form of latent attention");
        }

        if (!IsAbsorbed) return;
        if (config.KeyLength != Rank + turned) throw keys.Error("attention.key_length", $"it holds {config.KeyLength}; expected {Rank + turned}, the latent vector and what is turned");
        if (config.ValueLength != Rank) throw keys.Error("attention.value_length", $"it holds {config.ValueLength}; expected {Rank}, the latent vector");
    }
}
