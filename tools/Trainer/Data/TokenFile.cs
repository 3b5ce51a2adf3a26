using System.Runtime.InteropServices;

namespace Quern.Trainer.Data;

/// <summary>
/// A file of tokens, each a little-endian 16-bit number: documents one after the other, each begun by the vocabulary's BOS. A file of the same name with the
/// ending <c>.mask</c>, one byte a token, says which are to be learnt (not 0); without it all are. A BOS is never learnt: nothing foretells it.
/// </summary>
internal sealed class TokenFile
{
    private readonly ushort[] _tokens;
    private readonly byte[]? _mask;
    private readonly int _bos;
    private readonly int[] _documents;

    private TokenFile(ushort[] tokens, byte[]? mask, int bos)
    {
        (_tokens, _mask, _bos) = (tokens, mask, bos);
        _documents = [.. Enumerable.Range(0, tokens.Length).Where(i => tokens[i] == bos)];
    }

    /// <summary>Number of tokens.</summary>
    public int Count => _tokens.Length;

    /// <summary>Where documents begin.</summary>
    public IReadOnlyList<int> Documents => _documents;

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabulary">Number of tokens that the model knows.</param>
    /// <param name="bos">The token that begins documents.</param>
    /// <param name="length">Tokens of a sequence that the file has to hold at least one of.</param>
    /// <exception cref="InvalidDataException">The file is not such a file, or too short.</exception>
    public static TokenFile Read(string path, int vocabulary, int bos, int length)
    {
        if (!File.Exists(path)) throw new InvalidDataException($"{path}: there is no such file; expected 16-bit tokens, as quern-corpus writes them");
        byte[] bytes = File.ReadAllBytes(path);
        if (bytes.Length % 2 != 0) throw new InvalidDataException($"{path} has {bytes.Length} bytes; expected two for each token");
        ushort[] tokens = new ushort[bytes.Length / 2];
        if (!BitConverter.IsLittleEndian) throw new PlatformNotSupportedException("token files are read on little-endian machines only");
        bytes.CopyTo(MemoryMarshal.AsBytes(tokens.AsSpan()));
        for (int i = 0; i < tokens.Length; i++)
            if (tokens[i] >= vocabulary) throw new InvalidDataException($"{path}: token {i} is {tokens[i]}; expected less than {vocabulary}, the model's vocabulary");
        if (tokens.Length < length + 1) throw new InvalidDataException($"{path} has {tokens.Length} tokens; expected at least {length + 1}, a sequence and what follows");
        if (tokens[0] != bos) throw new InvalidDataException($"{path}: token 0 is {tokens[0]}; expected {bos}, the BOS that begins every document");
        string maskPath = Path.ChangeExtension(path, ".mask");
        byte[]? mask = File.Exists(maskPath) ? File.ReadAllBytes(maskPath) : null;
        if (mask is not null && mask.Length != tokens.Length)
            throw new InvalidDataException($"{maskPath} has {mask.Length} bytes; expected {tokens.Length}, one for each token of {Path.GetFileName(path)}");
        return new TokenFile(tokens, mask, bos);
    }

    /// <summary>Documents that have a whole sequence of <paramref name="length"/> and what follows from their beginning on; at least 1, because the file begins with one.</summary>
    public int DocumentsBefore(int length)
    {
        int found = Array.BinarySearch(_documents, _tokens.Length - length);
        return found < 0 ? ~found : found;
    }

    /// <summary>Writes a sequence that begins at a token of the file into a batch.</summary>
    public void Fill(int start, TokenBatch batch, int sequence)
    {
        int row = sequence * batch.Length, firstKey = 0;
        for (int i = 0; i < batch.Length; i++)
        {
            int token = _tokens[start + i], target = _tokens[start + i + 1];
            if (token == _bos) firstKey = i;
            batch.Inputs[row + i] = token;
            batch.Targets[row + i] = target;
            batch.FirstKeys[row + i] = firstKey;
            batch.Weights[row + i] = target == _bos || (_mask is not null && _mask[start + i + 1] == 0) ? 0 : 1;
        }
    }
}
