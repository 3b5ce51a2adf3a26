using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.Tests.Formats;

/// <summary>What the tests over <see cref="FormatTable.All"/> share: names for xunit, and blocks that are as hostile as a finite scale allows.</summary>
internal static unsafe class FormatProbe
{
    private static readonly byte[] Extremes = [0x00, 0x7f, 0x80, 0x81, 0xff, 0x88, 0x08, 0xf0, 0x0f, 0x55, 0xaa];

    /// <summary>Formats that the reference data has no blocks of.</summary>
    public static IReadOnlyList<string> WithoutGoldenBlocks { get; } = ["F32", "Q8_K"];

    public static TheoryData<string> Names(Func<WeightFormat, bool> include)
    {
        TheoryData<string> names = [];
        foreach (WeightFormat format in FormatTable.All)
            if (include(format)) names.Add(format.Info.Name);
        return names;
    }

    public static WeightFormat Find(string name) => FormatTable.Find(name) ?? throw new ArgumentException(name);

    /// <summary>Blocks of random bytes whose decoded values are finite and of a size that does not drown their neighbours.</summary>
    public static void Fill(WeightFormat format, Random random, byte* blocks, int blockCount)
    {
        float* values = stackalloc float[format.Info.BlockLength];
        for (int b = 0; b < blockCount; b++)
        {
            byte* block = blocks + (b * format.Info.BlockBytes);
            int way = random.Next(3);
            byte constant = Extremes[random.Next(Extremes.Length)];
            do
            {
                for (int i = 0; i < format.Info.BlockBytes; i++)
                {
                    byte noise = (byte)random.Next(256);
                    block[i] = way switch
                    {
                        0 => noise,
                        1 => random.Next(8) == 0 ? noise : constant,
                        _ => random.Next(4) == 0 ? noise : Extremes[random.Next(Extremes.Length)],
                    };
                }

                format.DecodeScalar(block, 1, values);
            }
            while (!IsModerate(values, format.Info.BlockLength));
        }
    }

    private static bool IsModerate(float* values, int count)
    {
        float largest = 0;
        for (int i = 0; i < count; i++)
        {
            if (!float.IsFinite(values[i])) return false;
            largest = Math.Max(largest, Math.Abs(values[i]));
        }

        return largest is > 1e-3f and < 1e3f;
    }
}
