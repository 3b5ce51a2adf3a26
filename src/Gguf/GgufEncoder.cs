using System.Runtime.InteropServices;

namespace Quern.Gguf;

/// <summary>Lays out a file: header, tensor entries, padding, tensor data. Source: ggml/docs/gguf.md, version 3.</summary>
internal static class GgufEncoder
{
    public static void Write(
        Stream stream, int version, int alignment, IReadOnlyList<(string Key, object Value)> metadata, IReadOnlyList<PlannedTensor> tensors)
    {
        byte[] padding = new byte[alignment];
        using MemoryStream header = new();
        using (BinaryWriter writer = new(header, GgufText.Strict, leaveOpen: true)) WriteHeader(writer, version, alignment, metadata, tensors);
        header.WriteTo(stream);
        stream.Write(padding, 0, PaddingAfter(header.Length, alignment));
        foreach (PlannedTensor tensor in tensors)
        {
            using (ExactLengthStream body = new(stream, tensor.Name, tensor.Bytes))
            {
                tensor.Write(body);
                body.CheckComplete();
            }

            stream.Write(padding, 0, PaddingAfter(tensor.Bytes, alignment));
        }
    }

    private static void WriteHeader(
        BinaryWriter writer, int version, int alignment, IReadOnlyList<(string Key, object Value)> metadata, IReadOnlyList<PlannedTensor> tensors)
    {
        writer.Write("GGUF"u8);
        writer.Write(version);
        writer.Write((long)tensors.Count);
        writer.Write((long)metadata.Count);
        foreach ((string key, object value) in metadata)
        {
            WriteString(writer, key);
            writer.Write((int)GgufValueTypes.Of(value.GetType())!.Value);
            WriteValue(writer, value);
        }

        long offset = 0;
        foreach (PlannedTensor tensor in tensors)
        {
            WriteString(writer, tensor.Name);
            writer.Write(tensor.Dimensions.Length);
            foreach (long dimension in tensor.Dimensions) writer.Write(dimension);
            writer.Write(tensor.Type.Id);
            writer.Write(offset);
            offset = checked(offset + tensor.Bytes + PaddingAfter(tensor.Bytes, alignment));
        }
    }

    private static void WriteValue(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case byte number: writer.Write(number); break;
            case sbyte number: writer.Write(number); break;
            case ushort number: writer.Write(number); break;
            case short number: writer.Write(number); break;
            case uint number: writer.Write(number); break;
            case int number: writer.Write(number); break;
            case float number: writer.Write(number); break;
            case bool truth: writer.Write(truth); break;
            case string text: WriteString(writer, text); break;
            case ulong number: writer.Write(number); break;
            case long number: writer.Write(number); break;
            case double number: writer.Write(number); break;
            default: WriteArray(writer, (Array)value); break;
        }
    }

    private static void WriteArray(BinaryWriter writer, Array array)
    {
        GgufValueType element = GgufText.ElementType(array)!.Value;
        writer.Write((int)element);
        writer.Write((long)array.Length);
        if (GgufValueTypes.FixedBytes(element) != 0)
            writer.Write(MemoryMarshal.CreateReadOnlySpan(ref MemoryMarshal.GetArrayDataReference(array), Buffer.ByteLength(array)));
        else
            foreach (object item in array) WriteValue(writer, item);
    }

    private static void WriteString(BinaryWriter writer, string text)
    {
        writer.Write((long)GgufText.Strict.GetByteCount(text));
        writer.Write(text.AsSpan());
    }

    private static int PaddingAfter(long bytes, int alignment) => (int)((alignment - (bytes % alignment)) % alignment);
}
