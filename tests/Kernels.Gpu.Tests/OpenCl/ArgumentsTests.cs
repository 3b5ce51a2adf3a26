using System.Reflection;
using System.Runtime.InteropServices;

namespace Quern.Kernels.Gpu.Tests.OpenCl;

/// <summary>
/// In OpenCL C a kernel's struct has all its numbers one behind the other, those of structs in it too: so none of these may end in bytes that are nobody's, unless it is the last.
/// </summary>
public sealed class ArgumentsTests
{
    public static TheoryData<string> Arguments => [.. typeof(GpuBackend).Assembly.GetTypes().Where(type => type.IsValueType && type.Name.EndsWith("Arguments", StringComparison.Ordinal)).Select(type => type.FullName!)];

    [Theory]
    [MemberData(nameof(Arguments))]
    public void NumbersLieWhereOpenClHasThem(string name)
    {
        int next = 0, count = 0;
        foreach ((string field, int size, int offset) in Numbers(typeof(GpuBackend).Assembly.GetType(name, throwOnError: true)!, "", 0))
        {
            next = (next + size - 1) & -size;
            Assert.True(next == offset, $"{name}.{field} lies at {offset}, in OpenCL at {next}");
            (next, count) = (next + size, count + 1);
        }

        Assert.NotEqual(0, count);
    }

    private static IEnumerable<(string Field, int Size, int Offset)> Numbers(Type type, string before, int start)
    {
        foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).OrderBy(field => (int)Marshal.OffsetOf(type, field.Name)))
        {
            int offset = start + (int)Marshal.OffsetOf(type, field.Name);
            if (field.FieldType.IsPrimitive) yield return (before + field.Name, Marshal.SizeOf(field.FieldType), offset);
            else foreach (var inner in Numbers(field.FieldType, $"{before}{field.Name}.", offset)) yield return inner;
        }
    }
}
