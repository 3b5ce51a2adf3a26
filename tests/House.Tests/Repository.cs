using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Quern.House.Tests;

/// <summary>The working tree: found from the test binaries by walking up to <c>Runtime.sln</c>.</summary>
internal static partial class Repository
{
    private static readonly HashSet<string> NotOurs =
        new(["bin", "obj", ".git", "artifacts", "shared", "node_modules", "TestResults", "BenchmarkDotNet.Artifacts", ".vs"], StringComparer.Ordinal);

    private static readonly HashSet<string> TextExtensions =
        new([".cs", ".csproj", ".props", ".targets", ".json", ".md", ".txt", ".sln", ".yml", ".sh", ".js", ".mjs", ".html", ".css", ".editorconfig", ""], StringComparer.Ordinal);

    /// <summary>The absolute path of the root.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Paths of files, relative to the root, with <c>/</c>.</summary>
    public static IReadOnlyList<string> Files { get; } = [.. Walk(Root).Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    public static IEnumerable<string> Sources => Files.Where(file => file.EndsWith(".cs", StringComparison.Ordinal));

    public static IEnumerable<string> Projects => Files.Where(file => file.EndsWith(".csproj", StringComparison.Ordinal));

    public static IEnumerable<string> Texts => Files.Where(file => TextExtensions.Contains(Path.GetExtension(file)));

    public static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    /// <summary>The values of an attribute of a project's items, for example all <c>ProjectReference</c>.</summary>
    public static IReadOnlyList<string> Items(string project, string item) =>
        [.. XDocument.Parse(Read(project)).Descendants(item).Select(element => element.Attribute("Include")?.Value.Replace('\\', '/') ?? "").Where(value => value.Length != 0)];

    /// <summary>The folder of a project, which is the name of its room: <c>src/Gguf</c>.</summary>
    public static string Room(string project) => Path.GetDirectoryName(project)!.Replace('\\', '/');

    /// <summary>The room that a reference from a project leads to.</summary>
    public static string Target(string project, string reference) =>
        Room(Path.GetRelativePath(Root, Path.GetFullPath(Path.Combine(Root, Room(project), reference))).Replace('\\', '/'));

    /// <summary>Matches of a pattern in the source, without those in comments.</summary>
    public static bool CodeContains(string file, Regex pattern) => pattern.IsMatch(Comment().Replace(Read(file), ""));

    private static IEnumerable<string> Walk(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder)) yield return file;
        foreach (string child in Directory.EnumerateDirectories(folder))
        {
            if (NotOurs.Contains(Path.GetFileName(child))) continue;
            foreach (string file in Walk(child)) yield return file;
        }
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Runtime.sln"))) return folder.FullName;
        throw new InvalidOperationException($"no folder above {AppContext.BaseDirectory} has Runtime.sln");
    }

    [GeneratedRegex(@"//[^\n]*")]
    private static partial Regex Comment();
}
