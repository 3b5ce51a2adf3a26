using FsCheck.Xunit;

namespace Quern.Gguf.Tests;

/// <summary>Law: reading what was written gives what was to be written, bit for bit.</summary>
public sealed class RoundTripTests
{
    [Property(Arbitrary = [typeof(MetadataGenerators)], MaxTest = 300)]
    public void ReadAfterWriteIsTheIdentity(Content content)
    {
        using GgufFile file = GgufFile.FromBytes(Write(content), "law.gguf");
        AssertHolds(content, file);
    }

    [Property(Arbitrary = [typeof(MetadataGenerators)], MaxTest = 60)]
    public void WriteAfterReadIsTheIdentity(Content content)
    {
        byte[] bytes = Write(content);
        using GgufFile file = GgufFile.FromBytes(bytes, "law.gguf");
        GgufWriter writer = new() { Version = file.Version };
        writer.SetAll(file.Metadata);
        foreach (GgufTensor tensor in file.Tensors)
            writer.AddTensor(tensor.Name, tensor.TypeId, tensor.Dimensions.AsSpan(), tensor.Bytes.ToArray());
        using MemoryStream stream = new();
        writer.Write(stream);
        Assert.Equal(bytes, stream.ToArray());
    }

    [Property(Arbitrary = [typeof(MetadataGenerators)], MaxTest = 30)]
    public void ASplitSetHoldsWhatOneFileHolds(Content content)
    {
        using TemporaryFolder folder = new();
        IReadOnlyList<string> paths = Writer(content with { Version = 3 }).WriteSplit(folder.File("model"), 200);
        using GgufFile file = GgufFile.Open(paths[0]);
        Assert.Equal(paths, file.PartPaths);
        Assert.Equal(paths.Count, Directory.GetFiles(folder.Path).Length);
        AssertHolds(content with { Version = 3 }, file);
    }

    internal static byte[] Write(Content content)
    {
        using MemoryStream stream = new();
        Writer(content).Write(stream);
        return stream.ToArray();
    }

    private static GgufWriter Writer(Content content)
    {
        GgufWriter writer = new() { Version = content.Version };
        foreach ((string key, object value) in content.Metadata) writer.Set(key, value);
        if (content.Alignment is uint alignment) writer.Set("general.alignment", alignment);
        foreach (ContentTensor tensor in content.Tensors) writer.AddTensor(tensor.Name, tensor.Type.Id, tensor.Dimensions, tensor.Data);
        return writer;
    }

    private static void AssertHolds(Content content, GgufFile file)
    {
        Assert.Equal(content.Version, file.Version);
        Assert.Equal((int)(content.Alignment ?? 32), file.Alignment);
        string[] keys = [.. file.Metadata.Keys.Where(key => key != "general.alignment" && !key.StartsWith("split.", StringComparison.Ordinal))];
        Assert.Equal(content.Metadata.Select(entry => entry.Key), keys);
        foreach ((string key, object value) in content.Metadata) AssertSame(value, file.Metadata.Find(key)!);

        Assert.Equal(content.Tensors.Count, file.Tensors.Count);
        foreach ((ContentTensor expected, GgufTensor tensor) in content.Tensors.Zip(file.Tensors))
        {
            Assert.Equal(expected.Name, tensor.Name);
            Assert.Equal(expected.Type, tensor.Type);
            Assert.Equal(expected.Dimensions, tensor.Dimensions);
            Assert.Equal(0, tensor.Address % Math.Min(64, file.Alignment));
            Assert.True(tensor.Bytes.SequenceEqual(expected.Data));
        }
    }

    private static void AssertSame(object expected, object found)
    {
        if (expected is Array items && expected.GetType() == typeof(object[]))
        {
            object[] others = Assert.IsType<object[]>(found);
            Assert.Equal(items.Length, others.Length);
            for (int i = 0; i < others.Length; i++) AssertSame(items.GetValue(i)!, others[i]);
            return;
        }

        // Bit for bit: NaN has payloads, and 0 is not -0.
        Assert.Equal(expected.GetType(), found.GetType());
        switch (expected)
        {
            case float number: Assert.Equal(BitConverter.SingleToUInt32Bits(number), BitConverter.SingleToUInt32Bits((float)found)); break;
            case double number: Assert.Equal(BitConverter.DoubleToUInt64Bits(number), BitConverter.DoubleToUInt64Bits((double)found)); break;
            case float[] numbers: Assert.Equal(numbers.Select(BitConverter.SingleToUInt32Bits), ((float[])found).Select(BitConverter.SingleToUInt32Bits)); break;
            case double[] numbers: Assert.Equal(numbers.Select(BitConverter.DoubleToUInt64Bits), ((double[])found).Select(BitConverter.DoubleToUInt64Bits)); break;
            default: Assert.Equal(expected, found); break;
        }
    }
}
