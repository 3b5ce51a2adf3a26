using System.Runtime.InteropServices;
using Quern.Kernels.Cpu;

namespace Quern.Trainer.Products;

/// <summary>
/// The kernels' team of threads with loop bodies that are closures: a training step has some hundred loops of milliseconds each, so an allocation for
/// each costs nothing, and the code reads in the order of the formulas. What an item computes never depends on which thread does it, or on their number.
/// </summary>
internal sealed class Crew(int threads) : IDisposable
{
    private readonly ThreadTeam _team = new(threads);

    /// <summary>Number of threads, the caller included.</summary>
    public int Threads => _team.Threads;

    /// <summary>Runs <paramref name="body"/>(item, worker) for every item, and returns when all are done.</summary>
    public void For(int items, Action<int, int> body)
    {
        GCHandle handle = GCHandle.Alloc(body);
        try
        {
            _team.Run(new Job(handle), items, 1);
        }
        finally
        {
            handle.Free();
        }
    }

    /// <summary>Runs <paramref name="body"/>(first, last + 1) over ranges of <paramref name="items"/> of at most <paramref name="grain"/>.</summary>
    public void ForRanges(int items, int grain, Action<int, int> body) =>
        For((items + grain - 1) / grain, (range, _) => body(range * grain, Math.Min(items, (range + 1) * grain)));

    public void Dispose() => _team.Dispose();

    private readonly struct Job(GCHandle body) : ITeamJob
    {
        private readonly GCHandle _body = body;

        public void Run(int from, int to, int worker)
        {
            Action<int, int> body = (Action<int, int>)_body.Target!;
            for (int item = from; item < to; item++) body(item, worker);
        }
    }
}
