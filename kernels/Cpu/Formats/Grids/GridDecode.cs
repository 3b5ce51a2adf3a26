using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Quern.Kernels.Cpu.Formats.Grids;

/// <summary>
/// What decoders of grid formats share: eight values are a grid point's coordinates, times the group's scale, with eight sign bits.
/// The scale is multiplied first and the sign applied last, which gives the bits of <c>(scale × coordinate) × ±1</c>.
/// </summary>
internal static unsafe class GridDecode
{
    /// <summary>Eight sign bits from the seven that are stored: the number of minus signs is even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint EvenSigns(uint stored) => stored | ((uint)(BitOperations.PopCount(stored) & 1) << 7);

    /// <summary><c>scale × coordinate × ±1</c> for <paramref name="count"/> coordinates; bit j of <paramref name="signs"/> makes value j negative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scalar(sbyte* point, int count, float scale, uint signs, float* values)
    {
        for (int j = 0; j < count; j++) values[j] = scale * point[j] * ((signs >> j & 1) != 0 ? -1f : 1f);
    }

    /// <summary>Eight signed bytes as binary32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load8(sbyte* point) => Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(point));

    /// <summary>Two points of four signed bytes as binary32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load4And4(sbyte* low, sbyte* high)
    {
        Vector128<uint> bytes = Sse41.Insert(Vector128.CreateScalarUnsafe(*(uint*)low), *(uint*)high, 1);
        return Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(bytes.AsSByte()));
    }

    /// <summary>Changes the sign of the values whose bit is set in the low byte of <paramref name="signs"/>. AVX2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ApplySigns(Vector256<float> values, uint signs)
    {
        Vector256<uint> bits = Avx2.ShiftLeftLogicalVariable(Vector256.Create(signs), Vector256.Create(31u, 30, 29, 28, 27, 26, 25, 24));
        return values ^ (bits & Vector256.Create(0x80000000)).AsSingle();
    }
}
