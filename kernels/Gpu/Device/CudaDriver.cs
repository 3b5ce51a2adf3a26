using System.Runtime.InteropServices;

namespace Quern.Kernels.Gpu;

/// <summary>
/// What the package does not offer of NVIDIA's driver. Every call that fails is a <see cref="GpuException"/> that says what it was for.
/// Source: NVIDIA, "CUDA Driver API", sections 6.11 (memory), 6.18 (streams), 6.19 (events), 6.22 (execution) and 6.23 (graphs).
/// </summary>
internal static unsafe partial class CudaDriver
{
    private const string Library = "cuda";
    private const int OutOfMemory = 2, ThreadLocalCapture = 1, MostDynamicShared = 8, ProgrammaticSerialization = 6;

    /// <summary>The first version that has everything used here: CUDA 12.0.</summary>
    private const int OldestVersion = 12000;

    /// <summary>From here on kernels of a recorded graph can start early too: CUDA 12.3.</summary>
    public const int EarlyStartVersion = 12030;

    /// <summary>The newest CUDA that the driver offers, as 1000 · major + 10 · minor.</summary>
    public static int Version()
    {
        Check(cuDriverGetVersion(out int version), "to ask for the driver's version");
        return version;
    }

    /// <summary>Refuses a driver that is too old.</summary>
    public static void RequireVersion()
    {
        int version = Version();
        if (version < OldestVersion)
            throw new GpuException($"the NVIDIA driver offers CUDA {version / 1000}.{version % 1000 / 10}; 12.0 is needed (driver 525 or newer). Update the driver, or compute on the processor: --device cpu");
    }

    /// <summary>Free bytes and all bytes of the current device.</summary>
    public static (long Free, long Total) Memory()
    {
        Check(cuMemGetInfo_v2(out nuint free, out nuint total), "to ask for the free memory");
        return ((long)free, (long)total);
    }

    /// <summary>Lets a kernel have more than 48 KiB of shared memory that is asked for at launch.</summary>
    public static void AllowSharedMemory(nint function, int bytes) => Check(cuFuncSetAttribute(function, MostDynamicShared, bytes), $"to allow a kernel {bytes} bytes of shared memory");

    /// <summary>Compiles a module for the current device and finds its kernel.</summary>
    /// <param name="ptx">The module.</param>
    /// <param name="entry">The kernel's name in it.</param>
    /// <param name="kernel">Its name for people.</param>
    public static nint LoadFunction(string ptx, string entry, string kernel)
    {
        Check(cuModuleLoadData(out nint module, ptx), $"to compile the kernel {kernel}");
        Check(cuModuleGetFunction(out nint function, module, entry), $"to find the kernel {kernel} in its module");
        return function;
    }

    /// <summary>Launches a kernel.</summary>
    /// <param name="function">The kernel.</param>
    /// <param name="shape">Groups and threads.</param>
    /// <param name="sharedBytes">Shared memory that is asked for at launch.</param>
    /// <param name="stream">Where to.</param>
    /// <param name="parameters">Pointers to the parameters.</param>
    /// <param name="startsEarly">Whether it may start before the kernel before is done, for which it waits itself.</param>
    public static void Launch(nint function, Graphs.LaunchShape shape, int sharedBytes, nint stream, void** parameters, bool startsEarly)
    {
        LaunchAttribute early = new() { Id = ProgrammaticSerialization, Value = 1 };
        LaunchConfig config = new()
        {
            GroupsX = (uint)shape.Groups,
            GroupsY = (uint)shape.Rows,
            GroupsZ = 1,
            ThreadsX = (uint)shape.Threads,
            ThreadsY = 1,
            ThreadsZ = 1,
            SharedBytes = (uint)sharedBytes,
            Stream = stream,
            Attributes = &early,
            AttributeCount = startsEarly ? 1u : 0u,
        };
        int result = cuLaunchKernelEx(&config, function, parameters, null);
        if (result != 0) Check(result, $"to launch a kernel of {shape.Groups} by {shape.Rows} groups of {shape.Threads} threads");
    }

    /// <summary>From here on launches into a created stream are recorded and not done.</summary>
    public static void BeginCapture(nint stream) => Check(cuStreamBeginCapture_v2(stream, ThreadLocalCapture), "to record a stream");

    /// <summary>Ends a recording and makes it ready to be launched.</summary>
    public static nint EndCapture(nint stream)
    {
        Check(cuStreamEndCapture(stream, out nint graph), "to end the recording of a stream");
        try
        {
            Check(cuGraphInstantiateWithFlags(out nint executable, graph, 0), "to prepare a recorded graph");
            return executable;
        }
        finally
        {
            Check(cuGraphDestroy(graph), "to free a recorded graph");
        }
    }

    /// <summary>Ends a recording that went wrong.</summary>
    public static void AbandonCapture(nint stream)
    {
        if (cuStreamEndCapture(stream, out nint graph) == 0 && graph != 0) _ = cuGraphDestroy(graph);
    }

    /// <summary>Launches a graph.</summary>
    public static void LaunchGraph(nint executable, nint stream) => Check(cuGraphLaunch(executable, stream), "to launch a recorded graph");

    /// <summary>Frees a graph.</summary>
    public static void DestroyGraph(nint executable) => Check(cuGraphExecDestroy(executable), "to free a prepared graph");

    /// <summary>Makes an event.</summary>
    public static nint CreateEvent()
    {
        Check(cuEventCreate(out nint created, 0), "to make an event");
        return created;
    }

    /// <summary>Notes when the stream comes here.</summary>
    public static void Record(nint moment, nint stream) => Check(cuEventRecord(moment, stream), "to record an event");

    /// <summary>Waits for the second of two moments and tells how far apart they are.</summary>
    public static float Milliseconds(nint first, nint second)
    {
        Check(cuEventSynchronize(second), "to wait for an event");
        Check(cuEventElapsedTime(out float milliseconds, first, second), "to read the time between events");
        return milliseconds;
    }

    /// <summary>Frees an event.</summary>
    public static void DestroyEvent(nint moment) => Check(cuEventDestroy_v2(moment), "to free an event");

    /// <summary>The message for a result that is an error.</summary>
    /// <param name="result">What the driver returned.</param>
    /// <param name="purpose">What the call was for, "to …".</param>
    /// <param name="name">The result's name, such as CUDA_ERROR_INVALID_VALUE.</param>
    /// <param name="text">What the driver says of it.</param>
    internal static string Describe(int result, string purpose, string name, string text)
    {
        string advice = result switch
        {
            OutOfMemory => ". The card's memory is full: try fewer layers on the card (--gpu-layers), a smaller cache (--ctx-size, --kv-type q8_0), or end other programs that use it",
            999 or 700 or 719 => ". A kernel failed on the card; what is on it is lost. Please report the model and the command",
            _ => "",
        };
        return $"the driver refused {purpose}: {text} ({name}, {result}){advice}";
    }

    private static void Check(int result, string purpose)
    {
        if (result == 0) return;
        string name = cuGetErrorName(result, out nint nameText) == 0 ? Marshal.PtrToStringUTF8(nameText) ?? "" : "an unknown error";
        string text = cuGetErrorString(result, out nint textText) == 0 ? Marshal.PtrToStringUTF8(textText) ?? "" : "no description";
        throw new GpuException(Describe(result, purpose, name, text));
    }

    // CUlaunchAttribute: an identifier, then a union of 64 bytes at the next multiple of 8.
    [StructLayout(LayoutKind.Explicit, Size = 72)]
    private struct LaunchAttribute
    {
        [FieldOffset(0)]
        public int Id;

        [FieldOffset(8)]
        public int Value;
    }

    // CUlaunchConfig.
    [StructLayout(LayoutKind.Sequential)]
    private struct LaunchConfig
    {
        public uint GroupsX;
        public uint GroupsY;
        public uint GroupsZ;
        public uint ThreadsX;
        public uint ThreadsY;
        public uint ThreadsZ;
        public uint SharedBytes;
        public nint Stream;
        public LaunchAttribute* Attributes;
        public uint AttributeCount;
    }

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int cuModuleLoadData(out nint module, string image);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int cuModuleGetFunction(out nint function, nint module, string name);

    [LibraryImport(Library)]
    private static partial int cuLaunchKernelEx(LaunchConfig* config, nint function, void** parameters, void** extra);

    [LibraryImport(Library)]
    private static partial int cuDriverGetVersion(out int version);

    [LibraryImport(Library)]
    private static partial int cuMemGetInfo_v2(out nuint free, out nuint total);

    [LibraryImport(Library)]
    private static partial int cuFuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Library)]
    private static partial int cuStreamBeginCapture_v2(nint stream, int mode);

    [LibraryImport(Library)]
    private static partial int cuStreamEndCapture(nint stream, out nint graph);

    [LibraryImport(Library)]
    private static partial int cuGraphInstantiateWithFlags(out nint executable, nint graph, ulong flags);

    [LibraryImport(Library)]
    private static partial int cuGraphLaunch(nint executable, nint stream);

    [LibraryImport(Library)]
    private static partial int cuGraphExecDestroy(nint executable);

    [LibraryImport(Library)]
    private static partial int cuGraphDestroy(nint graph);

    [LibraryImport(Library)]
    private static partial int cuEventCreate(out nint created, uint flags);

    [LibraryImport(Library)]
    private static partial int cuEventRecord(nint moment, nint stream);

    [LibraryImport(Library)]
    private static partial int cuEventSynchronize(nint moment);

    [LibraryImport(Library)]
    private static partial int cuEventElapsedTime(out float milliseconds, nint first, nint second);

    [LibraryImport(Library)]
    private static partial int cuEventDestroy_v2(nint moment);

    [LibraryImport(Library)]
    private static partial int cuGetErrorName(int result, out nint text);

    [LibraryImport(Library)]
    private static partial int cuGetErrorString(int result, out nint text);
}
