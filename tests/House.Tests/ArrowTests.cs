namespace Quern.House.Tests;

/// <summary>Which room may know which: data flows one way. A new room is a line here.</summary>
public sealed class ArrowTests
{
    /// <summary>Rooms of the product: the rooms and the packages that each may reference.</summary>
    private static readonly Dictionary<string, (string[] Rooms, string[] Packages)> Allowed = new(StringComparer.Ordinal)
    {
        ["kernels/Cpu"] = ([], ["Iced"]),
        ["kernels/Gpu"] = (["kernels/Cpu"], ["ILGPU", "ILGPU.Algorithms"]),
        ["src/Gguf"] = ([], []),
        ["src/Text"] = ([], []),
        ["src/Models"] = (["src/Gguf", "kernels/Cpu"], []),
        ["src/Engine"] = (["src/Models", "src/Text", "kernels/Cpu"], []),
        ["src/Server"] = (["src/Engine"], []),
        ["src/Cli"] = (["src/Engine", "src/Server", "kernels/Gpu"], ["System.CommandLine", "Spectre.Console"]),
    };

    private static readonly string[] WithoutUnsafe = ["src/Text", "src/Models", "src/Engine", "src/Server", "src/Cli"];

    private static IEnumerable<string> ProductProjects =>
        Repository.Projects.Where(project => project.StartsWith("src/", StringComparison.Ordinal) || project.StartsWith("kernels/", StringComparison.Ordinal));

    [Fact]
    public void EveryRoomIsInTheTable()
    {
        Assert.True(ProductProjects.Count() >= 6);
        Assert.All(ProductProjects, project => Assert.Contains(Repository.Room(project), Allowed.Keys));
    }

    [Fact]
    public void ReferencesFollowTheArrows()
    {
        List<string> wrong = [];
        foreach (string project in ProductProjects)
        {
            string room = Repository.Room(project);
            foreach (string reference in Repository.Items(project, "ProjectReference"))
                if (!Allowed[room].Rooms.Contains(Repository.Target(project, reference))) wrong.Add($"{room} may not reference {Repository.Target(project, reference)}");
            foreach (string package in Repository.Items(project, "PackageReference"))
                if (!Allowed[room].Packages.Contains(package)) wrong.Add($"{room} may not take the package {package}");
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void NoProductReferencesTestsOrTools()
    {
        foreach (string project in Repository.Projects.Where(project => !project.StartsWith("tests/", StringComparison.Ordinal)))
            Assert.DoesNotContain(Repository.Items(project, "ProjectReference"), reference => Repository.Target(project, reference).EndsWith(".Tests", StringComparison.Ordinal));
    }

    [Fact]
    public void UnsafeStaysInItsRooms()
    {
        foreach (string project in ProductProjects)
            if (WithoutUnsafe.Contains(Repository.Room(project)))
                Assert.DoesNotContain("AllowUnsafeBlocks", Repository.Read(project), StringComparison.Ordinal);
    }

    [Fact]
    public void TheMapIsTheOnlyUnsafeCodeOfItsRoom()
    {
        System.Text.RegularExpressions.Regex keyword = new(@"\bunsafe\b");
        string[] files = [.. Repository.Sources.Where(file => file.StartsWith("src/Gguf/", StringComparison.Ordinal) && Repository.CodeContains(file, keyword))];
        Assert.Equal(["src/Gguf/FileMap.cs"], files);
    }

    [Fact]
    public void EveryRoomHasItsTests()
    {
        foreach (string project in ProductProjects)
        {
            string name = Path.GetFileNameWithoutExtension(project)["Quern.".Length..];
            Assert.Contains($"tests/{name}.Tests/Quern.{name}.Tests.csproj", Repository.Projects);
        }
    }

    [Fact]
    public void EveryProjectIsInTheSolution()
    {
        string solution = Repository.Read("Runtime.sln").Replace('\\', '/');
        Assert.All(Repository.Projects, project => Assert.Contains($"\"{project}\"", solution, StringComparison.Ordinal));
    }
}
