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
    /// <summary>The quants as a pointer.</summary>
    public sbyte* Q => (sbyte*)Quants;

    /// <summary>The scales as a pointer.</summary>
    public float* D => (float*)Scales;

    /// <summary>The sums as a pointer.</summary>
    public short* S => (short*)Sums;
}
