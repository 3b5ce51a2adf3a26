namespace Quern.Gguf.Tests;

/// <summary>The table of tensor types.</summary>
public sealed class GgmlTypesTests
{
    [Fact]
    public void NumbersAscendAndNamesAreUnique()
    {
        for (int i = 1; i < GgmlTypes.All.Count; i++) Assert.True(GgmlTypes.All[i].Id > GgmlTypes.All[i - 1].Id);
        Assert.Equal(GgmlTypes.All.Count, GgmlTypes.All.Select(type => type.Name).Distinct(StringComparer.OrdinalIgnoreCase).Count());
        foreach (GgmlType type in GgmlTypes.All)
        {
            Assert.Same(type, GgmlTypes.Find(type.Id));
            Assert.Same(type, GgmlTypes.Find(type.Name.ToLowerInvariant()));
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    [InlineData(31)]
    [InlineData(38)]
    [InlineData(1000)]
    public void OtherNumbersAreNotFound(int id) => Assert.Null(GgmlTypes.Find(id));

    [Fact]
    public void OtherNamesAreNotFound() => Assert.Null(GgmlTypes.Find("Q4_0_4_4"));

    [Theory]
    [InlineData("Q4_K", 4.5)]
    [InlineData("Q6_K", 6.5625)]
    [InlineData("Q8_0", 8.5)]
    [InlineData("IQ1_S", 1.5625)]
    [InlineData("TQ1_0", 1.6875)]
    [InlineData("MXFP4", 4.25)]
    [InlineData("BF16", 16)]
    public void TypesHaveTheirBitsPerWeight(string name, double bits) => Assert.Equal(bits, GgmlTypes.Find(name)!.Bytes(1024) / 128.0);
}
