using ILGPU;

namespace Quern.Kernels.Gpu.Ops;

/// <summary>Four values of a row, read and written at once.</summary>
internal struct Four
{
    public float X;
    public float Y;
    public float Z;
    public float W;

    /// <summary>Values i to i + 3 of so many, or zeros behind them.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="offset">Byte offset of value 0, a multiple of 16.</param>
    /// <param name="i">A multiple of 4.</param>
    /// <param name="length">How many there are.</param>
    public static Four Load(DeviceMemory memory, long offset, int i, int length)
    {
        if (i >= length) return default;
        Uint4 bits = Lane.Load16(memory, memory.Address + (ulong)offset + ((uint)i * 4UL));
        return new Four { X = Interop.IntAsFloat(bits.X), Y = Interop.IntAsFloat(bits.Y), Z = Interop.IntAsFloat(bits.Z), W = Interop.IntAsFloat(bits.W) };
    }

    /// <summary>Writes them, if they are there.</summary>
    public static void Store(DeviceMemory memory, long offset, int i, int length, Four v)
    {
        if (i >= length) return;
        Uint4 bits = new() { X = Interop.FloatAsInt(v.X), Y = Interop.FloatAsInt(v.Y), Z = Interop.FloatAsInt(v.Z), W = Interop.FloatAsInt(v.W) };
        Lane.Store16(memory, memory.Address + (ulong)offset + ((uint)i * 4UL), bits);
    }

    /// <summary>The sum of their squares.</summary>
    public static float Squares(Four v) => (v.X * v.X) + (v.Y * v.Y) + (v.Z * v.Z) + (v.W * v.W);
}
