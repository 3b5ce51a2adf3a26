using BenchmarkDotNet.Attributes;
using Quern.Gguf;

namespace Quern.Benchmarks.Gguf;

/// <summary>Opening a file with a vocabulary of 150,000 tokens and as many merges, and reading its tokens: what a model's load pays before any weight.</summary>
[MemoryDiagnoser]
public class VocabularyBenchmarks
{
    private byte[] _bytes = [];

    [GlobalSetup]
    public void Write()
    {
        GgufWriter writer = new();
        writer.Set("tokens", Enumerable.Range(0, 150_000).Select(i => $"Ġtoken{i}").ToArray());
        writer.Set("merges", Enumerable.Range(0, 150_000).Select(i => $"Ġto ken{i}").ToArray());
        writer.Set("scores", new float[150_000]);
        using MemoryStream stream = new();
        writer.Write(stream);
        _bytes = stream.ToArray();
    }

    [Benchmark]
    public int OpenAndReadTokens()
    {
        using GgufFile file = GgufFile.FromBytes(_bytes, "vocabulary.gguf");
        return file.Metadata.GetStringArray("tokens").Length;
    }
}
