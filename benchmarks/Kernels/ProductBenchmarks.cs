using BenchmarkDotNet.Attributes;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Benchmarks.Kernels;

/// <summary>
/// Products with weights of every format, all threads: <see cref="Matrices"/> matrices of a feed-forward layer one after the other, which no cache holds. One token is bound by memory, sixteen are sequences that
/// generate together, 512 are a prompt. On lower instruction sets: set <c>QUERN_ISA</c>.
/// </summary>
[Config(typeof(RateColumns))]
public class ProductBenchmarks : IDisposable
{
    internal const int Matrices = 12, Rows = 2048, Cols = 8192;
    internal const long Weights = (long)Matrices * Rows * Cols;

    private readonly ThreadTeam _team = new(Environment.ProcessorCount);
    private CpuBackend? _backend;
    private BoundMatrices? _bound;
    private WeightMatrix[] _matrices = [];
    private Tensor _x;
    private Tensor _y;

    public static IEnumerable<string> Formats => FormatTable.All.Select(format => format.Info.Name);

    [ParamsSource(nameof(Formats))]
    public string Format { get; set; } = "";

    [Params(1, 4, 16, 512)]
    public int Tokens { get; set; }

    [GlobalSetup]
    public void Bind()
    {
        _backend = new CpuBackend(_team);
        _bound = new BoundMatrices(_backend, FormatTable.Find(Format)!);
        _matrices = [.. Enumerable.Range(0, Matrices).Select(_ => _bound.Add(Rows, Cols))];
        _backend.BeginPass();
        (_x, _y) = (_backend.Take(Tokens, Cols), _backend.Take(Tokens, Rows));
        for (int t = 0; t < Tokens; t++)
            for (int i = 0; i < Cols; i++) _x.Row(t)[i] = ((((t + i) * 7919) % 201) - 100) / 100f;
    }

    [Benchmark]
    public void MatMul()
    {
        foreach (WeightMatrix matrix in _matrices) _backend!.MatMul(_x, matrix, null, _y);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _bound?.Dispose();
        _backend?.Dispose();
        _team.Dispose();
        GC.SuppressFinalize(this);
    }
}
