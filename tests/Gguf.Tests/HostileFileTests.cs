namespace Quern.Gguf.Tests;

/// <summary>Each way in which a header can lie, one by one: one clear error that names the field and the place.</summary>
public sealed class HostileFileTests
{
    [Fact]
    public void VersionsAreRefusedByName()
    {
        AssertRefused(RawFile.Start(version: 1), "header", 4, "version 1 is not supported");
        AssertRefused(RawFile.Start(version: 0x03000000), "header", 4, "big-endian");
        AssertRefused(RawFile.Start(version: 0x02000000), "header", 4, "big-endian");
        AssertRefused(RawFile.Start(version: 4), "header", 4, "version 4 is not known; expected 2 or 3");
        AssertRefused(RawFile.Start(version: 0), "header", 4, "version 0 is not known");
    }

    [Theory]
    [InlineData(1ul)]
    [InlineData(1ul << 32)]
    [InlineData(1ul << 63)]
    [InlineData(ulong.MaxValue)]
    public void CountsFitTheFile(ulong count)
    {
        AssertRefused(RawFile.Start(tensors: count), "header", 8, $"the tensor count is {count}; the 8 bytes that follow hold at most 0");
        AssertRefused(RawFile.Start(entries: count), "header", 16, $"the metadata count is {count}; the 0 bytes that follow hold at most 0");
    }

    [Fact]
    public void KeysAreSound()
    {
        RawFile start() => RawFile.Start(entries: 1);
        AssertRefused(start().U64(1000).U64(0), "metadata entry 0", 24, "its name has a length of 1000 bytes; the file has 8 more");
        AssertRefused(start().U64(ulong.MaxValue).U64(0), "metadata entry 0", 24, "18446744073709551615 bytes; expected at most 8");
        AssertRefused(start().Key("", GgufValueType.Bool).U32(0), "metadata entry 0", 24, "its name is empty");
        AssertRefused(start().U64(2).Bytes([0xC3, 0x28]).U32(0).U64(0), "metadata entry 0", 24, "not valid UTF-8");
        AssertRefused(start().Key("k", (GgufValueType)13).U64(0), "metadata key 'k'", 33, "the value type is 13; expected 0 (u8) to 12 (f64)");
        AssertRefused(RawFile.Start(entries: 2).Key("k", GgufValueType.Bool).U8(1).Key("k", GgufValueType.Bool).U8(1), "metadata key 'k'", 38, "occurs twice");
        AssertRefused(start().Key(new string('x', 70000), GgufValueType.Bool).U8(1), "metadata entry 0", 24, "expected at most 65535");
    }

    [Fact]
    public void ValuesAreSound()
    {
        RawFile start(GgufValueType type) => RawFile.Start(entries: 1).Key("k", type);
        AssertRefused(start(GgufValueType.Bool).U8(2), "metadata key 'k'", 37, "a bool is 2; expected 0 or 1");
        AssertRefused(start(GgufValueType.UInt64).U32(2), "metadata key 'k'", 37, "the file ends after 41 bytes");
        AssertRefused(start(GgufValueType.String).U64(9).U64(0), "metadata key 'k'", 37, "a length of 9 bytes; the file has 8 more");
        AssertRefused(start(GgufValueType.String).U64(1ul << 40), "metadata key 'k'", 37, "a length of 1099511627776 bytes");
        AssertRefused(start(GgufValueType.Array).U32(13).U64(0), "metadata key 'k'", 37, "the array's element type is 13");
        AssertRefused(start(GgufValueType.Array).U32(4).U64(3).U64(0), "metadata key 'k'", 41, "the array's count is 3; the 8 bytes that follow hold at most 2");
        AssertRefused(start(GgufValueType.Array).U32(8).U64(1ul << 61).U64(0), "metadata key 'k'", 41, "hold at most 1");
        AssertRefused(start(GgufValueType.Array).U32(7).U64(4).U32(0x00020101), "metadata key 'k'", 51, "a bool is 2");
        AssertRefused(start(GgufValueType.Array).U32(9).U64(2).U32(0).U64(0), "metadata key 'k'", 41, "hold at most 1");
    }

    [Fact]
    public void NestingHasALimit()
    {
        RawFile nested(int depth)
        {
            RawFile file = RawFile.Start(entries: 1).Key("k", GgufValueType.Array);
            for (int i = 1; i < depth; i++) file.U32((uint)GgufValueType.Array).U64(1);
            return file.U32((uint)GgufValueType.UInt8).U64(1).U8(5);
        }

        using (GgufFile file = GgufFile.FromBytes(nested(8).ToArray(), "deep.gguf"))
        {
            object value = file.Metadata.Find("k")!;
            for (int i = 1; i < 8; i++) value = Assert.Single(Assert.IsType<object[]>(value));
            Assert.Equal([5], Assert.IsType<byte[]>(value));
        }

        AssertRefused(nested(9), "metadata key 'k'", -1, "nested more than 8 deep");
        AssertRefused(nested(100_000), "metadata key 'k'", -1, "nested more than 8 deep");
    }

    [Fact]
    public void AStringThatIsNotUtf8IsRefusedWhenItIsRead()
    {
        byte[] bytes = RawFile.Start(entries: 1).Key("k", GgufValueType.Array).U32(8).U64(2).Text("fine").U64(1).U8(0xFF).ToArray();
        using GgufFile file = GgufFile.FromBytes(bytes, "damaged.gguf");
        GgufFormatException error = Assert.Throws<GgufFormatException>(() => file.Metadata.GetStringArray("k"));
        Assert.Equal("damaged.gguf: metadata key 'k' at offset 61: a string of the array is not valid UTF-8", error.Message);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(4u)]
    [InlineData(33u)]
    [InlineData(1u << 21)]
    [InlineData(1u << 31)]
    public void AlignmentIsAPowerOfTwo(uint alignment) => AssertRefused(
        RawFile.Start(entries: 1).Key("general.alignment", GgufValueType.UInt32).U32(alignment),
        "metadata key 'general.alignment'", 53, $"the alignment is {alignment}; expected a power of two from 8 to 1048576");

    [Fact]
    public void AlignmentHasItsType() => AssertRefused(
        RawFile.Start(entries: 1).Key("general.alignment", GgufValueType.UInt64).U64(32), "metadata key 'general.alignment'", 53, "its type is u64; expected u32");

    [Fact]
    public void TensorsAreSound()
    {
        RawFile start(int count = 1) => RawFile.Start(tensors: (ulong)count);
        ulong huge = long.MaxValue;
        AssertRefused(start().Tensor("t", []).U64(0), "tensor 't'", 33, "it has 0 dimensions; expected 1 to 4");
        AssertRefused(start().Tensor("t", [1, 1, 1, 1, 1]), "tensor 't'", 33, "it has 5 dimensions");
        AssertRefused(start().Tensor("t", [1, 0]), "tensor 't'", 45, "dimension 1 is 0");
        AssertRefused(start().Tensor("t", [1ul << 63]), "tensor 't'", 37, "dimension 0 is 9223372036854775808; expected 1");
        AssertRefused(start().Tensor("t", [2, huge]), "tensor 't'", 45, $"dimension 1 is {huge}; the element count overflows");
        AssertRefused(start().Tensor("t", [1ul << 32, 1ul << 32]), "tensor 't'", 45, "the element count overflows");
        AssertRefused(start().Tensor("t", [huge]), "tensor 't'", 45, "more bytes than a file can have");
        AssertRefused(start().Tensor("t", [33], type: 2), "tensor 't'", 45, "its rows have 33 values; Q4_0 takes multiples of 32");
        AssertRefused(start().Tensor("t", [1], type: 99), "tensor 't'", 45, "type 99 is not known");
        AssertRefused(start().Tensor("t", [1], type: uint.MaxValue), "tensor 't'", 45, "type 4294967295 is not known");
        AssertRefused(start().Tensor("t", [32], type: 31), "tensor 't'", 45, "type 31 (Q4_0_4_4) was removed from GGUF; use a Q4_0 file");
        AssertRefused(start().Tensor("t", [32], type: 4), "tensor 't'", 45, "Q4_2");
        AssertRefused(start().Tensor("t", [1], offset: 4).Data(8), "tensor 't'", 24, "its data offset is 4; expected a multiple of the alignment, 32");
        AssertRefused(start().Tensor("", [1]).U32(0), "tensor 0", 24, "its name is empty");
        AssertRefused(start(2).Tensor("t", [1]).Tensor("t", [1], offset: 32).Data(64), "tensor 't'", 57, "the name occurs twice");
    }

    [Fact]
    public void TensorDataIsInsideTheFile()
    {
        AssertRefused(RawFile.Start(tensors: 1).Tensor("t", [9]).Data(35), "tensor 't'", 24, "its 36 bytes end at 100; the file has 99");
        AssertRefused(RawFile.Start(tensors: 1).Tensor("t", [1]), "tensor 't'", 24, "its 4 bytes end at 68; the file has 57");
        AssertRefused(RawFile.Start(tensors: 1).Tensor("t", [1], offset: ulong.MaxValue - 31).Data(99), "tensor 't'", 24, "its 4 bytes end at 18446744073709551652");
        using GgufFile file = GgufFile.FromBytes(RawFile.Start(tensors: 1).Tensor("t", [9]).Data(36).ToArray(), "whole.gguf");
        Assert.Equal(36, file.Tensors[0].Bytes.Length);
    }

    [Fact]
    public void TensorsDoNotOverlap()
    {
        RawFile file = RawFile.Start(tensors: 3).Tensor("a", [8], offset: 64).Tensor("b", [9]).Tensor("c", [1], offset: 32).Data(96);
        AssertRefused(file, "tensor 'c'", 90, "its data overlaps that of 'b'");
    }

    [Fact]
    public void AnErrorIsOneLine()
    {
        GgufFormatException error = Refuse(RawFile.Start(entries: 1).Key("two\r\nlines\u0085\u2028" + new string('x', 5000), (GgufValueType)77).U8(0));
        Assert.DoesNotContain('\n', error.Message);
        Assert.DoesNotContain('\r', error.Message);
        Assert.Contains("two\\u000d\\u000alines\\u0085\\u2028xxx", error.Message, StringComparison.Ordinal);
        Assert.InRange(error.Message.Length, 1, 250);
    }

    [Fact]
    public void EveryTruncationIsRefused()
    {
        byte[] bytes = RawFile.Start(tensors: 1, entries: 2).Key("a", GgufValueType.String).Text("text").Key("b", GgufValueType.Array).U32(8).U64(1).Text("x")
            .Tensor("t", [4]).Data(16).ToArray();
        using (GgufFile.FromBytes(bytes, "whole.gguf")) Assert.NotEmpty(bytes);
        for (int length = 0; length < bytes.Length; length++)
        {
            byte[] truncated = bytes[..length];
            Assert.Throws<GgufFormatException>(() => GgufFile.FromBytes(truncated, "truncated.gguf"));
        }
    }

    private static GgufFormatException Refuse(RawFile file)
    {
        byte[] bytes = file.ToArray();
        return Assert.Throws<GgufFormatException>(() => GgufFile.FromBytes(bytes, "some/folder/damaged.gguf"));
    }

    private static void AssertRefused(RawFile file, string field, long offset, string problem)
    {
        GgufFormatException error = Refuse(file);
        Assert.Contains(problem, error.Problem, StringComparison.Ordinal);
        Assert.Equal(field, error.Field);
        if (offset >= 0) Assert.Equal(offset, error.Offset);
        Assert.Equal("some/folder/damaged.gguf", error.Path);
        Assert.Equal($"damaged.gguf: {field} at offset {error.Offset}: {error.Problem}", error.Message);
    }
}
