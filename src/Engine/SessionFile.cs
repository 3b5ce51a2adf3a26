using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Quern.Gguf;
using Quern.Kernels.Cpu;

namespace Quern.Engine;

/// <summary>
/// A session on disk, little-endian: 8 bytes <c>QUERNSES</c>; version, 32-bit; 32 bytes that stand for the model and the form of its cache; number of tokens and the token that is pending or −1, 32-bit;
/// the tokens, 32-bit; the pages of the cache in their order; 32 bytes SHA-256 of all before.
/// </summary>
internal static class SessionFile
{
    private const int Version = 2, HashBytes = SHA256.HashSizeInBytes;

    // So much of every tensor stands for all of it.
    private const int SampleBytes = 4096;

    private static ReadOnlySpan<byte> Magic => "QUERNSES"u8;

    /// <summary>A number for a model and the form of its cache: sessions go from one to another where it is the same.</summary>
    public static byte[] Fingerprint(GgufFile file, KvCache cache)
    {
        KvLayout layout = cache.Layout;
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        StringBuilder form = new($"{file.Metadata.GetString("general.architecture")}|{layout.KeyType}|{layout.ValueType}|{KvLayout.PageTokens}");
        form.AppendJoin('|', layout.Layers).Append(cache.PageForm);
        foreach (GgufTensor tensor in file.Tensors)
        {
            form.Append(tensor);
            hash.AppendData(tensor.Slice(0, (int)Math.Min(SampleBytes, tensor.ByteLength)));
        }

        hash.AppendData(Encoding.UTF8.GetBytes(form.ToString()));
        return hash.GetHashAndReset();
    }

    /// <summary>Writes a session. An older file is replaced when the new one is whole.</summary>
    public static void Write(string path, byte[] fingerprint, ReadOnlySpan<int> tokens, int pending, ReadOnlySpan<int> pages, KvCache cache)
    {
        string temporary = $"{path}.{Path.GetRandomFileName()}.tmp";
        try
        {
            using (FileStream file = new(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            using (IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256))
            {
                void Put(ReadOnlySpan<byte> bytes)
                {
                    hash.AppendData(bytes);
                    file.Write(bytes);
                }

                void PutNumber(int number)
                {
                    Span<byte> bytes = stackalloc byte[sizeof(int)];
                    BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
                    Put(bytes);
                }

                Put(Magic);
                PutNumber(Version);
                Put(fingerprint);
                PutNumber(tokens.Length);
                PutNumber(pending);
                Put(MemoryMarshal.AsBytes(tokens));
                byte[] page = new byte[cache.PageBytes];
                foreach (int number in pages)
                {
                    cache.ReadPage(number, page);
                    Put(page);
                }

                file.Write(hash.GetHashAndReset());
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Reads a session.</summary>
    /// <param name="path">The file.</param>
    /// <param name="fingerprint">What it has to be for.</param>
    /// <param name="mostTokens">The most tokens that fit.</param>
    /// <param name="vocabularySize">Ids are below it.</param>
    /// <param name="cache">Receives the pages.</param>
    /// <param name="begin">Called with the tokens; returns their pages in the cache.</param>
    /// <returns>The pending token.</returns>
    /// <exception cref="InvalidDataException">The file is none, is damaged, or is for another model or cache; the message says which.</exception>
    public static int Read(string path, byte[] fingerprint, int mostTokens, int vocabularySize, KvCache cache, Func<int[], int[]> begin)
    {
        using FileStream file = File.OpenRead(path);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Get(Span<byte> bytes, string what)
        {
            if (file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length) throw Error(path, $"it ends inside {what}, at byte {file.Position}");
            hash.AppendData(bytes);
        }

        int GetNumber(string what)
        {
            Span<byte> bytes = stackalloc byte[sizeof(int)];
            Get(bytes, what);
            return BinaryPrimitives.ReadInt32LittleEndian(bytes);
        }

        Span<byte> head = stackalloc byte[HashBytes];
        Get(head[..Magic.Length], "the name of its format");
        if (!head[..Magic.Length].SequenceEqual(Magic)) throw Error(path, "it does not begin with QUERNSES");
        if (GetNumber("the version") is var version && version != Version) throw Error(path, $"its version is {version}; expected {Version}");
        Get(head, "the fingerprint");
        if (!head.SequenceEqual(fingerprint)) throw Error(path, "it was saved with another model, or another type of keys and values, or on another device");
        int count = GetNumber("the number of tokens");
        if (count < 0 || count > mostTokens) throw Error(path, $"it has {count} tokens; expected at most {mostTokens}, the context");
        int pending = GetNumber("the pending token");
        if (pending < -1 || pending >= vocabularySize) throw Error(path, $"its pending token is {pending}; expected an id below {vocabularySize}, or -1");
        int[] tokens = new int[count];
        Get(MemoryMarshal.AsBytes(tokens.AsSpan()), "the tokens");
        foreach (int token in tokens)
            if ((uint)token >= (uint)vocabularySize) throw Error(path, $"it has a token {token}; expected an id below {vocabularySize}");
        byte[] page = new byte[cache.PageBytes];
        foreach (int number in begin(tokens))
        {
            Get(page, "the pages");
            cache.WritePage(number, page);
        }

        byte[] expected = hash.GetHashAndReset();
        Get(head, "the check sum");
        if (!head.SequenceEqual(expected)) throw Error(path, "its check sum is wrong");
        return file.ReadByte() < 0 ? pending : throw Error(path, "there is something behind its end");
    }

    private static InvalidDataException Error(string path, string what) => new($"'{path}' is no session of this model: {what}");
}
