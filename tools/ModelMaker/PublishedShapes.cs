namespace Quern.ModelMaker;

/// <summary>The dimensions of a published model.</summary>
/// <param name="Name">Name on the command line.</param>
/// <param name="Architecture">As <c>general.architecture</c> names it.</param>
/// <param name="Width">Values in a token's vector.</param>
/// <param name="Layers">Blocks.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Heads with their own K and V.</param>
/// <param name="HeadLength">Values in a head.</param>
/// <param name="Hidden">Width of the feed-forward layer.</param>
/// <param name="Vocabulary">Number of tokens.</param>
/// <param name="Context">Trained context length.</param>
/// <param name="RopeBase">Base of the rotary frequencies.</param>
/// <param name="TiedOutput">Whether the embeddings are the output matrix.</param>
/// <param name="QkvBias">Whether Q, K and V have biases.</param>
/// <param name="RopeFactors">Whether the file has Llama 3's frequency divisors.</param>
/// <param name="PreTokenizer">As <c>tokenizer.ggml.pre</c> names it.</param>
internal sealed record PublishedShape(
    string Name, string Architecture, int Width, int Layers, int Heads, int KvHeads, int HeadLength, int Hidden, int Vocabulary, int Context,
    float RopeBase, bool TiedOutput, bool QkvBias, bool RopeFactors, string PreTokenizer);

/// <summary>Shapes that benchmarks use. Source: the models' published config.json files.</summary>
internal static class PublishedShapes
{
    public static IReadOnlyList<PublishedShape> All { get; } =
    [
        new("Llama-3.2-1B", "llama", 2048, 16, 32, 8, 64, 8192, 128_256, 131_072, 500_000, true, false, true, "llama-bpe"),
        new("Llama-3.2-3B", "llama", 3072, 28, 24, 8, 128, 8192, 128_256, 131_072, 500_000, true, false, true, "llama-bpe"),
        new("Llama-3-8B", "llama", 4096, 32, 32, 8, 128, 14_336, 128_256, 8192, 500_000, false, false, false, "llama-bpe"),
        new("Qwen2.5-0.5B", "qwen2", 896, 24, 14, 2, 64, 4864, 151_936, 32_768, 1_000_000, true, true, false, "qwen2"),
        new("Qwen2.5-1.5B", "qwen2", 1536, 28, 12, 2, 128, 8960, 151_936, 32_768, 1_000_000, true, true, false, "qwen2"),
        new("SmolLM2-135M", "llama", 576, 30, 9, 3, 64, 1536, 49_152, 8192, 100_000, true, false, false, "smollm"),
        new("Tiny", "llama", 256, 2, 4, 2, 64, 512, 1024, 2048, 10_000, true, false, false, "llama-bpe"),
    ];
}
