using System.Diagnostics;

namespace Quern.Kernels.Cpu.Interleaved;

/// <summary>How the scales of an <see cref="InterleavedLayout"/> are written.</summary>
internal enum ScaleKind
{
    /// <summary>A binary16 number for each row and step.</summary>
    Half,

    /// <summary>A power of two for each row and step: the biased exponent of a binary32 number in one byte.</summary>
    Exponent,

    /// <summary>A signed byte for each row and step, times a binary16 number for each row and 256 columns.</summary>
    Super,
}

/// <summary>The floating-point numbers of an <see cref="InterleavedLayout"/> without codes.</summary>
internal enum FloatElement
{
    /// <summary>There are codes.</summary>
    None,

    /// <summary>binary32.</summary>
    Single,

    /// <summary>binary16.</summary>
    Half,

    /// <summary>bfloat16.</summary>
    Brain,
}

/// <summary>Some bits of the codes of a vector: <c>code |= ((stored[Source] >> From) &amp; (2^Bits − 1)) &lt;&lt; To</c>, byte by byte.</summary>
/// <param name="Source">Which stored vector.</param>
/// <param name="From">The lowest of these bits in the stored bytes.</param>
/// <param name="Bits">How many they are.</param>
/// <param name="To">The lowest of them in the codes.</param>
internal readonly record struct CodePiece(int Source, int From, int Bits, int To)
{
    /// <summary>Where the bits are in a code.</summary>
    public int Mask => ((1 << Bits) - 1) << To;
}

/// <summary>
/// How sixteen rows of a weight matrix lie together, so that a vector of sixteen 32-bit lanes holds a row in each lane and nothing is ever summed across
/// lanes: <c>w[r, k] = scale × (value(code) − offset) + minimum</c>.
/// <para>
/// A group of sixteen rows is a run of blocks; a block is a step of 32 columns or, with <see cref="ScaleKind.Super"/>, a header (binary16 d of the 16 rows and,
/// with minimums, their binary16 dmin) and eight steps. A step is, in this order: the scales of the 16 rows (twice with <see cref="PerSixteen"/>, for columns 0…15 and
/// 16…31), their minimums in the same form, and the codes. Columns are taken in fours: vector j holds columns 4j…4j+3, of row r in bytes 4r…4r+3. The codes of b bits of these eight vectors
/// are stored as b vectors: see <see cref="Pieces"/>.
/// </para>
/// <para>Floating-point formats have neither scales nor codes: a block is 32 columns, and a column the numbers of its 16 rows.</para>
/// </summary>
/// <param name="Name">The format's name.</param>
/// <param name="CodeBits">2, 3, 4, 5, 6 or 8.</param>
/// <param name="Scale">How scales are written.</param>
/// <param name="Offset">What is taken off every value.</param>
internal sealed record InterleavedLayout(string Name, int CodeBits, ScaleKind Scale, int Offset)
{
    /// <summary>Rows in a group.</summary>
    public const int Rows = 16;

    /// <summary>Columns in a step.</summary>
    public const int StepColumns = 32;

    /// <summary>Most tokens of one kernel call.</summary>
    public const int MaxTokens = 16;

    /// <summary>Most groups that one kernel call reads side by side.</summary>
    public const int MaxStreams = 4;

    private readonly nint[] _kernels = new nint[(MaxTokens + 1) * (MaxStreams + 1)];
    private readonly Lock _assembling = new();
    private readonly CodePiece[][] _pieces = CodeBits > 8 ? [] : [.. Enumerable.Range(0, 8).Select(vector => PiecesOf(CodeBits, vector))];
    private nint _tileDecoder, _columnDecoder;
    private int _prepared;

    /// <summary>A layout of floating-point numbers.</summary>
    public InterleavedLayout(string name, FloatElement element)
        : this(name, element == FloatElement.Single ? 32 : 16, ScaleKind.Half, 0) => Element = element;

    /// <summary>The numbers of a layout without codes.</summary>
    public FloatElement Element { get; }

    /// <summary>Whether scales (and minimums) are for 16 columns instead of 32.</summary>
    public bool PerSixteen { get; init; }

    /// <summary>Whether there are minimums.</summary>
    public bool HasMinimums { get; init; }

    /// <summary>[16] the unsigned byte that a code stands for, or null where a code is its value.</summary>
    public byte[]? Codebook { get; init; }

    /// <summary>The largest unsigned byte that a code stands for.</summary>
    public int LargestValue => Codebook?.Max() ?? (1 << CodeBits) - 1;

    /// <summary>Whether there are assembled kernels in this process.</summary>
    public static bool HasKernels => Isa.HasAvx512Vnni || Isa.HasAssembledAvx2;

    /// <summary>Scales of a row in a step.</summary>
    public int ScalesPerStep => PerSixteen ? 2 : 1;

    /// <summary>Bytes of one scale of all rows.</summary>
    public int ScaleBytes => Scale == ScaleKind.Half ? 2 * Rows : Rows;

    /// <summary>Where a step's minimums begin.</summary>
    public int MinimumsOffset => ScalesPerStep * ScaleBytes;

    /// <summary>Where a step's codes begin.</summary>
    public int CodesOffset => Element != FloatElement.None ? 0 : MinimumsOffset * (HasMinimums ? 2 : 1);

    /// <summary>Bytes of a step.</summary>
    public int StepBytes => CodesOffset + (64 * CodeBits);

    /// <summary>
    /// Where in the stored vectors the codes of a vector, 0 to 7, are. A stored byte holds as many whole codes as it has room for, those of vectors 0 to b − 1 in its lowest b bits, of b to 2b − 1 in the
    /// next ones. The other codes lie in pieces in the bits that are left, which are filled one byte after the other. (Fifth bits in masks of 64 took more instructions.)
    /// </summary>
    public CodePiece[] Pieces(int vector) => _pieces[vector];

    /// <summary>Bytes in front of a block's steps.</summary>
    public int HeaderBytes => Scale != ScaleKind.Super ? 0 : HasMinimums ? 4 * Rows : 2 * Rows;

    /// <summary>Steps in a block.</summary>
    public int StepsPerBlock => Scale == ScaleKind.Super ? 8 : 1;

    /// <summary>Columns in a block.</summary>
    public int BlockColumns => StepsPerBlock * StepColumns;

    /// <summary>Bytes of a block of sixteen rows.</summary>
    public int BlockBytes => HeaderBytes + (StepsPerBlock * StepBytes);

    /// <summary>Bytes of a token's activations for a step: a quantised block, or 32 numbers.</summary>
    public int ActivationBytes => Element != FloatElement.None ? StepColumns * sizeof(float) : InterleavedActivations.BlockBytes;

    /// <summary>Whether activations in the form that these kernels want are in the form that another layout's want.</summary>
    public bool SharesActivations(InterleavedLayout other) => Element != FloatElement.None
        ? other.Element != FloatElement.None
        : other.Element == FloatElement.None && (Offset, PerSixteen) == (other.Offset, other.PerSixteen);

    /// <summary>Columns whose activations of sixteen tokens stay in the first-level cache: the length of a pass over a group.</summary>
    public int PassColumns => Element != FloatElement.None ? 512 : 1024;

    /// <summary>Bytes of a group of sixteen rows.</summary>
    public long GroupBytes(int cols) => (long)(cols / BlockColumns) * BlockBytes;

    /// <summary>The groups read side by side for so many tokens: as many as the accumulators allow, because parallel streams are what memory likes.</summary>
    public static int StreamsFor(int tokens) => tokens <= 4 ? 4 : tokens <= 8 ? 2 : 1;

    /// <summary>The kernel for a number of tokens and streams, assembled when it is first asked for.</summary>
    public nint Kernel(int tokens, int streams)
    {
        Debug.Assert(tokens is >= 1 and <= MaxTokens && (streams == 1 || streams == StreamsFor(tokens)), "tokens × streams are accumulators");
        ref nint kernel = ref _kernels[(tokens * (MaxStreams + 1)) + streams];
        if (Volatile.Read(ref kernel) == 0)
        {
            lock (_assembling)
                if (kernel == 0) Volatile.Write(ref kernel, Assemble(tokens, streams));
        }

        return kernel;
    }

    /// <summary>The function that decodes a group to tiles (<see cref="Tiles.TileLayout"/>), assembled when it is first asked for.</summary>
    public nint TileDecoder() => Element != FloatElement.None ? Assembled.TileFloatKernel.Find(Element) : Decoder(ref _tileDecoder, whole: false);

    /// <summary>The function that decodes a group with codes to binary32 numbers, [columns, 16], assembled when it is first asked for.</summary>
    public nint ColumnDecoder() => Decoder(ref _columnDecoder, whole: true);

    /// <summary>Begins to assemble the kernels that every run needs, beside whatever else goes on: the first assembly of a process takes a tenth of a second.</summary>
    public void Prepare()
    {
        if (Interlocked.Exchange(ref _prepared, 1) != 0) return;
        ThreadPool.UnsafeQueueUserWorkItem(
            static layout =>
            {
                layout.Kernel(1, 1);
                layout.Kernel(1, StreamsFor(1));
                if (Isa.HasAmx) layout.TileDecoder();
                else layout.Kernel(MaxTokens, 1);
            },
            this, preferLocal: false);
    }

    private static CodePiece[] PiecesOf(int bits, int vector)
    {
        int whole = 8 / bits * bits, spare = 8 % bits;
        if (vector < whole) return [new(vector % bits, vector / bits * bits, bits, 0)];
        List<CodePiece> pieces = [];
        for (int to = 0, at = (vector - whole) * bits; to < bits;)
        {
            int count = Math.Min(spare - (at % spare), bits - to);
            pieces.Add(new(at / spare, 8 - spare + (at % spare), count, to));
            (to, at) = (to + count, at + count);
        }

        return [.. pieces];
    }

    private nint Decoder(ref nint decoder, bool whole)
    {
        if (Volatile.Read(ref decoder) == 0)
        {
            lock (_assembling)
                if (decoder == 0) Volatile.Write(ref decoder, Assembled.TileDecodeKernel.Assemble(this, whole));
        }

        return decoder;
    }

    private nint Assemble(int tokens, int streams)
    {
        if (Isa.HasAvx512Vnni) return Element != FloatElement.None ? Assembled.InterleavedFloatKernel.Assemble(this, tokens, streams) : Assembled.InterleavedKernel.Assemble(this, tokens, streams);
        return Element != FloatElement.None
            ? Assembled.InterleavedAvx2FloatKernel.Assemble(this, tokens, streams)
            : Assembled.InterleavedAvx2Kernel.Assemble(this, tokens, streams, Isa.HasAvxVnni ? Assembled.ByteProducts.AvxVnni : Assembled.ByteProducts.Pairs);
    }
}
