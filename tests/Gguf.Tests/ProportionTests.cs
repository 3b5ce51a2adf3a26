using Quern.GgufFuzz;

namespace Quern.Gguf.Tests;

/// <summary>Memory and time are in proportion to the file, whatever it says; nothing but the reader's own error is thrown.</summary>
public sealed class ProportionTests
{
    /// <summary>Managed bytes for each byte of a file: the worst is a file of nothing but short keys, which become objects in a dictionary.</summary>
    private const double MostBytesPerByte = 24;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void DamagedFilesAreReadOrRefused(int seed)
    {
        using MutationRun run = new(seed);
        run.Step(4000);
        Assert.InRange(run.Accepted, 100, 2000);
        Assert.Equal(4000, run.Accepted + run.Refused.Values.Sum());
        Assert.InRange(run.Refused.Count, 25, 200);
        Assert.InRange(run.MostAllocatedPerByte, 0, MostBytesPerByte);
        Assert.InRange(run.Longest, TimeSpan.Zero, TimeSpan.FromSeconds(2));
    }

    [Fact]
    public void ShortKeysTakeBoundedMemory()
    {
        RawFile raw = RawFile.Start(entries: 100_000);
        for (int i = 0; i < 100_000; i++) raw.Key($"{i:x}", GgufValueType.Bool).U8(1);
        AssertBounded(raw.ToArray(), MostBytesPerByte);
    }

    [Fact]
    public void EmptyStringsTakeBoundedMemory()
    {
        RawFile raw = RawFile.Start(entries: 1).Key("k", GgufValueType.Array).U32(8).U64(500_000);
        for (int i = 0; i < 500_000; i++) raw.U64(0);
        AssertBounded(raw.ToArray(), 2);
    }

    [Fact]
    public void ShortStringsTakeBoundedMemory()
    {
        RawFile raw = RawFile.Start(entries: 1).Key("k", GgufValueType.Array).U32(8).U64(500_000);
        for (int i = 0; i < 500_000; i++) raw.U64(1).U8((byte)'x');
        AssertBounded(raw.ToArray(), 5);
    }

    [Fact]
    public void EmptyArraysTakeBoundedMemory()
    {
        RawFile raw = RawFile.Start(entries: 1).Key("k", GgufValueType.Array).U32(9).U64(300_000);
        for (int i = 0; i < 300_000; i++) raw.U32(0).U64(0);
        AssertBounded(raw.ToArray(), 5);
    }

    [Fact]
    public void ManyTensorsTakeBoundedMemory()
    {
        RawFile raw = RawFile.Start(tensors: 50_000);
        for (int i = 0; i < 50_000; i++) raw.Tensor($"{i}", [1], offset: 32ul * (ulong)(49_999 - i));
        AssertBounded(raw.Data(32 * 50_000).ToArray(), 10);
    }

    [Fact]
    public void AVocabularyOf150000TakesBoundedMemory()
    {
        string[] tokens = [.. Enumerable.Range(0, 150_000).Select(i => $"Ġtoken{i}")];
        GgufWriter writer = new();
        writer.Set("tokens", tokens);
        writer.Set("scores", new float[150_000]);
        using MemoryStream stream = new();
        writer.Write(stream);
        using (GgufFile file = GgufFile.FromBytes(stream.ToArray(), "vocabulary.gguf")) Assert.Equal(tokens, file.Metadata.GetStringArray("tokens"));
        AssertBounded(stream.ToArray(), 5);
    }

    private static void AssertBounded(byte[] bytes, double mostBytesPerByte)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        using (GgufFile file = GgufFile.FromBytes(bytes, "many.gguf"))
            foreach (GgufEntry entry in file.Metadata.Entries)
                Assert.NotNull(entry.Read());
        double perByte = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)bytes.Length;
        Assert.InRange(perByte, 0, mostBytesPerByte);
    }
}
