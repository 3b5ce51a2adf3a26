using System.Diagnostics;

namespace Quern.Kernels.Cpu.Formats;

/// <summary>
/// A row of activations quantised to signed bytes: <c>x[i] ≈ Scales[i / G] × Quants[i]</c>, with G = 32 (<see cref="ActivationKind.Q8Of32"/>)
/// or 256 (<see cref="ActivationKind.Q8Of256"/>). Quants lie in −127…127, never −128: <c>vpsignb</c> cannot negate −128.
/// </summary>
/// <param name="Quants">[k] signed bytes, 64-byte aligned.</param>
/// <param name="Scales">[k / G] binary32.</param>
/// <param name="Sums">Sums of quants, which turn a format's offset into one multiply-add: of each 32 (G = 32, [k / 32]) or of each 16 (G = 256, [k / 16]).</param>
internal readonly unsafe record struct Q8Vector(nint Quants, nint Scales, nint Sums)
{
    private const int Alignment = 64;

    /// <summary>The quants as a pointer.</summary>
    public sbyte* Q => (sbyte*)Quants;

    /// <summary>The scales as a pointer.</summary>
    public float* D => (float*)Scales;

    /// <summary>The sums as a pointer.</summary>
    public short* S => (short*)Sums;

    /// <summary>Values that share one scale.</summary>
    public static int GroupLength(ActivationKind kind) => kind == ActivationKind.Q8Of256 ? 256 : 32;

    /// <summary>Values that share one sum.</summary>
    public static int SumLength(ActivationKind kind) => kind == ActivationKind.Q8Of256 ? 16 : 32;

    /// <summary>
    /// Bytes of native memory that <see cref="Place"/> lays a row of <paramref name="k"/> values out in: a multiple of 64, so that rows may follow each other.
    /// </summary>
    public static long BytesNeeded(ActivationKind kind, int k) => SumsOffset(kind, k) + Align(2L * (k / SumLength(kind)));

    /// <summary>Lays a row out in memory that the caller owns: quants, scales and sums, each beginning at a multiple of 64 bytes.</summary>
    /// <param name="memory">64-byte aligned, <see cref="BytesNeeded"/> bytes.</param>
    /// <param name="kind">One of the Q8 kinds.</param>
    /// <param name="k">Values in the row, a multiple of the group length.</param>
    public static Q8Vector Place(nint memory, ActivationKind kind, int k)
    {
        Debug.Assert(kind != ActivationKind.F32, "binary32 activations are used where they are");
        Debug.Assert(memory % Alignment == 0 && k % GroupLength(kind) == 0);
        return new Q8Vector(memory, memory + (nint)Align(k), memory + (nint)SumsOffset(kind, k));
    }

    private static long SumsOffset(ActivationKind kind, int k) => Align(k) + Align(4L * (k / GroupLength(kind)));

    private static long Align(long bytes) => (bytes + Alignment - 1) & -Alignment;
}
