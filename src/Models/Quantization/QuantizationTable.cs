namespace Quern.Models.Quantization;

/// <summary>
/// The mixes, smallest first. Source of names, numbers and rules: llama.cpp, <c>include/llama.h</c> (<c>llama_ftype</c>) and
/// <c>src/llama-quant.cpp</c>, without an importance matrix.
/// </summary>
public static class QuantizationTable
{
    /// <summary>Every mix.</summary>
    public static IReadOnlyList<QuantizationMix> All { get; } =
    [
        new("Q2_K_S", 21, "Q2_K", "Q2_K - Small", Q2KSmall),
        new("Q2_K", 10, "Q2_K", "Q2_K - Medium", Q2K),
        new("Q3_K_S", 11, "Q3_K", "Q3_K - Small", Q3KSmall),
        new("Q3_K_M", 12, "Q3_K", "Q3_K - Medium", Q3KMedium),
        new("Q3_K_L", 13, "Q3_K", "Q3_K - Large", Q3KLarge),
        new("IQ4_XS", 30, "IQ4_XS", "IQ4_XS - 4.25 bpw", Iq4),
        new("IQ4_NL", 25, "IQ4_NL", "IQ4_NL - 4.5 bpw", Iq4),
        new("Q4_0", 2, "Q4_0", "Q4_0", Plain),
        new("Q4_1", 3, "Q4_1", "Q4_1", Plain),
        new("Q4_K_S", 14, "Q4_K", "Q4_K - Small", Q4KSmall),
        new("Q4_K_M", 15, "Q4_K", "Q4_K - Medium", Q4KMedium),
        new("Q5_0", 8, "Q5_0", "Q5_0", Plain),
        new("Q5_1", 9, "Q5_1", "Q5_1", Plain),
        new("Q5_K_S", 16, "Q5_K", "Q5_K - Small", Plain),
        new("Q5_K_M", 17, "Q5_K", "Q5_K - Medium", Q5KMedium),
        new("Q6_K", 18, "Q6_K", "Q6_K", Plain),
        new("Q8_0", 7, "Q8_0", "Q8_0", Plain),
        new("F16", 1, "F16", "F16"),
        new("BF16", 32, "BF16", "BF16"),
        new("F32", 0, "F32", "all F32"),
    ];

    // llama.cpp's short names.
    private static readonly (string Alias, string Name)[] Aliases = [("Q3_K", "Q3_K_M"), ("Q4_K", "Q4_K_M"), ("Q5_K", "Q5_K_M")];

    /// <summary>The mix with a name (any case), or null. <c>Q3_K</c>, <c>Q4_K</c> and <c>Q5_K</c> are the <c>_M</c> mixes, as everywhere.</summary>
    public static QuantizationMix? Find(string name)
    {
        foreach ((string alias, string meant) in Aliases)
            if (string.Equals(alias, name, StringComparison.OrdinalIgnoreCase)) name = meant;
        return All.FirstOrDefault(mix => string.Equals(mix.Name, name, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The mix with a number of <c>general.file_type</c>, or null.</summary>
    public static QuantizationMix? Find(int fileType) => All.FirstOrDefault(mix => mix.FileType == fileType);

    // Where no rule of a mix speaks: with eight experts, attention is a small part of the model and gets Q8_0; in 80 blocks with
    // shared V, V is.
    private static string? Attention(TensorPlace place, string type)
    {
        if (place.Shape.Experts == 8 && (place.HoldsValues || place.Role == TensorRole.AttentionK)) return "Q8_0";
        if (place.HoldsValues && place.Shape.HasTinyValues && type is "Q3_K" or "Q4_K") return "Q5_K";
        return null;
    }

    private static string? Plain(TensorPlace place) => Attention(place, "");

    private static string? Q2KSmall(TensorPlace place)
    {
        string? type = place.HoldsValues ? (place.Shape.HeadsPerKvHead >= 4 ? "Q4_K" : null)
            : place.Role == TensorRole.FfnDown && place.IsEarly(8) ? "Q4_K"
            : null;
        return Attention(place, type ?? "Q2_K") ?? type;
    }

    private static string? Q2K(TensorPlace place)
    {
        string? type = place.HoldsValues ? (place.Shape.HeadsPerKvHead >= 4 ? "Q4_K" : "Q3_K")
            : place.Role == TensorRole.FfnDown ? "Q3_K"
            : place.Role == TensorRole.AttentionOutput ? AfterAttention(place, "Q3_K", withEightExperts: "Q5_K")
            : null;
        return Attention(place, type ?? "Q2_K") ?? type;
    }

    private static string? Q3KSmall(TensorPlace place) =>
        Attention(place, "Q3_K") ?? (place.Role == TensorRole.AttentionOutput ? AfterAttention(place, null, withEightExperts: "Q5_K") : null);

    private static string? Q3KMedium(TensorPlace place)
    {
        // The order of these lines is the rules' own: a fused QKV counts as V and never reaches the line for fused weights.
        string? type = place.HoldsValues ? (place.Index < 2 ? "Q5_K" : "Q4_K")
            : place.Role == TensorRole.FfnDown ? (place.IsEarly(16) ? "Q5_K" : !place.Shape.HasOwnMix || place.WantsMoreBits ? "Q4_K" : null)
            : place.Role == TensorRole.AttentionOutput ? AfterAttention(place, "Q4_K", withEightExperts: "Q5_K")
            : null;
        return Attention(place, type ?? "Q3_K") ?? type;
    }

    private static string? Q3KLarge(TensorPlace place)
    {
        string? type = place.HoldsValues ? "Q5_K"
            : place.Role == TensorRole.FfnDown ? (place.Shape.HasOwnMix ? "Q4_K" : "Q5_K")
            : place.Role == TensorRole.AttentionOutput ? (place.Shape.HasOwnMix ? "Q4_K" : AfterAttention(place, "Q5_K", withEightExperts: null))
            : null;
        return Attention(place, type ?? "Q3_K") ?? type;
    }

    private static string? Iq4(TensorPlace place)
    {
        string? type = place.HoldsValues ? (place.Shape.HeadsPerKvHead >= 4 ? "Q5_K" : null)
            : place.Role == TensorRole.FfnDown && place.IsEarly(8) ? "Q5_K"
            : place.Role == TensorRole.AttentionOutput ? AfterAttention(place, null, withEightExperts: "Q5_K")
            : null;
        return Attention(place, type ?? "") ?? type;
    }

    private static string? Q4KSmall(TensorPlace place)
    {
        string? type = place.HoldsValues ? (place.Index < 4 ? "Q5_K" : null)
            : place.Role == TensorRole.FfnDown && !place.Shape.HasOwnMix && place.IsEarly(8) ? "Q5_K"
            : place.Role == TensorRole.AttentionOutput ? AfterAttention(place, null, withEightExperts: "Q5_K")
            : null;
        return Attention(place, type ?? "Q4_K") ?? type;
    }

    private static string? Q4KMedium(TensorPlace place)
    {
        string? type = place.HoldsValues ? (place.WantsMoreBits ? "Q6_K" : null)
            : place.Role == TensorRole.FfnDown && place.Shape.HasOwnMix ? (place.IsEarly(16) ? "Q6_K" : place.WantsMoreBits ? "Q5_K" : null)
            : place.Role == TensorRole.FfnDown ? (place.WantsMoreBits ? "Q6_K" : null)
            : place.Role == TensorRole.AttentionOutput ? AfterAttention(place, null, withEightExperts: "Q5_K")
            : null;
        return Attention(place, type ?? "Q4_K") ?? type;
    }

    private static string? Q5KMedium(TensorPlace place)
    {
        bool more = (place.HoldsValues || place.Role == TensorRole.FfnDown) && place.WantsMoreBits;
        return Attention(place, "") ?? (more ? "Q6_K" : null);
    }

    private static string? AfterAttention(TensorPlace place, string? type, string? withEightExperts) =>
        place.Shape.HasOwnMix ? null : place.Shape.Experts == 8 ? withEightExperts : type;
}
