using BenchmarkDotNet.Attributes;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Benchmarks.Kernels;

/// <summary>The operations between the products of a layer in the Llama-3.2-1B shape, all threads: for one token and for a prompt.</summary>
[MemoryDiagnoser]
public unsafe class OperationBenchmarks : IDisposable
{
    private const int Width = 2048, Hidden = 8192, Heads = 32, HeadLength = 64;

    private readonly ThreadTeam _team = new(Environment.ProcessorCount);
    private CpuBackend? _backend;
    private WeightVector? _gain;
    private Tensor _x, _y, _gate, _up, _queries, _angles;

    [Params(1, 512)]
    public int Tokens { get; set; }

    [GlobalSetup]
    public void Take()
    {
        _backend = new CpuBackend(_team);
        float[] ones = [.. Enumerable.Repeat(1f, Width)];
        fixed (float* values = ones) _gain = _backend.BindVector("gain", FormatTable.Find("F32")!, Width, (nint)values);
        _backend.BeginPass();
        (_x, _y, _gate, _up) = (Values(Width), Values(Width), Values(Hidden), Values(Hidden));
        _queries = Values(Heads * HeadLength);
        _angles = _backend.Take(Tokens, HeadLength);
        _backend.RopeAngles(new RopeTable([.. Enumerable.Range(0, HeadLength / 2).Select(i => MathF.Pow(500_000, -2f * i / HeadLength))], 1), [.. Enumerable.Range(0, Tokens)], _angles);
    }

    [Benchmark]
    public void RmsNorm() => _backend!.RmsNorm(_x, _gain!, 1e-5f, _y);

    [Benchmark]
    public void LayerNorm() => _backend!.LayerNorm(_x, Width, _gain, null, 1e-5f, _y);

    [Benchmark]
    public void Rope() => _backend!.Rope(_queries, HeadLength, _angles, RopePairing.Interleaved);

    [Benchmark]
    public void GateSilu() => _backend!.Gate(_gate, _up, Activation.Silu, _gate);

    [Benchmark]
    public void GateGelu() => _backend!.Gate(_gate, _up, Activation.Gelu, _gate);

    [Benchmark]
    public void Add() => _backend!.Add(_x, _y, _x);

    [Benchmark]
    public void SoftCap() => _backend!.SoftCap(_x, 30);

    [GlobalCleanup]
    public void Dispose()
    {
        _backend?.Dispose();
        _team.Dispose();
        GC.SuppressFinalize(this);
    }

    private Tensor Values(int cols)
    {
        Tensor x = _backend!.Take(Tokens, cols);
        for (int t = 0; t < Tokens; t++)
            for (int i = 0; i < cols; i++) x.Row(t)[i] = ((((t + i) * 7919) % 201) - 100) / 100f;
        return x;
    }
}
