namespace Quern.Gguf.Tests;

/// <summary>Getters with a type.</summary>
public sealed class MetadataTests : IDisposable
{
    private readonly GgufFile _file;

    public MetadataTests()
    {
        GgufWriter writer = new();
        writer.Set("u8", (byte)200);
        writer.Set("i16", (short)-5);
        writer.Set("u32", uint.MaxValue);
        writer.Set("u64", ulong.MaxValue);
        writer.Set("f32", 1.5f);
        writer.Set("f64", 0.1);
        writer.Set("bool", true);
        writer.Set("text", "grain");
        writer.Set("texts", new[] { "a", "b" });
        writer.Set("u16s", new ushort[] { 1, 2, 3 });
        writer.Set("i64s", new[] { 1L << 40, 2 });
        writer.Set("f64s", new[] { 0.5, 0.25 });
        writer.Set("bools", new[] { true, false });
        writer.Set("nested", new[] { new[] { 1 }, [] });
        using MemoryStream stream = new();
        writer.Write(stream);
        _file = GgufFile.FromBytes(stream.ToArray(), "model.gguf");
    }

    private GgufMetadata Metadata => _file.Metadata;

    public void Dispose() => _file.Dispose();

    [Fact]
    public void IntegersOfEveryTypeAreTakenThatFit()
    {
        Assert.Equal(200u, Metadata.GetUInt32("u8"));
        Assert.Equal(-5, Metadata.GetInt32("i16"));
        Assert.Equal(uint.MaxValue, Metadata.GetUInt32("u32"));
        Assert.Equal(uint.MaxValue, Metadata.GetInt64("u32"));
        Assert.Equal([1, 2, 3], Metadata.GetInt32Array("u16s"));
        Assert.Equal([1u, 2, 3], Metadata.GetUInt32Array("u16s"));
        AssertFails(() => Metadata.GetUInt32("i16"), "metadata key 'i16'", "it holds -5; expected 0 to 4294967295");
        AssertFails(() => Metadata.GetInt32("u32"), "metadata key 'u32'", "it holds 4294967295; expected -2147483648 to 2147483647");
        AssertFails(() => Metadata.GetInt64("u64"), "metadata key 'u64'", "it holds 18446744073709551615");
        AssertFails(() => Metadata.GetInt32Array("i64s"), "metadata key 'i64s'", "it holds 1099511627776");
    }

    [Fact]
    public void OtherTypesAreRefusedByName()
    {
        AssertFails(() => Metadata.GetUInt32("f32"), "metadata key 'f32'", "its type is f32; expected an integer");
        AssertFails(() => Metadata.GetString("u32"), "metadata key 'u32'", "its type is u32; expected a string");
        AssertFails(() => Metadata.GetSingle("u8"), "metadata key 'u8'", "expected a floating-point number");
        AssertFails(() => Metadata.GetBool("u8"), "metadata key 'u8'", "expected a bool");
        AssertFails(() => Metadata.GetStringArray("u16s"), "metadata key 'u16s'", "its type is arr[u16,3]; expected arr[str]");
        AssertFails(() => Metadata.GetSingleArray("texts"), "metadata key 'texts'", "its type is arr[str,2]");
        AssertFails(() => Metadata.GetInt32Array("u8"), "metadata key 'u8'", "expected an array of integers");
        AssertFails(() => Metadata.GetBoolArray("nested"), "metadata key 'nested'", "its type is arr[arr,2]");
        AssertFails(() => Metadata.GetInt32Or("text", 1), "metadata key 'text'", "expected an integer");
    }

    [Fact]
    public void AMissingKeyIsNamed()
    {
        GgufFormatException error = Assert.Throws<GgufFormatException>(() => Metadata.GetUInt32("llama.block_count"));
        Assert.Equal("model.gguf: metadata key 'llama.block_count': the file does not have it; expected an unsigned integer", error.Message);
        Assert.Null(Metadata.Find("missing"));
        Assert.False(Metadata.Contains("missing"));
        Assert.False(Metadata.TryGetString("missing", out _));
        Assert.False(Metadata.TryGetInt32Array("missing", out _));
        Assert.Equal(7u, Metadata.GetUInt32Or("missing", 7));
        Assert.Equal(-7, Metadata.GetInt32Or("missing", -7));
        Assert.Equal(-8L, Metadata.GetInt64Or("missing", -8));
        Assert.Equal(0.5f, Metadata.GetSingleOr("missing", 0.5f));
        Assert.True(Metadata.GetBoolOr("missing", true));
        Assert.Equal("none", Metadata.GetStringOr("missing", "none"));
    }

    [Fact]
    public void ValuesHaveTheirTypes()
    {
        Assert.Equal(1.5f, Metadata.GetSingle("f32"));
        Assert.Equal(0.1f, Metadata.GetSingle("f64"));
        Assert.True(Metadata.GetBool("bool"));
        Assert.Equal("grain", Metadata.GetString("text"));
        Assert.Equal(["a", "b"], Metadata.GetStringArray("texts"));
        Assert.Equal([0.5f, 0.25f], Metadata.GetSingleArray("f64s"));
        Assert.Equal([true, false], Metadata.GetBoolArray("bools"));
        object[] nested = Assert.IsType<object[]>(Metadata.Find("nested"));
        Assert.Equal([1], Assert.IsType<int[]>(nested[0]));
        Assert.Empty(Assert.IsType<int[]>(nested[1]));
        Assert.Equal(["u8", "i16", "u32", "u64", "f32", "f64", "bool", "str", "arr[str,2]", "arr[u16,3]", "arr[i64,2]", "arr[f64,2]", "arr[bool,2]", "arr[arr,2]"],
            Metadata.Entries.Select(entry => entry.TypeName));
    }

    [Fact]
    public void ANumberForEachLayerIsOneNumberOrAnArray()
    {
        Assert.Equal([200, 200], Metadata.GetInt32PerLayer("u8", 2));
        Assert.Equal([1, 2], Metadata.GetInt32PerLayer("u16s", 2));
        AssertFails(() => Metadata.GetInt32PerLayer("u16s", 4), "metadata key 'u16s'", "its type is arr[u16,3]; expected an integer, or an array of 4");
        AssertFails(() => Metadata.GetInt32PerLayer("u8", int.MaxValue), "metadata key 'u8'", "expected at most 65536");
    }

    private static void AssertFails(Func<object> get, string field, string problem)
    {
        GgufFormatException error = Assert.Throws<GgufFormatException>(get);
        Assert.Equal(field, error.Field);
        Assert.Contains(problem, error.Problem, StringComparison.Ordinal);
        Assert.Equal("model.gguf", error.Path);
        Assert.True(error.Offset > 0);
    }
}
