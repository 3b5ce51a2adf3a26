using System.Runtime.InteropServices;
using Quern.TestKit;
using Quern.TestKit.Oracle;

namespace Quern.Kernels.Cpu.Tests.Ops;

/// <summary>Operations on rows against the oracle: every length up to two vectors and one, on memory that begins or ends at a guard page.</summary>
public sealed unsafe class RowOperationTests : IDisposable
{
    private const int LongestRow = 33;
    private const double Tolerance = 2e-5;

    private readonly ThreadTeam _team = new(1);

    public static TheoryData<string, bool> Cases
    {
        get
        {
            TheoryData<string, bool> cases = [];
            foreach (string operation in Operations.Keys)
            {
                cases.Add(operation, true);
                cases.Add(operation, false);
            }

            return cases;
        }
    }

    private static Dictionary<string, Action<Backend, Arguments>> Operations { get; } = new()
    {
        ["layer norm"] = (backend, a) => backend.LayerNorm(a.X, a.X.Cols, a.Gain, a.Bias, 1e-5f, a.Y),
        ["layer norm without bias"] = (backend, a) => backend.LayerNorm(a.X, a.X.Cols, a.Gain, null, 1e-5f, a.Y),
        ["layer norm without weights"] = (backend, a) => backend.LayerNorm(a.X, a.X.Cols, null, null, 1e-5f, a.Y),
        ["row gate"] = (backend, a) => backend.GateRows(a.X, a.Gate, a.Y),
        ["bias"] = (backend, a) => backend.AddBias(a.X, a.Bias, a.Y),
        ["clamp"] = (backend, a) =>
        {
            backend.Scale(a.X, 2);
            backend.Clamp(a.X, 1.25f);
            backend.Add(a.X, a.X, a.Y);
        },
        ["squared relu"] = (backend, a) => backend.Activate(a.X, Activation.ReluSquared, a.Y),
        ["clamped swish"] = (backend, a) => backend.Gate(a.X, a.X, Activation.ClampedSwish, a.Y),
        ["gelu"] = (backend, a) => backend.Activate(a.X, Activation.Gelu, a.Y),
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void EveryLengthIsTheOracles(string operation, bool atEnd)
    {
        using CpuBackend tested = new(_team, ComputeMode.Exact);
        using OracleBackend oracle = new();
        for (int length = 2; length <= LongestRow; length++)
        {
            using Arguments expected = new(length, atEnd), found = new(length, atEnd);
            Operations[operation](oracle, expected);
            Operations[operation](tested, found);
            double size = Math.Sqrt(expected.Y.AsSpan().ToArray().Average(value => (double)value * value));
            for (int i = 0; i < length; i++) Assert.InRange(found.Y.Row(0)[i] - (double)expected.Y.Row(0)[i], -Tolerance * size, Tolerance * size);
        }
    }

    public void Dispose() => _team.Dispose();

    /// <summary>One row of every argument, each on guarded memory of its own.</summary>
    private sealed class Arguments(int length, bool atEnd) : IDisposable
    {
        private readonly List<GuardedMemory> _memory = [];
        private readonly Random _random = new(length);
        private Tensor? _x;
        private Tensor? _y;

        public Tensor X => _x ??= Row(length);

        public Tensor Y => _y ??= Row(length);

        public Tensor Gate => Row(1);

        public WeightVector Gain => new("gain", length, Row(length).Address);

        public WeightVector Bias => new("bias", length, Row(length).Address);

        public void Dispose() => _memory.ForEach(memory => memory.Dispose());

        private Tensor Row(int cols)
        {
            GuardedMemory memory = new(cols * sizeof(float), atEnd);
            _memory.Add(memory);
            foreach (ref float value in MemoryMarshal.Cast<byte, float>(memory.Span)) value = (float)((_random.NextDouble() * 6) - 3);
            return new Tensor((nint)memory.Start, 1, cols, cols);
        }
    }
}
