using System.Reflection;

namespace Quern.House.Tests;

/// <summary>
/// The public surface is what <c>api/</c> says: a change is seen in review. To accept one, run this test with the environment variable
/// <c>QUERN_UPDATE_API=1</c> and commit the files.
/// </summary>
public sealed class PublicSurfaceTests
{
    [Theory]
    [InlineData("Quern.Gguf")]
    [InlineData("Quern.Text")]
    [InlineData("Quern.Kernels.Cpu")]
    [InlineData("Quern.Models")]
    [InlineData("Quern.Engine")]
    public void TheSurfaceIsTheOneThatIsWrittenDown(string assembly)
    {
        string path = Path.Combine(Repository.Root, "tests", "House.Tests", "api", $"{assembly}.txt");
        string found = PublicSurface.Describe(Assembly.Load(assembly));
        if (Environment.GetEnvironmentVariable("QUERN_UPDATE_API") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, found);
            return;
        }

        string[] expected = File.Exists(path) ? File.ReadAllText(path).ReplaceLineEndings("\n").Split('\n') : [];
        string[] lines = found.Split('\n');
        string difference = string.Join('\n', [.. expected.Except(lines).Select(line => $"- {line}"), .. lines.Except(expected).Select(line => $"+ {line}")]);
        Assert.True(
            expected.SequenceEqual(lines),
            $"{assembly} has another surface than tests/House.Tests/api/{assembly}.txt; run with QUERN_UPDATE_API=1 to accept:\n{(difference.Length == 0 ? "the same lines in another order" : difference)}");
    }

    [Fact]
    public void ADescriptionHoldsEveryKindOfMember()
    {
        string text = PublicSurface.Describe(typeof(PublicSurfaceTests).Assembly);
        Assert.Contains("sealed class Quern.House.Tests.PublicSurfaceTests", text, StringComparison.Ordinal);
        Assert.Contains("    Void TheSurfaceIsTheOneThatIsWrittenDown(String assembly)", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Repository", text, StringComparison.Ordinal);
    }
}
