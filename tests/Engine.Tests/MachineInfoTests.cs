namespace Quern.Engine.Tests;

public sealed class MachineInfoTests
{
    [Theory]
    [InlineData("0", new[] { 0 })]
    [InlineData("0-3", new[] { 0, 1, 2, 3 })]
    [InlineData("0-1,8,10-11", new[] { 0, 1, 8, 10, 11 })]
    public void Processor_lists_are_read(string text, int[] expected) => Assert.Equal(expected, MachineInfo.ParseProcessors(text));

    [Theory]
    [InlineData("")]
    [InlineData("0,")]
    [InlineData("3-1")]
    [InlineData("1-2-3")]
    [InlineData("-1")]
    [InlineData("0,x")]
    [InlineData("0-2,1")]
    [InlineData("0-99999999")]
    public void What_is_no_list_is_told(string text) => Assert.Null(MachineInfo.ParseProcessors(text));

    [Fact]
    public void Cores_are_at_least_one_and_at_most_the_hardware_threads()
    {
        MachineInfo machine = MachineInfo.Read();
        Assert.InRange(machine.PhysicalCores, 1, Environment.ProcessorCount);
        Assert.Equal(Environment.ProcessorCount, machine.LogicalProcessors);
        Assert.NotEmpty(machine.Processor);
        Assert.InRange(machine.MemoryBytes, 1, long.MaxValue);
        Assert.True(machine.Tier <= machine.DetectedTier);
    }
}
