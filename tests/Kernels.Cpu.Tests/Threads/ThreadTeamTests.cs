using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Quern.Kernels.Cpu.Tests.Threads;

public sealed unsafe class ThreadTeamTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(4, 7)]
    public void EveryItemIsDoneExactlyOnce(int threads, int grain)
    {
        using ThreadTeam team = new(threads);
        int* counts = (int*)NativeMemory.AllocZeroed(1000 * sizeof(int));
        for (int round = 0; round < 2000; round++)
        {
            int items = round % 1000;
            team.Run(new CountJob(counts), items, grain);
            for (int i = 0; i < items; i++)
            {
                Assert.Equal(1, counts[i]);
                counts[i] = 0;
            }
        }

        NativeMemory.Free(counts);
    }

    [Fact]
    public void ParkedThreadsWakeUp()
    {
        using ThreadTeam team = new(3);
        int* counts = (int*)NativeMemory.AllocZeroed(64 * sizeof(int));
        for (int round = 0; round < 5; round++)
        {
            Thread.Sleep(30);
            team.Run(new CountJob(counts), 64, 1);
        }

        for (int i = 0; i < 64; i++) Assert.Equal(5, counts[i]);
        NativeMemory.Free(counts);
    }

    [Fact]
    public void LoopsFromSeveralThreadsTakeTurns()
    {
        using ThreadTeam team = new(2);
        int* counts = (int*)NativeMemory.AllocZeroed(256 * sizeof(int));
        Thread[] callers = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < 500; i++) team.Run(new CountJob(counts), 256, 3);
        }))];
        foreach (Thread caller in callers) caller.Start();
        foreach (Thread caller in callers) caller.Join();
        for (int i = 0; i < 256; i++) Assert.Equal(2000, counts[i]);
        NativeMemory.Free(counts);
    }

    [Fact]
    public void ALoopAllocatesNothing()
    {
        using ThreadTeam team = new(2);
        int* counts = (int*)NativeMemory.AllocZeroed(256 * sizeof(int));
        for (int i = 0; i < 100; i++) team.Run(new CountJob(counts), 256, 3);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) team.Run(new CountJob(counts), 256, 3);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        NativeMemory.Free(counts);
    }

    [Fact]
    public void ADisposedTeamRefusesWork()
    {
        ThreadTeam team = new(2);
        team.Dispose();
        Assert.Throws<ObjectDisposedException>(() => team.Run(new CountJob(null), 10, 1));
    }

    [Fact]
    public void ThreadsStayOnTheirProcessors()
    {
        if (!OperatingSystem.IsLinux()) return;
        int processor = int.Parse(Allowed("self").Split(',', '-')[^1], CultureInfo.InvariantCulture);
        string caller = Allowed("thread-self");
        using ThreadTeam team = new(3, [0, processor, processor]);
        PlaceJob.Seen.Clear();
        for (int i = 0; i < 1000 && PlaceJob.Seen.Count < 3; i++) team.Run(default(PlaceJob), 3, 1);
        Assert.Equal([caller, $"{processor}", $"{processor}"], PlaceJob.Seen.OrderBy(seen => seen.Key).Select(seen => seen.Value));
    }

    [Fact]
    public void ProcessorsThatThereAreNotAreRefused()
    {
        if (!OperatingSystem.IsLinux()) return;
        Assert.Contains("processor 8000", Assert.Throws<ArgumentException>(() => new ThreadTeam(2, [0, 8000])).Message, StringComparison.Ordinal);
        Assert.Contains("8192", Assert.Throws<ArgumentException>(() => new ThreadTeam(2, [0, 8192])).Message, StringComparison.Ordinal);
        Assert.Contains("1 processors for 2 threads", Assert.Throws<ArgumentException>(() => new ThreadTeam(2, [0])).Message, StringComparison.Ordinal);
    }

    private static string Allowed(string thread) =>
        File.ReadLines($"/proc/{thread}/status").Single(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal)).Split(':')[1].Trim();

    private readonly struct PlaceJob : ITeamJob
    {
        public static ConcurrentDictionary<int, string> Seen { get; } = [];

        public void Run(int from, int to, int worker)
        {
            Seen[worker] = Allowed("thread-self");
            Thread.Sleep(1); // so that the others get something to do
        }
    }

    private readonly struct CountJob(int* counts) : ITeamJob
    {
        private readonly int* _counts = counts;

        public void Run(int from, int to, int worker)
        {
            for (int i = from; i < to; i++) Interlocked.Increment(ref _counts[i]);
        }
    }
}
