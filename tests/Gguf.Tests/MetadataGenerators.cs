using FsCheck;
using FsCheck.Fluent;

namespace Quern.Gguf.Tests;

/// <summary>A file's content as a writer takes it.</summary>
public sealed record Content(IReadOnlyList<(string Key, object Value)> Metadata, IReadOnlyList<ContentTensor> Tensors, uint? Alignment, int Version);

/// <summary>A tensor and its bytes.</summary>
public sealed record ContentTensor(string Name, GgmlType Type, long[] Dimensions, byte[] Data);

/// <summary>Generates metadata of every type, with arrays in arrays, and tensors of every ggml type.</summary>
public static class MetadataGenerators
{
    private static readonly Gen<int> Length = Gen.OneOf(Gen.Constant(0), Gen.Constant(1), Gen.Choose(2, 20));

    private static readonly Gen<string> Text =
        from runes in Gen.OneOf(
            Gen.Choose(0x20, 0x7E), Gen.Choose(0, 0x1F), Gen.Choose(0x80, 0x7FF), Gen.Choose(0x800, 0xD7FF), Gen.Choose(0xE000, 0xFFFF),
            Gen.Choose(0x10000, 0x10FFFF)).ListOf()
        select string.Concat(runes.Select(char.ConvertFromUtf32));

    private static readonly Gen<ulong> Bits =
        from high in Gen.Choose(int.MinValue, int.MaxValue)
        from low in Gen.Choose(int.MinValue, int.MaxValue)
        from shift in Gen.Choose(0, 63)
        select (((ulong)(uint)high << 32) | (uint)low) >> shift;

    private static readonly Gen<object> Array = Gen.OneOf(
        Of(Bits.Select(bits => (byte)bits)), Of(Bits.Select(bits => (sbyte)bits)), Of(Bits.Select(bits => (ushort)bits)), Of(Bits.Select(bits => (short)bits)),
        Of(Bits.Select(bits => (uint)bits)), Of(Bits.Select(bits => (int)bits)), Of(Bits), Of(Bits.Select(bits => (long)bits)),
        Of(Bits.Select(bits => BitConverter.UInt32BitsToSingle((uint)bits))), Of(Bits.Select(BitConverter.UInt64BitsToDouble)),
        Of(Bits.Select(bits => (bits & 1) != 0)), Of(Text));

    private static readonly Gen<object> Scalar = Gen.OneOf(
        Bits.Select(bits => (object)(byte)bits), Bits.Select(bits => (object)(sbyte)bits), Bits.Select(bits => (object)(ushort)bits),
        Bits.Select(bits => (object)(short)bits), Bits.Select(bits => (object)(uint)bits), Bits.Select(bits => (object)(int)bits), Bits.Select(bits => (object)bits),
        Bits.Select(bits => (object)(long)bits), Bits.Select(bits => (object)BitConverter.UInt32BitsToSingle((uint)bits)),
        Bits.Select(bits => (object)BitConverter.UInt64BitsToDouble(bits)), Bits.Select(bits => (object)((bits & 1) != 0)), Text.Select(text => (object)text));

    public static Arbitrary<Content> Contents() => Arb.From(
        from values in Gen.OneOf(Scalar, Array, Nested(1), Nested(3)).ListOf()
        from names in Text.ListOf(values.Count)
        from tensors in Tensor.ListOf()
        from tensorNames in Text.ListOf(tensors.Count)
        from alignment in Gen.OneOf(Gen.Constant((uint?)null), Gen.Choose(3, 12).Select(power => (uint?)(1u << power)))
        from version in Gen.Choose(2, 3)
        select new Content(
            [.. names.Zip(values, (name, value) => (name, value)).Select((pair, i) => ($"{pair.name}.{i}", pair.value))],
            [.. tensors.Zip(tensorNames, (tensor, name) => (tensor, name)).Select((pair, i) => pair.tensor with { Name = $"{pair.name}.{i}" })],
            alignment, version));

    private static Gen<object> Of<T>(Gen<T> element) => Length.SelectMany(length => element.ArrayOf(length).Select(values => (object)values));

    private static Gen<object> Nested(int depth) =>
        from length in Gen.Choose(0, 4)
        from items in (depth == 0 ? Array : Gen.OneOf(Array, Nested(depth - 1))).ArrayOf(length)
        select (object)items;

    private static Gen<ContentTensor> Tensor =>
        from type in Gen.Elements(GgmlTypes.All.AsEnumerable())
        from blocks in Gen.Choose(1, 3)
        from others in Gen.Choose(0, 3).SelectMany(rank => Gen.Choose(1, 3).ArrayOf(rank))
        from seed in Gen.Choose(0, int.MaxValue)
        select Make(type, blocks, others, seed);

    private static ContentTensor Make(GgmlType type, int blocks, int[] others, int seed)
    {
        long[] dimensions = [blocks * type.BlockLength, .. others.Select(other => (long)other)];
        byte[] data = new byte[type.Bytes(dimensions.Aggregate(1L, (product, dimension) => product * dimension))];
        new System.Random(seed).NextBytes(data);
        return new ContentTensor("", type, dimensions, data);
    }
}
