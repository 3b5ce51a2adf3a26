namespace Quern.Cli.Options;

/// <summary>The models that may lie beside the program (<c>Models/</c>, with their card): a command without <c>-m</c> takes the target.</summary>
internal static class ShippedModels
{
    public const string TargetName = "quern-4m-q8_0.gguf";

    /// <summary>The same vocabulary in a tenth of the size: it proposes tokens that the target checks.</summary>
    public const string DraftName = "quern-0.4m-draft-q8_0.gguf";

    /// <summary>The folder of this program's models.</summary>
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "Models");

    /// <summary>The path of a shipped model.</summary>
    /// <param name="name">Its file name.</param>
    /// <param name="folder">Where models lie; null for <see cref="Folder"/>.</param>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    public static string PathOf(string name, string? folder = null)
    {
        string path = Path.Combine(folder ?? Folder, name);
        return File.Exists(path) ? path : throw new FileNotFoundException($"no model is given, and none lies beside the program: expected {path}; give one with -m FILE");
    }
}
