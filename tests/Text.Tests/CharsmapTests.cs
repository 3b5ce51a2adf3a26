using System.Buffers.Binary;
using System.Text;
using FsCheck.Xunit;
using Quern.Text.Models;

namespace Quern.Text.Tests;

/// <summary>The double array of a Unigram normaliser, built here by first fit, and damaged.</summary>
public sealed class CharsmapTests
{
    private static readonly Dictionary<string, string> Rules = new()
    {
        ["\u3000"] = " ",
        ["\t"] = " ",
        ["ﬁ"] = "fi",
        ["A"] = "a",
        ["AB"] = "ab!",
        ["e\u0301"] = "é",
        ["½"] = "1/2",
        ["x"] = "",
    };

    [Theory]
    [InlineData("A", "a", 1)]
    [InlineData("AC", "a", 1)]
    [InlineData("ABC", "ab!", 2)]
    [InlineData("ﬁn", "fi", 3)]
    [InlineData("e\u0301", "é", 3)]
    [InlineData("xy", "", 1)]
    public void TheLongestKeyIsReplaced(string text, string expected, int consumed)
    {
        Assert.True(new Charsmap(Build(Rules)).TryReplace(Encoding.UTF8.GetBytes(text), out int found, out ReadOnlySpan<byte> replacement));
        Assert.Equal(expected, Encoding.UTF8.GetString(replacement));
        Assert.Equal(consumed, found);
    }

    [Theory]
    [InlineData("b")]
    [InlineData("e")]
    [InlineData("é")]
    [InlineData("\0A")]
    public void NoKeyNoReplacement(string text) => Assert.False(new Charsmap(Build(Rules)).TryReplace(Encoding.UTF8.GetBytes(text), out _, out _));

    [Fact]
    public void AUnigramTokenizerNormalizesWithIt()
    {
        Dictionary<string, object?> metadata = SmallVocabularies.Unigram();
        metadata["tokenizer.ggml.precompiled_charsmap"] = Build(Rules);
        Tokenizer tokenizer = SmallVocabularies.Make(metadata);
        Assert.Equal(tokenizer.Encode("a a<unk>é", parseSpecial: false), tokenizer.Encode("A\u3000\tA<unk>e\u0301", parseSpecial: false));
        Assert.Contains(Array.IndexOf([.. tokenizer.Vocabulary.Tokens], "é"), tokenizer.Encode("e\u0301"));
    }

    [Property(MaxTest = 2000)]
    public void ADamagedOneIsAnErrorAndNeverACrash(int position, byte value, int cut, string text)
    {
        byte[] bytes = Build(Rules);
        bytes[(uint)position % bytes.Length] = value;
        if (cut % 4 == 0) bytes = bytes[..(int)((uint)cut % bytes.Length)];
        Dictionary<string, object?> metadata = SmallVocabularies.Unigram();
        metadata["tokenizer.ggml.precompiled_charsmap"] = bytes;
        try
        {
            SmallVocabularies.Make(metadata).Encode("Aﬁ ½e\u0301\u3000x" + text);
        }
        catch (InvalidDataException error)
        {
            Assert.Contains("precompiled_charsmap", error.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Header, double array and replacements of a set of rules.</summary>
    private static byte[] Build(Dictionary<string, string> rules)
    {
        List<byte> replacements = [];
        List<(byte[] Key, int Value)> keys = [];
        foreach ((string key, string value) in rules)
        {
            keys.Add((Encoding.UTF8.GetBytes(key), replacements.Count));
            replacements.AddRange([.. Encoding.UTF8.GetBytes(value), 0]);
        }

        uint[] nodes = new uint[4096];
        bool[] used = new bool[nodes.Length];
        used[0] = true;
        Place(nodes, used, 0, keys, depth: 0);
        byte[] blob = new byte[sizeof(uint) + (sizeof(uint) * nodes.Length) + replacements.Count];
        BinaryPrimitives.WriteUInt32LittleEndian(blob, (uint)(sizeof(uint) * nodes.Length));
        for (int i = 0; i < nodes.Length; i++) BinaryPrimitives.WriteUInt32LittleEndian(blob.AsSpan(sizeof(uint) * (i + 1)), nodes[i]);
        replacements.CopyTo(blob, sizeof(uint) * (nodes.Length + 1));
        return blob;
    }

    private static void Place(uint[] nodes, bool[] used, int node, List<(byte[] Key, int Value)> keys, int depth)
    {
        (byte[] Key, int Value)[] ended = [.. keys.Where(k => k.Key.Length == depth)];
        ILookup<byte, (byte[] Key, int Value)> children = keys.Where(k => k.Key.Length > depth).ToLookup(k => k.Key[depth]);
        byte[] labels = [.. ended.Length > 0 ? new byte[] { 0 } : [], .. children.Select(c => c.Key)];
        int offset = Enumerable.Range(1, nodes.Length - 1).First(o => labels.All(l => (node ^ o ^ l) is > 0 and var n && n < nodes.Length && !used[n]));
        foreach (byte label in labels) used[node ^ offset ^ label] = true;
        nodes[node] |= ((uint)offset << 10) | (ended.Length > 0 ? 0x100u : 0);
        if (ended.Length > 0) nodes[node ^ offset] = 0x80000000 | (uint)ended[0].Value;
        foreach (IGrouping<byte, (byte[] Key, int Value)> child in children)
        {
            nodes[node ^ offset ^ child.Key] = child.Key;
            Place(nodes, used, node ^ offset ^ child.Key, [.. child], depth + 1);
        }
    }
}
