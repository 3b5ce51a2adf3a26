using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Quern.Kernels.Cpu.Tiles;

/// <summary>Writes activations as <see cref="TileLayout"/> has them, rounded to the nearest bfloat16 number, to even in the middle.</summary>
internal static unsafe class TileActivations
{
    /// <summary>Writes one token's values, 512 bits wide.</summary>
    /// <param name="x">[cols].</param>
    /// <param name="cols">A multiple of 32.</param>
    /// <param name="target">The token's row in its first tile; 64-byte aligned.</param>
    public static void Place(float* x, int cols, byte* target)
    {
        for (int k = 0; k < cols; k += TileLayout.StepColumns, target += TileLayout.TileBytes)
            Pair(Vector512.Load(x + k), Vector512.Load(x + k + 16)).Store((uint*)target);
    }

    /// <summary>A row of a tile: the first sixteen columns of a step and the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Pair(Vector512<float> low, Vector512<float> high) => (Round(low) >> 16) | (Round(high) & Vector512.Create(0xffff0000u));

    /// <summary>The same of what rounding takes off the numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> RestPair(Vector512<float> low, Vector512<float> high) => Pair(Rest(low), Rest(high));

    /// <summary>Writes one token's values in two parts whose sum has 16 digits, for <see cref="TileLayout.Parts"/> steps a step: rounded numbers, the rest, rounded numbers again.</summary>
    public static void PlaceParts(float* x, int cols, byte* target)
    {
        for (int k = 0; k < cols; k += TileLayout.StepColumns, target += TileLayout.Parts * TileLayout.TileBytes) StoreParts(Vector512.Load(x + k), Vector512.Load(x + k + 16), target);
    }

    /// <summary>One step of <see cref="PlaceParts"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreParts(Vector512<float> low, Vector512<float> high, byte* target)
    {
        Vector512<uint> rounded = Pair(low, high);
        rounded.Store((uint*)target);
        RestPair(low, high).Store((uint*)(target + TileLayout.TileBytes));
        rounded.Store((uint*)(target + (2 * TileLayout.TileBytes)));
    }

    /// <summary>The same as <see cref="Place"/>, in the obvious way.</summary>
    public static void PlaceScalar(float* x, int cols, byte* target)
    {
        for (int k = 0; k < cols; k += TileLayout.StepColumns, target += TileLayout.TileBytes)
            for (int p = 0; p < 16; p++)
                ((uint*)target)[p] = (Round(x[k + p]) >> 16) | (Round(x[k + 16 + p]) & 0xffff0000u);
    }

    private static Vector512<float> Rest(Vector512<float> x) => x - (Round(x) & Vector512.Create(0xffff0000u)).AsSingle();

    private static Vector512<uint> Round(Vector512<float> x)
    {
        Vector512<uint> bits = x.AsUInt32();
        Vector512<uint> rounded = bits + Vector512.Create(0x7fffu) + ((bits >> 16) & Vector512<uint>.One);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x).AsUInt32(), rounded, Vector512.Create(0x7fc00000u));
    }

    private static uint Round(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return float.IsNaN(x) ? 0x7fc00000u : bits + 0x7fff + ((bits >> 16) & 1);
    }
}
