using System.Text.RegularExpressions;
using Quern.Kernels.Cpu.Formats;

namespace Quern.House.Tests;

/// <summary>Rules about files.</summary>
public sealed partial class SourceTests
{
    private const int MostLines = 500;

    [Fact]
    public void FilesEndAt500Lines()
    {
        string[] sources = [.. Repository.Sources.Where(file => !file.EndsWith(".g.cs", StringComparison.Ordinal))];
        Assert.True(sources.Length > 20);
        string[] tooLong = [.. sources.Where(file => Repository.Read(file).AsSpan().Count('\n') > MostLines)];
        Assert.Empty(tooLong);
    }

    [Fact]
    public void EveryFormatNamesItsSource()
    {
        string[] formats = [.. FormatTable.All.Select(format => format.Info.Name)];
        Assert.Contains("F32", formats);
        List<string> wrong = [];
        foreach (string format in formats)
        {
            string[] files = [.. Repository.Sources.Where(file => file.StartsWith("kernels/Cpu/Formats/", StringComparison.Ordinal) && Path.GetFileName(file) == $"{format}.cs")];
            if (files.Length != 1) wrong.Add($"{format} has no file of its own, kernels/Cpu/Formats/{format}.cs");
            else if (!Repository.Read(files[0]).Contains("Source:", StringComparison.Ordinal)) wrong.Add($"{files[0]} has no line 'Source:'");
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void NoFileNamesAMachinesPath()
    {
        string[] wrong = [.. Repository.Texts.Where(file => MachinePath().IsMatch(Repository.Read(file)))];
        Assert.Empty(wrong);
    }

    [Theory]
    [InlineData("Source files are in /wo" + "rk/place", true)]
    [InlineData("\"/ho" + "me/someone/model.gguf\"", true)]
    [InlineData("C:\\Us" + "ers\\someone", true)]
    [InlineData("https://example.org/home/page", false)]
    [InlineData("a/wo" + "rk/b", false)]
    public void AMachinesPathIsFound(string text, bool expected) => Assert.Equal(expected, MachinePath().IsMatch(text));

    [GeneratedRegex(@"(?<![\w.\-}])/(home|Users|root|work|mnt)/\w|[A-Z]:[\\/]+Users\b")]
    private static partial Regex MachinePath();
}
