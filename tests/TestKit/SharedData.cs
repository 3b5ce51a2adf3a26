using Xunit;

namespace Quern.TestKit;

/// <summary>
/// Finds the reference data that lies beside a checkout (<c>shared/golden</c>, <c>shared/tokenizers</c>) and is not part of it.
/// Tests that need it carry <see cref="SharedFactAttribute"/> or <see cref="SharedTheoryAttribute"/>, and are reported as skipped where it is absent.
/// </summary>
public static class SharedData
{
    /// <summary>The absolute path of the folder <c>shared</c>, or null where no ancestor of the test binaries has one.</summary>
    public static string? Root { get; } = Find();

    /// <summary>The absolute path of a file or folder below <c>shared</c>.</summary>
    public static string Path(params string[] parts) =>
        System.IO.Path.Combine([Root ?? throw new InvalidOperationException("shared/ is not beside this checkout"), .. parts]);

    /// <summary>Reads a headerless little-endian float32 file.</summary>
    public static float[] ReadFloats(params string[] parts)
    {
        byte[] bytes = File.ReadAllBytes(Path(parts));
        float[] values = new float[bytes.Length / sizeof(float)];
        Buffer.BlockCopy(bytes, 0, values, 0, bytes.Length);
        return values;
    }

    private static string? Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = System.IO.Path.Combine(folder.FullName, "shared");
            if (Directory.Exists(System.IO.Path.Combine(candidate, "golden"))) return candidate;
        }

        return null;
    }
}

/// <summary>A fact that reads <see cref="SharedData"/>; reported as skipped, with the reason, where that is absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedFactAttribute : FactAttribute
{
    public SharedFactAttribute() => Skip = SharedData.Root is null ? "needs the reference data in shared/ beside the checkout" : null;
}

/// <summary>A theory that reads <see cref="SharedData"/>; reported as skipped, with the reason, where that is absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedTheoryAttribute : TheoryAttribute
{
    public SharedTheoryAttribute() => Skip = SharedData.Root is null ? "needs the reference data in shared/ beside the checkout" : null;
}
