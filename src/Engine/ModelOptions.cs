using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>How a model is loaded.</summary>
public sealed record ModelOptions
{
    /// <summary>Threads that compute, the caller's included; null for one a core.</summary>
    public int? Threads { get; init; }

    /// <summary>
    /// The processors that threads stay on, one for each thread, or null to leave that to the system. The first is for the calling thread, which is the program's own and is not moved. Weights are laid out by all threads, so
    /// where processors of several memory nodes are given, the nodes share them evenly.
    /// </summary>
    public IReadOnlyList<int>? Processors { get; init; }

    /// <summary>True to keep activations and products in binary32: slower, and equal to a reference to its last digits.</summary>
    public bool Exact { get; init; }

    /// <summary>
    /// True to compute prompts with weights and activations rounded to 8 bits, a scale for 256 values on either side, whatever format weights have: faster, and less exact by what
    /// <see cref="QuernModel.PromptError"/> says. Tokens that are generated are computed as without, and so are
    /// prompts of fewer than 32 tokens, and weights that are not copied because their format has no order of rows that kernels read: then <see cref="QuernModel.PromptError"/> stays null. Needs a processor with AVX-512 VNNI, and goes neither with <see cref="Exact"/> nor without
    /// <see cref="Repack"/> nor with a <see cref="Device"/>.
    /// </summary>
    public bool Int8Prompts { get; init; }

    /// <summary>
    /// Whether weights are copied into the order in which the fastest kernels read them, where this machine has such kernels. The copy replaces the mapped file in memory. Without it loading
    /// is immediate and several processes share the file's pages, but tokens and prompts are slower.
    /// </summary>
    public bool Repack { get; init; } = true;

    /// <summary>What computes instead of the processor or beside it; null for the processor alone.</summary>
    public ComputeDevice? Device { get; init; }

    /// <summary>
    /// The most tokens that one session holds; null for what the model was trained with, but no more than <see cref="DefaultContextLength"/>, because
    /// a context takes memory.
    /// </summary>
    public int? ContextLength { get; init; }

    /// <summary>
    /// Tokens that all sessions of the model together hold; null for one session's <see cref="ContextLength"/>, or as many of them as find room in the memory that weights leave. How many there
    /// are is in <see cref="QuernModel.CacheBytes"/> and <see cref="QuernModel.Warnings"/>.
    /// </summary>
    public int? CacheTokens { get; init; }

    /// <summary>The same as bytes of keys and values instead of tokens: whole pages of 32 tokens that fit. Null where <see cref="CacheTokens"/> says it.</summary>
    public long? CacheBytes { get; init; }

    /// <summary>Tokens of a prompt that are computed in one pass. More are faster and take more memory.</summary>
    public int BatchTokens { get; init; } = 512;

    /// <summary>How keys and values are stored; null for binary16, or binary32 with <see cref="Exact"/>. <see cref="ValueType"/> makes values differ from keys.</summary>
    public KvType? KvType { get; init; }

    /// <summary>How values are stored; null for the same as keys.</summary>
    public KvType? ValueType { get; init; }

    /// <summary>The pre-tokenizer instead of the one that the file names, or null.</summary>
    public string? PreTokenizer { get; init; }

    /// <summary>The context length where neither the caller nor the model asks for a smaller one.</summary>
    public const int DefaultContextLength = 4096;

    internal KvType EffectiveKvType => KvType ?? (Exact ? Kernels.Cpu.KvType.F32 : Kernels.Cpu.KvType.F16);

    internal KvType EffectiveValueType => ValueType ?? EffectiveKvType;

    /// <exception cref="ArgumentException">A number is not positive, or two of them say the same or do not go together.</exception>
    internal void Validate()
    {
        Positive(Threads, nameof(Threads));
        if (Processors is { } processors && processors.Count != (Threads ?? processors.Count))
            throw new ArgumentException($"{nameof(Processors)} has {processors.Count} for {Threads} threads; expected as many", nameof(Processors));
        if (Processors is { Count: 0 }) throw new ArgumentException($"{nameof(Processors)} is empty; expected at least one", nameof(Processors));
        Positive(ContextLength, nameof(ContextLength));
        Positive(CacheTokens, nameof(CacheTokens));
        Positive(BatchTokens, nameof(BatchTokens));
        if (CacheBytes is <= 0) throw new ArgumentOutOfRangeException(nameof(CacheBytes), CacheBytes, $"CacheBytes is {CacheBytes}; expected at least 1");
        string? with = !Int8Prompts ? null : Exact ? nameof(Exact) : !Repack ? $"{nameof(Repack)} = false" : Device is not null ? nameof(Device) : null;
        if (with is not null) throw new ArgumentException($"{nameof(Int8Prompts)} and {with} are both given; expected one of them", nameof(Int8Prompts));
        if (CacheBytes is not null && CacheTokens is not null) throw new ArgumentException("CacheTokens and CacheBytes are both given; expected one of them", nameof(CacheBytes));
    }

    private static void Positive(int? value, string name)
    {
        if (value is <= 0) throw new ArgumentOutOfRangeException(name, value, $"{name} is {value}; expected at least 1");
    }
}
