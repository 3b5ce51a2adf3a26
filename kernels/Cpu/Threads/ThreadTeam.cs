using System.Runtime.InteropServices;

namespace Quern.Kernels.Cpu;

/// <summary>Work on a range of items that a <see cref="ThreadTeam"/> cuts into chunks. A struct of pointers and numbers: it is shared by address.</summary>
internal interface ITeamJob
{
    /// <summary>Does items <paramref name="from"/> to <paramref name="to"/>, not included.</summary>
    /// <param name="from">First item.</param>
    /// <param name="to">Item behind the last.</param>
    /// <param name="worker">Number of the thread, below <see cref="ThreadTeam.Threads"/>: for memory of its own.</param>
    void Run(int from, int to, int worker);
}

/// <summary>
/// A fixed team of threads that splits loops. The caller is worker 0. Chunks are claimed one after the other, so that a slow core holds nobody up; between
/// loops the others spin for some microseconds and then park. A loop allocates no managed memory. Several engines may share one team: loops from
/// different threads take turns.
/// </summary>
public sealed unsafe class ThreadTeam : IDisposable
{
    private const uint Closed = uint.MaxValue;
    private const int SpinsBeforePark = 20_000;
    private const int FlagStride = 16;
    private readonly Lock _turn = new();
    private readonly Thread[] _threads;
    private readonly AutoResetEvent[] _wake;
    private readonly int[] _parked;
    private readonly State* _state;
    private bool _disposed;

    /// <param name="threads">Number of threads, the caller included.</param>
    /// <param name="processors">
    /// [threads] the processor that each thread stays on, or null to leave that to the system. The first is the caller's, which is not the team's to move: as the others stay on theirs, the system finds it the one that is left.
    /// </param>
    /// <exception cref="ArgumentException">There are not as many processors as threads, or the system refuses one.</exception>
    /// <exception cref="PlatformNotSupportedException">Processors are given, and this is neither Linux nor Windows.</exception>
    public ThreadTeam(int threads, IReadOnlyList<int>? processors = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, 1024);
        if (processors is not null) Check(processors, threads);
        _state = (State*)NativeMemory.AlignedAlloc((nuint)sizeof(State), 128);
        *_state = default;
        _state->Ticket = Closed;
        _threads = new Thread[threads - 1];
        _wake = new AutoResetEvent[threads - 1];
        _parked = new int[threads * FlagStride];
        using CountdownEvent begun = new(threads);
        ArgumentException? refused = null;
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _wake[i] = new AutoResetEvent(false);
            _threads[i] = new Thread(() => Begin(worker)) { IsBackground = true, Name = $"quern {worker}" };
        }

        foreach (Thread thread in _threads) thread.Start();
        begun.Signal();
        begun.Wait();
        if (refused is null) return;
        Dispose();
        throw refused;

        void Begin(int worker)
        {
            try
            {
                if (processors is not null) ThreadPlace.Keep(processors[worker]);
            }
            catch (ArgumentException e)
            {
                refused = e;
            }

            begun.Signal();
            Serve(worker);
        }
    }

    /// <summary>Number of threads, the caller included.</summary>
    public int Threads => _threads.Length + 1;

    /// <summary>Runs a job over <paramref name="items"/> items in chunks of <paramref name="grain"/>, and returns when all are done.</summary>
    internal void Run<TJob>(TJob job, int items, int grain)
        where TJob : unmanaged, ITeamJob
    {
        if (items <= 0) return;
        if (_threads.Length == 0 || items <= grain)
        {
            job.Run(0, items, 0);
            return;
        }

        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);

            // Close the ticket before the fields change: a worker that read the old fields then fails to claim from it.
            long generation = (_state->Ticket >> 32) + 1;
            Interlocked.Exchange(ref _state->Ticket, (generation << 32) | Closed);
            _state->Job = &job;
            _state->Invoke = &Invoke<TJob>;
            _state->Items = items;
            _state->Grain = grain;
            _state->Done = 0;
            Interlocked.Exchange(ref _state->Ticket, generation << 32);
            for (int i = 0; i < _wake.Length; i++)
                if (Volatile.Read(ref _parked[i * FlagStride]) != 0 && Interlocked.Exchange(ref _parked[i * FlagStride], 0) != 0) _wake[i].Set();

            while (TryWork(0))
            {
            }

            for (int spins = 0; Volatile.Read(ref _state->Done) < items; spins++)
            {
                if (spins < SpinsBeforePark) Thread.SpinWait(1);
                else Thread.Yield();
            }
        }
    }

    /// <summary>Ends the threads.</summary>
    public void Dispose()
    {
        lock (_turn)
        {
            if (_disposed) return;
            _disposed = true;
            Volatile.Write(ref _state->Stop, 1);
            foreach (AutoResetEvent wake in _wake) wake.Set();
        }

        foreach (Thread thread in _threads) thread.Join();
        foreach (AutoResetEvent wake in _wake) wake.Dispose();
        NativeMemory.AlignedFree(_state);
    }

    private static void Check(IReadOnlyList<int> processors, int threads)
    {
        if (!ThreadPlace.IsKnown) throw new PlatformNotSupportedException("threads are kept on processors on Linux and Windows only");
        if (processors.Count != threads) throw new ArgumentException($"there are {processors.Count} processors for {threads} threads; expected as many", nameof(processors));
        foreach (int processor in processors)
            if (processor is < 0 or >= ThreadPlace.MostProcessors) throw new ArgumentException($"a processor is {processor}; expected 0 to {ThreadPlace.MostProcessors - 1}", nameof(processors));
    }

    private static void Invoke<TJob>(void* job, int from, int to, int worker)
        where TJob : unmanaged, ITeamJob => ((TJob*)job)->Run(from, to, worker);

    /// <summary>Claims a chunk and does it; false where none is left.</summary>
    private bool TryWork(int worker)
    {
        State* state = _state;
        while (true)
        {
            long ticket = Volatile.Read(ref state->Ticket);
            uint next = (uint)ticket;
            int items = state->Items, grain = state->Grain;
            void* job = state->Job;
            delegate*<void*, int, int, int, void> invoke = state->Invoke;
            if (next == Closed || next >= (uint)items) return false;
            uint to = Math.Min(next + (uint)grain, (uint)items);
            if (Interlocked.CompareExchange(ref state->Ticket, (ticket & ~0xffffffffL) | to, ticket) != ticket) continue;
            invoke(job, (int)next, (int)to, worker);
            Interlocked.Add(ref state->Done, (int)(to - next));
            return true;
        }
    }

    private void Serve(int worker)
    {
        int idle = 0;
        ref int parked = ref _parked[(worker - 1) * FlagStride];
        while (Volatile.Read(ref _state->Stop) == 0)
        {
            if (TryWork(worker))
            {
                idle = 0;
                continue;
            }

            if (++idle < SpinsBeforePark)
            {
                Thread.SpinWait(1);
                continue;
            }

            // Say "parked" first, look again, sleep then: the one who publishes a job looks at the flag after publishing.
            Interlocked.Exchange(ref parked, 1);
            uint next = (uint)Volatile.Read(ref _state->Ticket);
            bool work = next != Closed && next < (uint)Volatile.Read(ref _state->Items);
            if ((work || Volatile.Read(ref _state->Stop) != 0) && Interlocked.Exchange(ref parked, 0) != 0) continue;
            _wake[worker - 1].WaitOne();
            idle = 0;
        }
    }

    [StructLayout(LayoutKind.Explicit, Size = 512)]
    private struct State
    {
        /// <summary>Generation in the upper half; in the lower the next item, or <see cref="Closed"/>.</summary>
        [FieldOffset(0)]
        public long Ticket;

        [FieldOffset(128)]
        public int Done;

        [FieldOffset(256)]
        public int Items;

        [FieldOffset(260)]
        public int Grain;

        [FieldOffset(264)]
        public void* Job;

        [FieldOffset(272)]
        public delegate*<void*, int, int, int, void> Invoke;

        [FieldOffset(384)]
        public int Stop;
    }
}
