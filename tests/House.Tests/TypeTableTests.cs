using Quern.Gguf;
using Quern.Kernels.Cpu.Formats;

namespace Quern.House.Tests;

/// <summary>Files and kernels are rooms that do not know each other; their tables of types agree.</summary>
public sealed class TypeTableTests
{
    [Fact]
    public void EveryFormatIsATypeOfTheFileFormat()
    {
        Assert.NotEmpty(FormatTable.All);
        foreach (FormatInfo format in FormatTable.All.Select(format => format.Info))
            Assert.Equal(new GgmlType(format.TypeId, format.Name, format.BlockLength, format.BlockBytes), GgmlTypes.Find(format.TypeId));
    }
}
