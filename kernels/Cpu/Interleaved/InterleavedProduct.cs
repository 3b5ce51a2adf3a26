using System.Diagnostics;

namespace Quern.Kernels.Cpu.Interleaved;

/// <summary>
/// A product <c>y[t, r] = Σ_k x[t, k] · w[r, k] + bias[r]</c> over interleaved rows, in groups of 16 rows. Up to 16 tokens read the weights once, several groups side by side. More tokens go
/// in groups of 16 over the same rows while those are in the second-level cache, and a pass of columns at a time, so that 16 tokens' activations stay in the first.
/// </summary>
internal unsafe struct InterleavedProduct : ITeamJob
{
    private const int GroupRows = InterleavedLayout.Rows, GroupTokens = InterleavedLayout.MaxTokens;

    /// <summary>First group.</summary>
    public byte* Weights;

    /// <summary>Bytes of a group.</summary>
    public long GroupBytes;

    /// <summary>Bytes of a block of sixteen rows.</summary>
    public int BlockBytes;

    /// <summary>Columns of a block.</summary>
    public int BlockColumns;

    /// <summary>Bytes of a token's activations for 32 columns.</summary>
    public int StepBytes;

    /// <summary>Columns of a pass.</summary>
    public int PassColumns;

    /// <summary>Outputs.</summary>
    public int Rows;

    /// <summary>Inputs.</summary>
    public int Cols;

    /// <summary>Number of tokens.</summary>
    public int Tokens;

    /// <summary>Activations in groups of 16 tokens: see <see cref="InterleavedActivations"/>.</summary>
    public byte* X;

    /// <summary>[rows] or null.</summary>
    public float* Bias;

    /// <summary>[tokens, rows].</summary>
    public float* Y;

    /// <summary>Values from a token's outputs to the next one's.</summary>
    public int YStride;

    /// <summary>Groups that <see cref="ManyStreams"/> reads side by side.</summary>
    public int Streams;

    /// <summary>The kernel for 16 tokens; unused where there are fewer.</summary>
    public delegate* unmanaged<KernelArguments*, void> Sixteen;

    /// <summary>The kernel for the last group of tokens.</summary>
    public delegate* unmanaged<KernelArguments*, void> Rest;

    /// <summary>The same over several streams, where all tokens are one group.</summary>
    public delegate* unmanaged<KernelArguments*, void> ManyStreams;

    /// <summary>Bytes of the activations of so many tokens.</summary>
    public static long ActivationBytes(InterleavedLayout layout, int cols, int tokens) => (long)(cols / InterleavedLayout.StepColumns) * tokens * layout.ActivationBytes;

    /// <summary>Takes the kernels for a number of tokens.</summary>
    public void Choose(InterleavedLayout layout, int tokens)
    {
        int rest = tokens <= GroupTokens ? tokens : tokens % GroupTokens;
        Streams = tokens <= GroupTokens ? InterleavedLayout.StreamsFor(tokens) : 1;
        (BlockBytes, BlockColumns, StepBytes, PassColumns, Tokens) = (layout.BlockBytes, layout.BlockColumns, layout.ActivationBytes, layout.PassColumns, tokens);
        if (tokens >= GroupTokens) Sixteen = (delegate* unmanaged<KernelArguments*, void>)layout.Kernel(GroupTokens, 1);
        Rest = rest == 0 ? Sixteen : (delegate* unmanaged<KernelArguments*, void>)layout.Kernel(rest, 1);
        if (Streams > 1) ManyStreams = (delegate* unmanaged<KernelArguments*, void>)layout.Kernel(rest, Streams);
    }

    public readonly void Run(int from, int to, int worker)
    {
        int whole = to * GroupRows <= Rows ? to : to - 1;
        Begin(from * GroupRows, Math.Min(to * GroupRows, Rows));
        if (Tokens <= GroupTokens) Few(from, whole);
        else Many(from, whole);
        if (whole < to) Ragged(whole);
    }

    private readonly void Begin(int from, int to)
    {
        for (int t = 0; t < Tokens; t++)
        {
            Span<float> y = new(Y + ((long)t * YStride) + from, to - from);
            if (Bias == null) y.Clear();
            else new ReadOnlySpan<float>(Bias + from, to - from).CopyTo(y);
        }
    }

    private readonly void Few(int from, int to)
    {
        int streamed = ManyStreams == null ? 0 : (to - from) / Streams;
        KernelArguments arguments = Arguments(0, 0, Cols);
        (arguments.StreamBytes, arguments.YStreamBytes) = (streamed * GroupBytes, (long)streamed * GroupRows * sizeof(float));
        for (int group = from; group < from + streamed; group++)
        {
            Move(ref arguments, group);
            ManyStreams(&arguments);
        }

        for (int group = from + (streamed * Streams); group < to; group++)
        {
            Move(ref arguments, group);
            Rest(&arguments);
        }
    }

    private readonly void Many(int from, int to)
    {
        for (int k = 0; k < Cols; k += PassColumns)
            for (int token = 0; token < Tokens; token += GroupTokens)
            {
                KernelArguments arguments = Arguments(token, k, Math.Min(PassColumns, Cols - k));
                delegate* unmanaged<KernelArguments*, void> kernel = Tokens - token >= GroupTokens ? Sixteen : Rest;
                for (int group = from; group < to; group++)
                {
                    Move(ref arguments, group);
                    arguments.Weights += (long)(k / BlockColumns) * BlockBytes;
                    arguments.Y += (long)token * YStride;
                    kernel(&arguments);
                }
            }
    }

    // The last group when it has fewer than 16 rows: the kernel writes 16 outputs a token, so they go through memory of our own.
    private readonly void Ragged(int group)
    {
        float* outputs = stackalloc float[GroupTokens * GroupRows];
        int rows = Rows - (group * GroupRows);
        for (int token = 0; token < Tokens; token += GroupTokens)
        {
            int count = Math.Min(GroupTokens, Tokens - token);
            KernelArguments arguments = Arguments(token, 0, Cols);
            arguments.Weights = Weights + (group * GroupBytes);
            arguments.Y = outputs;
            arguments.YTokenBytes = GroupRows * sizeof(float);
            new Span<float>(outputs, GroupTokens * GroupRows).Clear();
            (count == GroupTokens ? Sixteen : Rest)(&arguments);
            for (int t = 0; t < count; t++)
            {
                float* y = Y + ((long)(token + t) * YStride) + (group * GroupRows);
                for (int r = 0; r < rows; r++) y[r] += outputs[(t * GroupRows) + r];
            }
        }
    }

    private readonly KernelArguments Arguments(int token, int column, int columns)
    {
        Debug.Assert(token % GroupTokens == 0 && column % BlockColumns == 0 && columns % BlockColumns == 0, "groups of tokens and whole blocks");
        int count = Math.Min(GroupTokens, Tokens - token);
        return new KernelArguments
        {
            Activations = X + (((((long)Cols * token) + ((long)column * count)) / InterleavedLayout.StepColumns) * StepBytes),
            Blocks = columns / BlockColumns,
            YTokenBytes = (long)YStride * sizeof(float),
        };
    }

    private readonly void Move(ref KernelArguments arguments, int group)
    {
        arguments.Weights = Weights + (group * GroupBytes);
        arguments.Y = Y + (group * GroupRows);
    }
}

/// <summary>Several products of the same tokens; an item is a group of rows of one of them, in their order.</summary>
/// <param name="products">[count] They outlive the job.</param>
/// <param name="count">How many.</param>
internal readonly unsafe struct InterleavedProducts(InterleavedProduct* products, int count) : ITeamJob
{
    private readonly InterleavedProduct* _products = products;
    private readonly int _count = count;

    public void Run(int from, int to, int worker)
    {
        for (int i = 0; i < _count && to > 0; i++)
        {
            int groups = (_products[i].Rows + InterleavedLayout.Rows - 1) / InterleavedLayout.Rows;
            if (from < groups) _products[i].Run(from, Math.Min(to, groups), worker);
            (from, to) = (Math.Max(0, from - groups), to - groups);
        }
    }
}
