using System.Buffers.Binary;

namespace Quern.GgufFuzz;

/// <summary>A sound file to damage, and where its fields begin.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Bytes">The whole file.</param>
/// <param name="Fields">Offsets of counts, types and lengths.</param>
public sealed record SeedImage(string Name, byte[] Bytes, int[] Fields);

/// <summary>Small files that together hold everything a header can hold.</summary>
public static class SeedImages
{
    public static IReadOnlyList<SeedImage> Make() =>
    [
        Image("every type", 3, EveryType),
        Image("version 2", 2, EveryType),
        Image("model", 3, Model),
        Image("alignment 64", 3, writer =>
        {
            writer.Set("general.alignment", 64u);
            Model(writer);
        }),
        Image("vocabulary", 3, Vocabulary),
        Image("many short strings", 3, writer => writer.Set("tokens", Enumerable.Range(0, 3000).Select(i => i % 3 == 0 ? "" : $"{(char)i}").ToArray())),
        Image("nested", 3, writer => writer.Set("nested", Nest(6))),
        Image("first of two", 3, writer =>
        {
            Model(writer);
            writer.Set("split.no", (ushort)0);
            writer.Set("split.count", (ushort)2);
            writer.Set("split.tensors.count", 6);
        }),
        Image("empty", 3, _ => { }),
    ];

    private static void EveryType(Gguf.GgufWriter writer)
    {
        object[] scalars = [(byte)1, (sbyte)-1, (ushort)2, (short)-2, 3u, -3, 1.5f, true, "text", 4ul, -4L, 2.5];
        for (int i = 0; i < scalars.Length; i++) writer.Set($"scalar.{i}", scalars[i]);
        object[] arrays =
        [
            new byte[] { 1, 2, 3 }, new sbyte[] { -1 }, new ushort[] { 1 }, new short[] { 1 }, new uint[] { 1, 2 }, new[] { -1, 1 }, new[] { 1f, 2f },
            new[] { true, false, true }, new[] { "a", "", "long string" }, new[] { 1ul }, new[] { 1L }, new[] { 1.0 }, new object[] { new[] { 1, 2 }, new[] { "x" } },
        ];
        for (int i = 0; i < arrays.Length; i++) writer.Set($"array.{i}", arrays[i]);
    }

    private static void Model(Gguf.GgufWriter writer)
    {
        writer.Set("general.architecture", "llama");
        writer.Set("llama.block_count", 2u);
        writer.Set("llama.attention.layer_norm_rms_epsilon", 1e-5f);
        writer.AddTensor("token_embd.weight", 8, [32, 4], new byte[4 * 34]);
        writer.AddTensor("blk.0.attn_q.weight", 12, [256, 2], new byte[2 * 144]);
        writer.AddTensor("blk.0.attn_norm.weight", 0, [32], new byte[128]);
        writer.AddTensor("blk.0.ffn_gate_exps.weight", 1, [8, 2, 3], new byte[96]);
        writer.AddTensor("rank.4", 24, [3, 1, 2, 1], new byte[6]);
        writer.AddTensor("output.weight", 30, [8, 3], new byte[48]);
    }

    private static void Vocabulary(Gguf.GgufWriter writer)
    {
        writer.Set("tokenizer.ggml.model", "gpt2");
        writer.Set("tokenizer.ggml.tokens", Enumerable.Range(0, 120).Select(i => $"token{i}").ToArray());
        writer.Set("tokenizer.ggml.scores", new float[120]);
        writer.Set("tokenizer.ggml.token_type", new int[120]);
        writer.Set("tokenizer.ggml.empty", Enumerable.Repeat("", 64).ToArray());
    }

    private static Array Nest(int depth) => depth == 0 ? new[] { 7 } : new object[] { Nest(depth - 1), Array.Empty<bool>() };

    private static SeedImage Image(string name, int version, Action<Gguf.GgufWriter> fill)
    {
        Gguf.GgufWriter writer = new();
        fill(writer);
        using MemoryStream stream = new();
        writer.Write(stream);
        byte[] bytes = stream.ToArray();
        List<int> fields = [4, 8, 16];
        // A file that names a split set opens only beside its parts: its fields are found while it does not say so.
        byte[] whole = (byte[])bytes.Clone();
        int split = whole.AsSpan().IndexOf("split.count"u8);
        if (split > 0) whole.AsSpan(split + "split.count".Length + 4, 2).Clear();
        using (Gguf.GgufFile file = Gguf.GgufFile.FromBytes(whole, name))
        {
            foreach (Gguf.GgufEntry entry in file.Metadata.Entries)
            {
                int offset = (int)entry.Offset;
                fields.AddRange([offset - 4 - entry.Key.Length - 8, offset - 4, offset, offset + 4, offset + 12]);
            }

            foreach (Gguf.GgufTensor tensor in file.Tensors)
            {
                int at = bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(tensor.Name));
                int rank = at + tensor.Name.Length;
                fields.AddRange([at - 8, rank, rank + 4, rank + 4 + (8 * tensor.Dimensions.Length), rank + 8 + (8 * tensor.Dimensions.Length)]);
            }
        }

        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), version);
        return new SeedImage(name, bytes, [.. fields.Where(field => field >= 0 && field < bytes.Length - 8)]);
    }
}
