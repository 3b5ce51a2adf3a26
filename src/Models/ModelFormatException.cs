namespace Quern.Models;

/// <summary>
/// A GGUF file is whole, but holds no model that Quern can run: its architecture is not known, or a tensor or a value is missing or not what
/// the architecture expects. The message is one line that names the file, the tensor or key, what was found and what was expected.
/// </summary>
public sealed class ModelFormatException : IOException
{
    /// <summary>Creates an error about a part of a model file.</summary>
    /// <param name="path">The file's path or name.</param>
    /// <param name="field">What is wrong, for example <c>tensor 'output.weight'</c>.</param>
    /// <param name="problem">What was found and what was expected.</param>
    public ModelFormatException(string path, string field, string problem)
        : base($"{FileName(path)}: {field}: {problem}") => (Path, Field, Problem) = (path, field, problem);

    /// <summary>The file's path or name.</summary>
    public string Path { get; }

    /// <summary>What is wrong.</summary>
    public string Field { get; }

    /// <summary>What was found and what was expected.</summary>
    public string Problem { get; }

    private static string FileName(string path)
    {
        string name = System.IO.Path.GetFileName(path);
        return name.Length == 0 ? path : name;
    }
}
