using System.Numerics;
using System.Security.Cryptography;
using Quern.Kernels.Cpu.Formats.Grids;

namespace Quern.Kernels.Cpu.Tests.Formats.Grids;

public unsafe class GridTablesTests
{
    /// <summary>SHA-256, first 8 bytes, of the tables as ggml-common.h has them, a byte a coordinate.</summary>
    [Theory]
    [InlineData("IQ1", 16384, "07540ffc1aeaf6ad")]
    [InlineData("IQ2_XXS", 2048, "05826b5d3e472a3a")]
    [InlineData("IQ2_XS", 4096, "06e47aaca60b4dc1")]
    [InlineData("IQ2_S", 8192, "e1aa1473412b0552")]
    [InlineData("IQ3_XXS", 1024, "46e35f5a997efdee")]
    [InlineData("IQ3_S", 2048, "bd1af4945a1717c6")]
    public void TablesAreThoseOfTheFormat(string name, int bytes, string digest)
    {
        sbyte* table = name switch
        {
            "IQ1" => GridTables.Iq1,
            "IQ2_XXS" => GridTables.Iq2Xxs,
            "IQ2_XS" => GridTables.Iq2Xs,
            "IQ2_S" => GridTables.Iq2S,
            "IQ3_XXS" => GridTables.Iq3Xxs,
            _ => GridTables.Iq3S,
        };
        string actual = Convert.ToHexStringLower(SHA256.HashData(new ReadOnlySpan<byte>(table, bytes)).AsSpan(0, 8));
        Assert.Equal(digest, actual);
    }

    [Fact]
    public void TheEighthSignMakesTheNumberOfMinusSignsEven()
    {
        for (uint stored = 0; stored < 128; stored++)
        {
            uint signs = GridDecode.EvenSigns(stored);
            Assert.Equal(stored, signs & 127);
            Assert.Equal(0, BitOperations.PopCount(signs) % 2);
            Assert.True(signs < 256);
        }
    }
}
