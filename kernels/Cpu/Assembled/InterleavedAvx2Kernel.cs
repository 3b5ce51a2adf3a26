using Iced.Intel;
using Quern.Kernels.Cpu.Interleaved;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>How an <see cref="InterleavedAvx2Kernel"/> multiplies bytes.</summary>
internal enum ByteProducts
{
    /// <summary>VPMADDUBSW, to sums of 16 bits.</summary>
    Pairs,

    /// <summary>VPDPBUSD of AVX-VNNI, to sums of 32 bits.</summary>
    AvxVnni,

    /// <summary>The same instruction as AVX-512 VNNI codes it; there, kernels of 512 bits are faster, but these can be tried.</summary>
    Avx512Vnni,
}

/// <summary>
/// Assembles the product of interleaved rows with a few tokens, for AVX2, FMA and F16C: what <see cref="InterleavedKernel"/> does, over the same bytes, with the same bits as results.
/// A vector is half of the layout's: eight rows, one 32-bit lane a row.
/// <para>
/// VPMADDUBSW multiplies unsigned codes with four activations that the load repeats eight times and adds pairs in 16 bits; as many of those are added in 16 bits as cannot overflow
/// (<see cref="Additions"/>: all 32 columns of 4-bit codes), then VPMADDWD by ones widens them. Values of eight bits, of which not even one pair fits, become words, those of even columns and
/// those of odd ones, and so do activations: VPMADDWD multiplies them. With few tokens they are signed bytes instead, whose magnitudes are multiplied with activations that take their signs: unpacking
/// counts most there. (With many tokens that was slower, and two planes of four bits with any.) With VPDPBUSD none of this is needed.
/// </para>
/// <para>
/// Sixteen vectors are too few for the outputs, which lie in the frame on the stack, as do a step's scales and, where tokens take several turns, its unpacked codes. Registers: ymm0–11 sums of
/// up to six tokens, 12 and 13 codes, 14 and 15 activations and products.
/// </para>
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, VPMADDUBSW, VPMADDWD, VPDPBUSD.
/// </summary>
internal sealed class InterleavedAvx2Kernel
{
    private const int Half = 32, Line = 64, Vectors = 8, TokensOfPart = 6, Largest = 127, PrefetchBytes = 2048;
    private const int Magnitudes = 10, Codes = 12, Activations = 14, Product = 15;

    // What is taken off codes that are signed bytes, and the most tokens whose sums leave registers for magnitudes.
    private const int SignedOffset = 128, SignedTokens = 5;
    private static readonly AssemblerRegister64[] Streams = [rdx, r8, r9, r10];

    private readonly InterleavedLayout _layout;
    private readonly ByteProducts _products;
    private readonly int _tokens, _streams, _parts, _planes, _ones, _scales, _wide, _words, _codes, _constants, _frameBytes;
    private readonly bool _isSigned;
    private readonly KernelAssembler _kernel = new();
    private readonly Avx2StepReader _reader;

    private InterleavedAvx2Kernel(InterleavedLayout layout, int tokens, int streams, ByteProducts products)
    {
        (_layout, _tokens, _streams, _products) = (layout, tokens, streams, products);
        Asm.PreferVex = products != ByteProducts.Avx512Vnni;
        _parts = (tokens + TokensOfPart - 1) / TokensOfPart;
        _isSigned = products == ByteProducts.Pairs && layout.Offset == SignedOffset && tokens <= SignedTokens;
        _planes = products == ByteProducts.Pairs && !_isSigned ? Planes(layout) : 1;
        _ones = tokens * streams * Line;
        _scales = _ones + Line;
        _wide = _scales + (2 * layout.ScalesPerStep * Line);
        _words = _wide + (_planes == 2 ? 0 : TokensOfPart * Line);
        _codes = _words + (_planes == 2 ? tokens * Line : 0);
        _constants = _codes + (_parts == 1 ? 0 : _planes * Vectors * Line);
        _frameBytes = (_constants + Avx2StepReader.FrameBytes + Line - 1) & -Line;
        _reader = new Avx2StepReader(_kernel, layout, hasWords: _planes == 2, _isSigned, _constants);
    }

    private Assembler Asm => _kernel.Asm;

    /// <summary>Of how many kinds a step's vectors are: bytes, or words of even and of odd columns where a pair of products of bytes would not fit 16 bits.</summary>
    public static int Planes(InterleavedLayout layout) => Additions(layout) > 0 ? 1 : 2;

    /// <summary>How many pairs of products, of the largest value and the largest activation, fit 16 bits together.</summary>
    public static int Additions(InterleavedLayout layout) => short.MaxValue / (2 * Largest * layout.LargestValue);

    /// <summary>The address of a function that takes <see cref="KernelArguments"/> by address; it stays as long as the process.</summary>
    public static nint Assemble(InterleavedLayout layout, int tokens, int streams, ByteProducts products) =>
        ExecutableMemory.Keep(new InterleavedAvx2Kernel(layout, tokens, streams, products).Write());

    private byte[] Write()
    {
        _kernel.Begin();
        _kernel.EnterFrame(_frameBytes);
        _reader.PlaceConstants();
        Asm.vpbroadcastd(Y(0), _kernel.Lane(0x00010001));
        Asm.vmovdqa(Frame(_ones), Y(0));
        _kernel.Clear(0);
        for (int at = 0; at < _ones; at += Half) Asm.vmovdqa(Frame(at), Y(0));
        _kernel.LoadStreams(Streams.AsSpan(0, _streams));
        _kernel.Load(rax, 16);
        _kernel.Load(rcx, 24);
        _kernel.Repeat(rcx, () => StepReader.Block(_kernel, _layout, Streams.AsSpan(0, _streams), Step));
        _kernel.AddOutputsOfFrame(_tokens, _streams);
        _kernel.LeaveFrame();
        _kernel.End();
        return _kernel.ToBytes();
    }

    private void Step()
    {
        if (_planes == 2) PlaceWords();
        for (int s = 0; s < _streams; s++)
        {
            if (_streams > 1)
                for (int line = 0; line < _layout.StepBytes; line += 64) Asm.prefetcht0(__byte_ptr[Streams[s] + PrefetchBytes + line]);
            PlaceScales(Streams[s]);
            if (_parts > 1) PlaceCodes(Streams[s]);
            for (int part = 0; part < _parts; part++)
            {
                int token = _tokens * part / _parts, count = (_tokens * (part + 1) / _parts) - token;
                for (int sixteen = 0; sixteen < _layout.ScalesPerStep; sixteen++)
                {
                    Multiply(s, token, count, sixteen);
                    AddToOutputs(s, token, count, sixteen);
                }
            }
        }

        for (int s = 0; s < _streams; s++) Asm.add(Streams[s], _layout.StepBytes);
        Asm.add(rax, _tokens * InterleavedActivations.BlockBytes);
    }

    // Every token's 32 activations as words: even columns, then odd ones.
    private void PlaceWords()
    {
        for (int t = 0; t < _tokens; t++)
        {
            Asm.vmovdqu(Y(t % 4), __ymmword_ptr[rax + (t * InterleavedActivations.BlockBytes)]);
            Asm.vpsllw(Y(4 + (t % 4)), Y(t % 4), 8);
            for (int plane = 0; plane < 2; plane++)
            {
                int words = (t % 4) + (4 * (1 - plane));
                Asm.vpsraw(Y(words), Y(words), 8);
                Asm.vmovdqa(Frame(_words + (t * Line) + (plane * Half)), Y(words));
            }
        }
    }

    private void PlaceScales(AssemblerRegister64 step)
    {
        for (int i = 0; i < _layout.ScalesPerStep * (_layout.HasMinimums ? 2 : 1); i++)
            for (int half = 0; half < 2; half++)
            {
                _reader.LoadScale(half, step, i * _layout.ScaleBytes, i < _layout.ScalesPerStep ? 0 : 2 * InterleavedLayout.Rows, half);
                Asm.vmovaps(Frame(_scales + (i * Line) + (half * Half)), Y(half));
            }
    }

    // Those of many pieces first: the others are there sooner.
    private void PlaceCodes(AssemblerRegister64 step)
    {
        int[] order = [.. Enumerable.Range(0, Vectors).OrderByDescending(vector => _layout.Pieces(vector).Length)];
        for (int plane = 0; plane < _planes; plane++)
            foreach (int vector in order)
                for (int half = 0; half < 2; half++)
                {
                    int target = ((2 * vector) + half) % 8;
                    _reader.Unpack(target, step, vector, half, plane);
                    Asm.vmovdqa(Frame(_codes + (((plane * Vectors) + vector) * Line) + (half * Half)), Y(target));
                }
    }

    // Sums of 32 bits in ymm0 and following, two for each token.
    private void Multiply(int stream, int firstToken, int count, int sixteen)
    {
        int vectors = Vectors / _layout.ScalesPerStep;
        for (int plane = 0; plane < _planes; plane++)
            for (int i = 0; i < vectors; i++)
            {
                int vector = (sixteen * vectors) + i;
                LoadCodes(Streams[stream], vector, plane);
                for (int t = 0; t < count; t++)
                {
                    if (_products != ByteProducts.Pairs) AddProducts(2 * t, Field(firstToken + t, 4 * vector), begins: i == 0);
                    else if (_isSigned) MultiplySigned(2 * t, Field(firstToken + t, 4 * vector), begins: i == 0);
                    else if (_planes == 2) MultiplyWords(2 * t, Word(firstToken + t, plane, vector), begins: plane == 0 && i == 0);
                    else MultiplyBytes(2 * t, Field(firstToken + t, 4 * vector), begins: i % Additions(_layout) == 0);
                }

                bool isLast = i == vectors - 1;
                if (_products == ByteProducts.Pairs && _planes == 1 && !_isSigned && (isLast || (i + 1) % Additions(_layout) == 0)) WidenSums(count, isFirst: i < Additions(_layout), isLast);
            }

        // Nothing is taken off signed codes.
        if (_layout.Offset == 0 || _isSigned) return;
        for (int t = 0; t < count; t++)
        {
            Asm.vpbroadcastd(Y(Activations), Field(firstToken + t, InterleavedActivations.Corrections + (4 * sixteen)));
            for (int half = 0; half < 2; half++) Asm.vpaddd(Y((2 * t) + half), Y((2 * t) + half), Y(Activations));
        }
    }

    private void LoadCodes(AssemblerRegister64 step, int vector, int plane)
    {
        for (int half = 0; half < 2; half++)
        {
            if (_parts == 1) _reader.Unpack(Codes + half, step, vector, half, plane);
            else Asm.vmovdqa(Y(Codes + half), Frame(_codes + (((plane * Vectors) + vector) * Line) + (half * Half)));
            if (_isSigned) Asm.vpabsb(Y(Magnitudes + half), Y(Codes + half));
        }
    }

    // Four columns of sixteen rows with one token's activations, to sums of 16 bits.
    private void MultiplyBytes(int sums, AssemblerMemoryOperand activations, bool begins)
    {
        Asm.vpbroadcastd(Y(Activations), activations);
        if (begins)
        {
            for (int half = 0; half < 2; half++) Asm.vpmaddubsw(Y(sums + half), Y(Codes + half), Y(Activations));
            return;
        }

        Asm.vpmaddubsw(Y(Product), Y(Codes), Y(Activations));
        Asm.vpmaddubsw(Y(Activations), Y(Codes + 1), Y(Activations));
        Asm.vpaddw(Y(sums), Y(sums), Y(Product));
        Asm.vpaddw(Y(sums + 1), Y(sums + 1), Y(Activations));
    }

    // The same of signed codes: their magnitudes, with activations that take their signs. A pair of products fits 16 bits, 128 · 127 twice; two do not.
    private void MultiplySigned(int sums, AssemblerMemoryOperand activations, bool begins)
    {
        Asm.vpbroadcastd(Y(Activations), activations);
        for (int half = 0; half < 2; half++)
        {
            Asm.vpsignb(Y(Product), Y(Activations), Y(Codes + half));
            Asm.vpmaddubsw(Y(Product), Y(Magnitudes + half), Y(Product));
            Asm.vpmaddwd(Y(begins ? sums + half : Product), Y(Product), Frame(_ones));
            if (!begins) Asm.vpaddd(Y(sums + half), Y(sums + half), Y(Product));
        }
    }

    // The same, to sums of 32 bits.
    private void AddProducts(int sums, AssemblerMemoryOperand activations, bool begins)
    {
        Asm.vpbroadcastd(Y(Activations), activations);
        for (int half = 0; half < 2; half++)
        {
            if (begins) Asm.vpxor(Y(sums + half), Y(sums + half), Y(sums + half));
            Asm.vpdpbusd(Y(sums + half), Y(Codes + half), Y(Activations));
        }
    }

    // Two columns of sixteen rows with one token's activations, to sums of 32 bits.
    private void MultiplyWords(int sums, AssemblerMemoryOperand activations, bool begins)
    {
        Asm.vpbroadcastd(Y(Activations), activations);
        if (begins)
        {
            for (int half = 0; half < 2; half++) Asm.vpmaddwd(Y(sums + half), Y(Codes + half), Y(Activations));
            return;
        }

        Asm.vpmaddwd(Y(Product), Y(Codes), Y(Activations));
        Asm.vpmaddwd(Y(Activations), Y(Codes + 1), Y(Activations));
        Asm.vpaddd(Y(sums), Y(sums), Y(Product));
        Asm.vpaddd(Y(sums + 1), Y(sums + 1), Y(Activations));
    }

    // Sums to 32 bits, and together with those before, which wait in the frame.
    private void WidenSums(int count, bool isFirst, bool isLast)
    {
        for (int i = 0; i < 2 * count; i++)
        {
            Asm.vpmaddwd(Y(i), Y(i), Frame(_ones));
            if (!isFirst) Asm.vpaddd(Y(i), Y(i), Frame(_wide + (i * Half)));
            if (!isLast) Asm.vmovdqa(Frame(_wide + (i * Half)), Y(i));
        }
    }

    private void AddToOutputs(int stream, int firstToken, int count, int sixteen)
    {
        int scale = _scales + (sixteen * Line), minimum = scale + (_layout.ScalesPerStep * Line);
        for (int half = 0; half < 2; half++) Asm.vmovaps(Y(Codes + half), Frame(scale + (half * Half)));
        for (int t = 0; t < count; t++)
        {
            int output = ((stream * _tokens) + firstToken + t) * Line;
            Asm.vbroadcastss(Y(Activations), Field(firstToken + t, InterleavedActivations.Scale));
            if (_layout.HasMinimums) Asm.vbroadcastss(Y(Product), Field(firstToken + t, InterleavedActivations.Sums + (4 * sixteen)));
            for (int half = 0; half < 2; half++)
            {
                AssemblerRegisterYMM sum = Y((2 * t) + half);
                Asm.vcvtdq2ps(sum, sum);
                Asm.vmulps(sum, sum, Y(Activations));
                Asm.vfmadd213ps(sum, Y(Codes + half), Frame(output + (half * Half)));
                if (_layout.HasMinimums) Asm.vfmadd231ps(sum, Y(Product), Frame(minimum + (half * Half)));
                Asm.vmovaps(Frame(output + (half * Half)), sum);
            }
        }
    }

    private static AssemblerMemoryOperand Frame(int offset) => __ymmword_ptr[rsp + offset];

    private AssemblerMemoryOperand Word(int token, int plane, int vector) => __dword_ptr[rsp + _words + (token * Line) + (plane * Half) + (4 * vector)];

    private static AssemblerMemoryOperand Field(int token, int field) => __dword_ptr[rax + (token * InterleavedActivations.BlockBytes) + field];
}
