using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.BytePanels;

/// <summary>Tokens' activations as <see cref="BytePanelLayout"/> has them, for all products of the same x.</summary>
internal readonly unsafe struct ByteActivations
{
    private readonly byte* _memory;
    private readonly int _cols, _tokens;

    /// <param name="memory">Memory of <see cref="Bytes"/>, aligned to 64.</param>
    /// <param name="cols">Values of a token.</param>
    /// <param name="tokens">Tokens, a multiple of what the kernel takes at a time.</param>
    public ByteActivations(byte* memory, int cols, int tokens)
    {
        _memory = memory;
        _cols = cols;
        _tokens = tokens;
    }

    /// <summary>Bytes of all of it.</summary>
    public static long Bytes(int cols, int tokens) => (long)BytePanelLayout.Blocks(cols) * tokens * (BytePanelLayout.BlockColumns + (2 * sizeof(float)));

    /// <summary>[tokens, 256].</summary>
    public sbyte* Codes(int block) => (sbyte*)_memory + ((long)block * _tokens * BytePanelLayout.BlockColumns);

    /// <summary>[tokens].</summary>
    public float* Scales(int block) => (float*)Codes(BytePanelLayout.Blocks(_cols)) + ((long)block * _tokens);

    /// <summary>[tokens].</summary>
    public int* Corrections(int block) => (int*)Scales(BytePanelLayout.Blocks(_cols)) + ((long)block * _tokens);

    /// <summary>Quantises a token's values, 512 bits wide: those of <see cref="Q8Quantizer"/> with groups of 256.</summary>
    /// <param name="x">[cols], a multiple of 32; null for a token that fills up.</param>
    /// <param name="token">Which token.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // a prompt may be the only one: there is no time to find out that this is hot
    public void Place(float* x, int token)
    {
        for (int block = 0; block < BytePanelLayout.Blocks(_cols); block++)
        {
            sbyte* codes = Codes(block) + ((long)token * BytePanelLayout.BlockColumns);
            int from = block * BytePanelLayout.BlockColumns, count = x == null ? 0 : Math.Min(BytePanelLayout.BlockColumns, _cols - from);
            float inverse = Q8Quantizer.Inverse(x + from, count, out Scales(block)[token]);
            Vector512<int> sum = Vector512<int>.Zero;
            for (int k = 0; k < count; k += 16)
            {
                Vector512<int> quants = Q8Quantizer.Quants(Vector512.Load(x + from + k), inverse);
                Avx512F.ConvertToVector128SByte(quants).Store(codes + k);
                sum += quants;
            }

            new Span<sbyte>(codes + count, BytePanelLayout.BlockColumns - count).Clear();
            Corrections(block)[token] = -BytePanelLayout.Offset * Vector512.Sum(sum);
        }
    }
}
