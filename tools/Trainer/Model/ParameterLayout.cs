namespace Quern.Trainer.Model;

/// <summary>A tensor of the model.</summary>
/// <param name="Name">As GGUF names it.</param>
/// <param name="Offset">Its first value among all parameters.</param>
/// <param name="Rows">Rows; 0 for a vector.</param>
/// <param name="Cols">Values in a row.</param>
/// <param name="Deviation">Of its first random values; 0 for gains, which begin as 1.</param>
internal sealed record ParameterTensor(string Name, long Offset, int Rows, int Cols, double Deviation)
{
    /// <summary>Number of values.</summary>
    public int Count => Math.Max(1, Rows) * Cols;

    /// <summary>Whether it is a matrix: weight decay is for matrices.</summary>
    public bool IsMatrix => Rows != 0;
}

/// <summary>
/// All parameters of a model behind one another, so that an optimiser sees one array. Q, K and V of a layer are neighbours and so are gate and up: each group is one
/// product.
/// </summary>
internal sealed class ParameterLayout
{
    private readonly List<ParameterTensor> _tensors = [];

    public ParameterLayout(LlamaShape shape)
    {
        // Nguyen and Salazar 2019, arXiv 1910.05895, and for what is added to the stream Wang and Komatsuzaki 2021 (GPT-J): smaller the deeper.
        double usual = Math.Sqrt(2 / (5.0 * shape.Width)), branch = 2 / (shape.Layers * Math.Sqrt(shape.Width));
        branch = Math.Min(usual, branch);
        int kv = shape.KvHeads * shape.HeadLength;
        Embedding = Add("token_embd.weight", shape.Vocabulary, shape.Width, usual);
        Layers = [.. Enumerable.Range(0, shape.Layers).Select(i => $"blk.{i}.").Select(b => new LayerParameters(
            Add(b + "attn_norm.weight", 0, shape.Width, 0),
            Add(b + "attn_q.weight", shape.Heads * shape.HeadLength, shape.Width, usual),
            Add(b + "attn_k.weight", kv, shape.Width, usual),
            Add(b + "attn_v.weight", kv, shape.Width, usual),
            Add(b + "attn_output.weight", shape.Width, shape.Heads * shape.HeadLength, branch),
            Add(b + "ffn_norm.weight", 0, shape.Width, 0),
            Add(b + "ffn_gate.weight", shape.Hidden, shape.Width, usual),
            Add(b + "ffn_up.weight", shape.Hidden, shape.Width, usual),
            Add(b + "ffn_down.weight", shape.Width, shape.Hidden, branch)))];
        OutputNorm = Add("output_norm.weight", 0, shape.Width, 0);
        Output = shape.TiedOutput ? Embedding : Add("output.weight", shape.Vocabulary, shape.Width, usual);
    }

    /// <summary>Every tensor once, in the order of the parameters.</summary>
    public IReadOnlyList<ParameterTensor> Tensors => _tensors;

    /// <summary>Number of parameters.</summary>
    public long Count { get; private set; }

    public ParameterTensor Embedding { get; }

    public IReadOnlyList<LayerParameters> Layers { get; }

    public ParameterTensor OutputNorm { get; }

    /// <summary>The output matrix; the same as <see cref="Embedding"/> where they are tied.</summary>
    public ParameterTensor Output { get; }

    private ParameterTensor Add(string name, int rows, int cols, double deviation)
    {
        ParameterTensor tensor = new(name, Count, rows, cols, deviation);
        _tensors.Add(tensor);
        Count += tensor.Count;
        return tensor;
    }
}

/// <summary>The tensors of one layer.</summary>
internal sealed record LayerParameters(
    ParameterTensor AttentionNorm, ParameterTensor Query, ParameterTensor Key, ParameterTensor Value, ParameterTensor AttentionOutput,
    ParameterTensor FeedForwardNorm, ParameterTensor Gate, ParameterTensor Up, ParameterTensor Down);
