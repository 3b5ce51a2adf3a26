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

    private readonly struct CountJob(int* counts) : ITeamJob
    {
        private readonly int* _counts = counts;

        public void Run(int from, int to, int worker)
        {
            for (int i = from; i < to; i++) Interlocked.Increment(ref _counts[i]);
        }
    }
}
