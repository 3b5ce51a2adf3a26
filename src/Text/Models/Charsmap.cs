using System.Buffers.Binary;

namespace Quern.Text.Models;

/// <summary>
/// The replacements of a SentencePiece model: the length of a double array in bytes, the double array, and the replacements, each ended by
/// a zero byte. A node of the array is 32 bits: bits 0 to 7 the byte that leads to it, bit 8 set where a key ends, bits 10 to 30 the
/// offset of its children (times 256 where bit 9 is set); the child of byte 0 holds the place of the replacement in bits 0 to 30, with bit 31 set.
/// Source: Darts-clone, darts.h; Kanda et al., Space- and Time-Efficient String Dictionaries, 2018.
/// </summary>
internal sealed class Charsmap
{
    private const string Key = "tokenizer.ggml.precompiled_charsmap";
    private readonly uint[] _nodes;
    private readonly ReadOnlyMemory<byte> _replacements;

    /// <exception cref="InvalidDataException">The lengths do not fit, or the array is empty.</exception>
    public Charsmap(ReadOnlyMemory<byte> blob)
    {
        if (blob.Length < sizeof(uint)) throw new InvalidDataException($"{Key} has {blob.Length} bytes, and needs at least the {sizeof(uint)} of its header");
        uint arrayBytes = BinaryPrimitives.ReadUInt32LittleEndian(blob.Span);
        if (arrayBytes < sizeof(uint) || arrayBytes % sizeof(uint) != 0 || arrayBytes >= blob.Length - sizeof(uint))
            throw new InvalidDataException($"{Key} has {blob.Length} bytes, but its header says that the array alone has {arrayBytes}");
        if (blob.Span[^1] != 0) throw new InvalidDataException($"{Key} does not end with the zero byte of its last replacement");
        _nodes = new uint[arrayBytes / sizeof(uint)];
        for (int i = 0; i < _nodes.Length; i++) _nodes[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob.Span[(sizeof(uint) * (i + 1))..]);
        _replacements = blob[(int)(sizeof(uint) + arrayBytes)..];
    }

    /// <summary>The replacement of the longest key that the text begins with; false where there is none.</summary>
    /// <exception cref="InvalidDataException">The array points beyond its end or that of the replacements.</exception>
    public bool TryReplace(ReadOnlySpan<byte> text, out int consumed, out ReadOnlySpan<byte> replacement)
    {
        consumed = 0;
        uint found = 0;
        uint node = Children(Node(0));
        for (int i = 0; i < text.Length && text[i] != 0; i++)
        {
            node ^= text[i];
            uint value = Node(node);
            if ((value & 0x800000FF) != text[i]) break;
            node ^= Children(value);
            if ((value & 0x100) == 0) continue;
            consumed = i + 1;
            found = Node(node) & 0x7FFFFFFF;
        }

        replacement = default;
        if (consumed == 0) return false;
        if (found >= _replacements.Length) throw new InvalidDataException($"{Key} names a replacement at {found}, but has {_replacements.Length} bytes of them");
        ReadOnlySpan<byte> rest = _replacements.Span[(int)found..];
        replacement = rest[..rest.IndexOf((byte)0)];
        return true;
    }

    private static uint Children(uint node) => (node >> 10) << (int)((node & 0x200) >> 6);

    private uint Node(uint index) =>
        index < (uint)_nodes.Length ? _nodes[index] : throw new InvalidDataException($"{Key} points at node {index}, but has {_nodes.Length}");
}
