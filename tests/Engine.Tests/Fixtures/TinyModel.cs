using System.Runtime.InteropServices;
using Quern.Gguf;

namespace Quern.Engine.Tests;

/// <summary>
/// A model of two small blocks with random weights and a tokenizer of bytes and some words, made by the test: it says nothing sensible, but always
/// the same. Kept in a file of its own that goes away with the object.
/// </summary>
public sealed class TinyModel : IDisposable
{
    public const int VocabularySize = 275;
    public const int TrainedContext = 96;
    public const int Eos = 2;

    private static readonly string[] Words =
        ["▁", "a", "e", "n", "t", "▁a", "he", "▁the", "nd", "▁and", "on", "ce", "▁on", "▁once", "re"];

    private readonly Random _random = new(5);
    private readonly Random _noise = new(6);
    private readonly float _noiseSize;

    /// <param name="width">Values of a token; heads have a quarter.</param>
    /// <param name="hidden">Values of the hidden layer.</param>
    /// <param name="padding">Rows of the embeddings and of the output behind the last token.</param>
    /// <param name="noise">How far every weight is moved at random, as a share of the size of its matrix: a model that resembles the one without.</param>
    /// <param name="eos">The token that ends a text.</param>
    /// <param name="addBos">Whether a text begins with a token for that.</param>
    /// <param name="lastWord">The last token.</param>
    public TinyModel(int width = 64, int hidden = 96, int padding = 0, float noise = 0, int eos = Eos, bool addBos = true, string lastWord = "er")
    {
        _noiseSize = noise;
        Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"quern-tiny-{Guid.NewGuid():N}.gguf");
        GgufWriter writer = new();
        Metadata(writer, width, hidden, eos, addBos, lastWord);
        Matrix(writer, "token_embd.weight", width, VocabularySize + padding, 1);
        for (int block = 0; block < 2; block++)
        {
            string name = $"blk.{block}";
            Vector(writer, $"{name}.attn_norm.weight", width);
            Matrix(writer, $"{name}.attn_q.weight", width, width, 0.2f);
            Matrix(writer, $"{name}.attn_k.weight", width, width / 2, 0.2f);
            Matrix(writer, $"{name}.attn_v.weight", width, width / 2, 0.2f);
            Matrix(writer, $"{name}.attn_output.weight", width, width, 0.2f);
            Vector(writer, $"{name}.ffn_norm.weight", width);
            Matrix(writer, $"{name}.ffn_gate.weight", width, hidden, 0.2f);
            Matrix(writer, $"{name}.ffn_up.weight", width, hidden, 0.2f);
            Matrix(writer, $"{name}.ffn_down.weight", hidden, width, 0.2f);
        }

        Vector(writer, "output_norm.weight", width);
        Matrix(writer, "output.weight", width, VocabularySize + padding, 0.3f);
        writer.Write(Path);
    }

    public string Path { get; }

    public void Dispose() => File.Delete(Path);

    private static void Metadata(GgufWriter writer, int width, int hidden, int eos, bool addBos, string lastWord)
    {
        writer.Set("general.architecture", "llama");
        writer.Set("general.name", "tiny");
        writer.Set("general.file_type", 0u);
        writer.Set("llama.context_length", (uint)TrainedContext);
        writer.Set("llama.embedding_length", (uint)width);
        writer.Set("llama.block_count", 2u);
        writer.Set("llama.feed_forward_length", (uint)hidden);
        writer.Set("llama.attention.head_count", 4u);
        writer.Set("llama.attention.head_count_kv", 2u);
        writer.Set("llama.rope.dimension_count", (uint)(width / 4));
        writer.Set("llama.attention.layer_norm_rms_epsilon", 1e-5f);
        string[] tokens = ["<unk>", "<s>", "</s>", .. Enumerable.Range(0, 256).Select(b => $"<0x{b:X2}>"), .. Words, lastWord];
        writer.Set("tokenizer.ggml.model", "llama");
        writer.Set("tokenizer.ggml.tokens", tokens);
        writer.Set("tokenizer.ggml.scores", tokens.Select((_, i) => i < 259 ? 0f : -i).ToArray());
        writer.Set("tokenizer.ggml.token_type", tokens.Select((_, i) => i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1).ToArray());
        writer.Set("tokenizer.ggml.bos_token_id", 1u);
        writer.Set("tokenizer.ggml.eos_token_id", (uint)eos);
        writer.Set("tokenizer.ggml.unknown_token_id", 0u);
        writer.Set("tokenizer.ggml.add_bos_token", addBos);
    }

    private void Vector(GgufWriter writer, string name, int length) => Tensor(writer, name, [length], 1, 0.1f);

    private void Matrix(GgufWriter writer, string name, int cols, int rows, float size) => Tensor(writer, name, [cols, rows], 0, size);

    private void Tensor(GgufWriter writer, string name, long[] dimensions, float mean, float size)
    {
        float[] values = new float[dimensions.Aggregate(1L, (a, b) => a * b)];
        for (int i = 0; i < values.Length; i++)
            values[i] = mean + (size * (float)((2 * _random.NextDouble()) - 1)) + (_noiseSize * size * (float)((2 * _noise.NextDouble()) - 1));
        writer.AddTensor(name, 0, dimensions, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
    }
}
