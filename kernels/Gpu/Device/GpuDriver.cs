using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Finds the driver's libraries under the names that a driver alone installs: <c>libcuda.so.1</c> and <c>libOpenCL.so.1</c>. The names without a number
/// come with development packages only.
/// </summary>
internal static class GpuDriver
{
    private static readonly Lock Gate = new();
    private static bool _resolves;

    /// <summary>Whether a library of the driver can be loaded.</summary>
    public static bool Has(string library)
    {
        nint handle = Load(library);
        if (handle == 0) return false;
        NativeLibrary.Free(handle);
        return true;
    }

    /// <summary>Makes the package find the libraries; before the first context.</summary>
    public static void Resolve()
    {
        lock (Gate)
        {
            if (_resolves) return;
            _resolves = true;
            NativeLibrary.SetDllImportResolver(typeof(GpuDriver).Assembly, (name, _, _) => Load(name));
            try
            {
                NativeLibrary.SetDllImportResolver(typeof(Context).Assembly, (name, _, _) => Load(name));
            }
            catch (InvalidOperationException)
            {
                // The host has set one; it knows better.
            }
        }
    }

    private static nint Load(string library)
    {
        string[] names = library switch
        {
            "cuda" => ["libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "libcuda.so"],
            "OpenCL" => ["libOpenCL.so.1", "libOpenCL.so"],
            _ => [library],
        };
        foreach (string name in names)
            if (NativeLibrary.TryLoad(name, Assembly.GetExecutingAssembly(), null, out nint handle)) return handle;
        return 0;
    }
}
