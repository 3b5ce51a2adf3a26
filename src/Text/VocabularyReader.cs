using Quern.Text.Models;
using Quern.Text.PreTokenizers;

namespace Quern.Text;

/// <summary>Makes a <see cref="Vocabulary"/> of the <c>tokenizer.*</c> keys of a GGUF file, and checks every one of them.</summary>
internal sealed class VocabularyReader(Func<string, object?> find)
{
    private const string Prefix = "tokenizer.ggml.";
    private readonly TokenizerMetadata _metadata = new(find);
    private readonly Dictionary<string, int> _ids = [];
    private string[] _tokens = [];
    private TokenType[] _types = [];

    public Vocabulary Read(string? preTokenizerOverride)
    {
        string name = _metadata.String(Prefix + "model") ?? throw new InvalidDataException($"{Prefix}model is missing: the file has no tokenizer");
        TokenizerModel model = TokenizerModel.Find(name);
        string preTokenizerName = preTokenizerOverride ?? model.PreTokenizer ?? _metadata.String(Prefix + "pre") ?? "";
        if (preTokenizerName.Length == 0) preTokenizerName = "default";
        PreTokenizer? preTokenizer = model.IsBytePair ? PreTokenizerTable.Find(preTokenizerName) : null;
        float[] scores = ReadTokens();

        // The end marks are found first, because they correct the types that everything else sees.
        int? eos = Special("eos_token_id", model.Eos);
        int? eot = Special("eot_token_id", null) ?? ByText(WellKnownTokens.EndOfTurn);
        int? eom = Special("eom_token_id", null) ?? ByText(WellKnownTokens.EndOfMessage);
        int? fimPrefix = Special("fim_pre_token_id", null) ?? Special("prefix_token_id", null) ?? ByText(WellKnownTokens.FimPrefix);
        int? fimSuffix = Special("fim_suf_token_id", null) ?? Special("suffix_token_id", null) ?? ByText(WellKnownTokens.FimSuffix);
        int? fimMiddle = Special("fim_mid_token_id", null) ?? Special("middle_token_id", null) ?? ByText(WellKnownTokens.FimMiddle);
        int? fimPad = Special("fim_pad_token_id", null) ?? ByText(WellKnownTokens.FimPad);
        int? fimRepository = Special("fim_rep_token_id", null) ?? ByText(WellKnownTokens.FimRepository);
        int? fimSeparator = Special("fim_sep_token_id", null) ?? ByText(WellKnownTokens.FimSeparator);
        int[] ends = WellKnownTokens.FindEndOfGeneration(ById, [eos, eot, eom, fimPad, fimRepository, fimSeparator], _types);

        int? cls = Special("cls_token_id", null);
        bool lowercase = _metadata.Boolean(Prefix + "normalizer.lowercase") ?? true;
        Vocabulary vocabulary = new()
        {
            Model = name,
            PreTokenizer = preTokenizerName,
            Tokens = _tokens,
            Scores = scores,
            Types = _types,
            Merges = ReadMerges(model, preTokenizer),
            PrecompiledCharsmap = _metadata.Bytes(Prefix + "precompiled_charsmap") ?? [],
            Bos = Special("bos_token_id", null) ?? cls ?? (preTokenizer is { NoDefaultBos: true } ? null : InRange(model.Bos)),
            Eos = eos,
            Eot = eot,
            Eom = eom,
            Unk = Special("unknown_token_id", model.Unk),
            Sep = Special("seperator_token_id", null) ?? Special("separator_token_id", model.Sep),
            Pad = Special("padding_token_id", model.Pad),
            Cls = cls,
            Mask = Special("mask_token_id", model.Mask),
            FimPrefix = fimPrefix,
            FimSuffix = fimSuffix,
            FimMiddle = fimMiddle,
            FimPad = fimPad,
            FimRepository = fimRepository,
            FimSeparator = fimSeparator,
            AddBos = preTokenizer is { ForcedBos: true } || (_metadata.Boolean(Prefix + "add_bos_token") ?? (model.AddBos || preTokenizer is { AddBos: true })),
            AddEos = _metadata.Boolean(Prefix + "add_eos_token") ?? model.AddEos,
            AddSep = _metadata.Boolean(Prefix + "add_sep_token") ?? (model.AddSep || preTokenizer is { AddSep: true }),
            AddSpacePrefix = _metadata.Boolean(Prefix + "add_space_prefix") ?? model.AddSpacePrefix,
            RemoveExtraWhitespaces = _metadata.Boolean(Prefix + "remove_extra_whitespaces") ?? false,
            Lowercase = lowercase,
            StripAccents = _metadata.Boolean(Prefix + "normalizer.strip_accents") ?? lowercase,
            StripCombiningMarks = _metadata.Boolean(Prefix + "normalizer.strip_accents") ?? false,
            TokenTypeCount = (int)Math.Clamp(_metadata.Integer(Prefix + "token_type_count") ?? 0, 0, int.MaxValue),
            SuppressedTokens = [.. (_metadata.Integers(Prefix + "suppress_tokens") ?? []).Where(id => (uint)id < (uint)_tokens.Length)],
            EndOfGeneration = ends,
            LeftStripped = TokenStripping.Left(preTokenizerName, _metadata, ById),
            RightStripped = TokenStripping.Right(_metadata, ById, _types),
        };
        CheckAdded(vocabulary.AddBos, "add_bos_token", vocabulary.Bos, "bos_token_id");
        CheckAdded(vocabulary.AddEos, "add_eos_token", vocabulary.Eos, "eos_token_id");
        CheckAdded(vocabulary.AddSep && model.Sep is not null, "add_sep_token", vocabulary.Sep, "seperator_token_id");
        return vocabulary;
    }

    private float[] ReadTokens()
    {
        _tokens = _metadata.Strings(Prefix + "tokens") ?? throw new InvalidDataException($"{Prefix}tokens is missing: the file has no vocabulary");
        if (_tokens.Length == 0) throw new InvalidDataException($"{Prefix}tokens is empty");
        float[]? scores = _metadata.Floats(Prefix + "scores");
        int[]? types = _metadata.Integers(Prefix + "token_type");
        if (scores is not null) CheckLength("scores", scores.Length);
        if (types is not null) CheckLength("token_type", types.Length);

        string[] named = (string[])_tokens.Clone();
        for (int id = 0; id < named.Length; id++)
        {
            if (named[id].Length == 0) named[id] = $"[EMPTY_{id}]";
            _ids.TryAdd(named[id], id);
        }

        _tokens = named;
        _types = types is null
            ? Enumerable.Repeat(TokenType.Normal, named.Length).ToArray()
            : Array.ConvertAll(types.AsSpan(0, named.Length).ToArray(), t => t is >= 1 and <= 6 ? (TokenType)t : TokenType.Undefined);
        return scores is null ? new float[named.Length] : scores.AsSpan(0, named.Length).ToArray();
    }

    private string[] ReadMerges(TokenizerModel model, PreTokenizer? preTokenizer)
    {
        if (!model.IsBytePair) return [];
        string[]? merges = _metadata.Strings(Prefix + "merges");
        if (merges is null && preTokenizer is not { MergesOptional: true })
            throw new InvalidDataException($"{Prefix}merges is missing, and a tokenizer of the model '{model.Name}' needs it");
        return merges ?? [];
    }

    private int? ById(string text) => _ids.TryGetValue(text, out int id) ? id : null;

    /// <summary>The first of the texts that the vocabulary has; it becomes a control token whatever the file calls it.</summary>
    private int? ByText(string[] texts)
    {
        foreach (string text in texts)
        {
            if (ById(text) is not { } id) continue;
            _types[id] = TokenType.Control;
            return id;
        }

        return null;
    }

    private int? Special(string key, int? otherwise)
    {
        if (_metadata.Integer(Prefix + key) is not { } id) return InRange(otherwise);

        // Writers put -1 (as a signed or an unsigned number) where a model has no such token.
        if (id is -1 or uint.MaxValue) return null;
        if (id < 0 || id >= _tokens.Length) throw new InvalidDataException($"{Prefix}{key} is {id}, but the vocabulary has {_tokens.Length} tokens");
        return (int)id;
    }

    private int? InRange(int? id) => id < _tokens.Length ? id : null;

    private void CheckLength(string key, int length)
    {
        if (length < _tokens.Length)
            throw new InvalidDataException($"{Prefix}{key} has {length} elements, but {Prefix}tokens has {_tokens.Length}");
    }

    private static void CheckAdded(bool added, string addKey, int? id, string idKey)
    {
        if (added && id is null) throw new InvalidDataException($"{Prefix}{addKey} is true, but {Prefix}{idKey} names no token");
    }
}
