using System.Text.Json;

namespace Quern.Cli.Commands;

/// <summary>
/// Token ids from a JSON file: an array of them, or an object that has one in <c>tokens</c>, perhaps the ids that an encoder reads before in <c>encoder_tokens</c>, and perhaps a context length in
/// <c>n_ctx</c>.
/// </summary>
internal sealed record TokensFile(int[] Tokens, int? ContextLength)
{
    /// <summary>What an encoder reads before; null where the file does not have it.</summary>
    public int[]? EncoderTokens { get; init; }

    /// <exception cref="InvalidDataException">The file is not of that form; the message says where.</exception>
    public static TokensFile Read(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            JsonElement root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Array) return new TokensFile(Ids(path, root), null);
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("tokens", out JsonElement tokens) || tokens.ValueKind != JsonValueKind.Array)
                throw new InvalidDataException($"{path}: expected an array of token ids, or an object with such an array in 'tokens'");
            int? context = null;
            if (root.TryGetProperty("n_ctx", out JsonElement value))
            {
                context = value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int length) && length > 0
                    ? length
                    : throw new InvalidDataException($"{path}: n_ctx is {value.GetRawText()}; expected a number of tokens, at least 1");
            }

            int[]? read = root.TryGetProperty("encoder_tokens", out JsonElement before)
                ? before.ValueKind == JsonValueKind.Array ? Ids(path, before) : throw new InvalidDataException($"{path}: encoder_tokens is {before.GetRawText()}; expected an array of token ids")
                : null;
            return new TokensFile(Ids(path, tokens), context) { EncoderTokens = read };
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: not JSON: {e.Message}", e);
        }
    }

    private static int[] Ids(string path, JsonElement array)
    {
        int[] ids = new int[array.GetArrayLength()];
        if (ids.Length == 0) throw new InvalidDataException($"{path}: there are no tokens; expected at least one");
        for (int i = 0; i < ids.Length; i++)
        {
            if (array[i].ValueKind != JsonValueKind.Number || !array[i].TryGetInt32(out ids[i]))
                throw new InvalidDataException($"{path}: token {i} is {array[i].GetRawText()}; expected an id");
        }

        return ids;
    }
}
