using System.Buffers.Binary;
using System.Text;

namespace Quern.Gguf;

/// <summary>Says what a file looks like that is not GGUF: people pick the wrong file, or a download left a web page.</summary>
internal static class ForeignFile
{
    public static GgufFormatException Describe(FileMap map)
    {
        ReadOnlySpan<byte> head = map.Slice(0, (int)Math.Min(map.Length, 256));
        string text = Encoding.Latin1.GetString(head).TrimStart('\uFEFF', ' ', '\t', '\r', '\n');
        string found =
            head.IsEmpty ? "the file is empty"
            : text.StartsWith("version https://git-lfs", StringComparison.Ordinal) ? "this is a Git LFS pointer, not the file itself: run 'git lfs pull'"
            : text.StartsWith('<') ? "this looks like an HTML or XML page: the download returned a web page instead of the model"
            : head.StartsWith("PK\u0003\u0004"u8) ? "this looks like a zip archive, perhaps a PyTorch checkpoint: convert it to GGUF first"
            : IsSafetensors(head, map.Length) ? "this looks like a safetensors file: convert it to GGUF first"
            : head.StartsWith("lmgg"u8) || head.StartsWith("fmgg"u8) || head.StartsWith("tjgg"u8) ? "this is a GGML file from before GGUF: convert the original model again"
            : head.StartsWith("algg"u8) ? "this is a GGLA adapter from before GGUF: convert the original adapter again"
            : head.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]) ? "this looks like a gzip file: unpack it first"
            : text.StartsWith('{') ? "this looks like JSON"
            : "GGUF"u8.StartsWith(head) ? $"the file ends after {head.Length} bytes"
            : !head.ContainsAnyExcept((byte)0) ? "the file begins with zeros: the download is incomplete"
            : $"it begins with the bytes {Convert.ToHexString(head[..Math.Min(4, head.Length)])}";
        return new GgufFormatException(map.Path, "magic number", 0, $"not a GGUF file, {found}; expected the bytes 'GGUF'");
    }

    /// <summary>A 64-bit length of the JSON header, and the header. Source: the safetensors README.</summary>
    private static bool IsSafetensors(ReadOnlySpan<byte> head, long fileBytes) =>
        head.Length > 8 && BinaryPrimitives.ReadUInt64LittleEndian(head) <= (ulong)(fileBytes - 8) && head[8] == (byte)'{';
}
