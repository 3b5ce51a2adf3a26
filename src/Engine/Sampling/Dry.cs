namespace Quern.Engine.Sampling;

public sealed partial record SamplingOptions
{
    /// <summary>The penalty for a token that makes a repetition one longer than allowed; 0 is off.</summary>
    public float DryMultiplier { get; init; }

    /// <summary>The factor by which the penalty grows with each further token.</summary>
    public float DryBase { get; init; } = 1.75f;

    /// <summary>The longest repetition, in tokens, after which a next token is not penalised.</summary>
    public int DryAllowedLength { get; init; } = 2;

    /// <summary>How many last tokens are searched for repetitions; 0 none, −1 the whole context.</summary>
    public int DryPenaltyLastN { get; init; } = -1;

    /// <summary>Texts that end a repetition.</summary>
    public IReadOnlyList<string> DrySequenceBreakers { get; init; } = ["\n", ":", "\"", "*"];
}

/// <summary>
/// "Don't repeat yourself": where the last L tokens also stand earlier, the token that followed them there is penalised by
/// multiplier · base^(L − allowed) if L ≥ allowed, for the largest such L; L does not reach across a sequence breaker, and breakers of one
/// token go free. All L at once are the Z-function of the reversed tokens, in linear time.
/// Source: p-e-w, text-generation-webui pull request 5677; Gusfield, "Algorithms on Strings, Trees, and Sequences" (1997), section 1.4, for Z.
/// </summary>
internal sealed class Dry : ISampler
{
    public static readonly SamplerEntry Entry = new(
        "dry", 'd', "penalises the token that would prolong a repetition", Create,
        new NumberOption("--dry-multiplier", "dry_multiplier", "F", "penalty for prolonging a repetition; 0 is off", OptionRange.AtLeast(0),
            options => options.DryMultiplier, (options, value) => options with { DryMultiplier = (float)value }),
        new NumberOption("--dry-base", "dry_base", "F", "growth of that penalty with each repeated token", OptionRange.AtLeast(1),
            options => options.DryBase, (options, value) => options with { DryBase = (float)value }),
        new NumberOption("--dry-allowed-length", "dry_allowed_length", "N", "repeated tokens that go unpunished", OptionRange.AtLeast(0),
            options => options.DryAllowedLength, (options, value) => options with { DryAllowedLength = (int)value })
        { IsInteger = true },
        new NumberOption("--dry-penalty-last-n", "dry_penalty_last_n", "N",
            "last tokens searched for repetitions; 0 is off, -1 the whole context", OptionRange.AtLeast(-1),
            options => options.DryPenaltyLastN, (options, value) => options with { DryPenaltyLastN = (int)value })
        { IsInteger = true },
        new TextOption("--dry-sequence-breaker", "dry_sequence_breakers", "TEXT",
            "text that ends a repetition, in place of the default ones; may be repeated; none for no text",
            () => "texts of 1 to 40 characters",
            options => DryText.Join(options.DrySequenceBreakers),
            (options, texts) => options with { DrySequenceBreakers = DryText.Parse(texts) },
            options => options.DrySequenceBreakers.All(text => text.Length is >= 1 and <= 40))
        { IsList = true });

    private readonly double _multiplier;
    private readonly double _base;
    private readonly int _allowed;
    private readonly DryBreakers _breakers;
    private readonly TokenHistory _history;
    private readonly int[] _newestFirst;
    private readonly int[] _repeats;

    private Dry(SamplingOptions options, DryBreakers breakers, int window)
    {
        (_multiplier, _base, _allowed) = (options.DryMultiplier, options.DryBase, options.DryAllowedLength);
        (_breakers, _history) = (breakers, new TokenHistory(window));
        (_newestFirst, _repeats) = (new int[window], new int[window]);
    }

    public void Apply(Candidates candidates)
    {
        if (_history.Count <= _allowed) return;
        _history.CopyNewestFirst(_newestFirst);
        ReadOnlySpan<int> newestFirst = _newestFirst.AsSpan(0, _history.Count);
        int limit = _breakers.TokensAfterLast(newestFirst);
        if (limit < _allowed) return;
        ZFunction(newestFirst, _repeats);

        // The mark of a token is one more than the longest repetition that it would prolong.
        Span<int> marks = candidates.Marks;
        for (int i = 1; i < newestFirst.Length; i++)
        {
            int repeat = Math.Min(_repeats[i], limit);
            if (repeat < _allowed) continue;
            ref int mark = ref marks[newestFirst[i - 1]];
            mark = Math.Max(mark, repeat + 1);
        }

        Span<float> logits = candidates.Logits;
        if (candidates.IsWhole)
        {
            foreach (int token in newestFirst)
            {
                if (marks[token] > 0) logits[token] = Penalise(logits[token], token, marks[token] - 1);
                marks[token] = 0;
            }
        }
        else
        {
            for (int i = 0; i < logits.Length; i++)
            {
                int token = candidates.TokenAt(i);
                if (marks[token] > 0) logits[i] = Penalise(logits[i], token, marks[token] - 1);
            }

            foreach (int token in newestFirst) marks[token] = 0;
        }

        candidates.OrderChanged();
    }

    public void Accept(int token) => _history.Add(token);

    public void Reset() => _history.Clear();

    public void CopyStateFrom(ISampler source) => _history.CopyFrom(((Dry)source)._history);

    /// <summary>z[i], for i ≥ 1, is the length of the longest common prefix of the tokens and the tokens from i on.</summary>
    internal static void ZFunction(ReadOnlySpan<int> tokens, Span<int> z)
    {
        // [left, right) is the match found so far that reaches furthest.
        int left = 0;
        int right = 0;
        for (int i = 1; i < tokens.Length; i++)
        {
            int length = i < right ? Math.Min(right - i, z[i - left]) : 0;
            while (i + length < tokens.Length && tokens[length] == tokens[i + length]) length++;
            z[i] = length;
            if (i + length > right) (left, right) = (i, i + length);
        }
    }

    // A repetition makes a token unlikely and never impossible: the result stays within the range of a float.
    private float Penalise(float logit, int token, int repeat)
    {
        if (float.IsNegativeInfinity(logit) || _breakers.IsBreaker(token)) return logit;
        return (float)Math.Max(logit - _multiplier * Math.Pow(_base, repeat - _allowed), float.MinValue);
    }

    private static Dry? Create(SamplerSettings settings)
    {
        SamplingOptions options = settings.Options;
        int window = settings.Window(options.DryPenaltyLastN);
        if (options.DryMultiplier == 0 || window == 0) return null;
        DryBreakers? breakers = options.DrySequenceBreakers.Count == 0 ? DryBreakers.None : settings.DryBreakers;
        return breakers is null
            ? throw new ArgumentException("--dry-multiplier (dry_multiplier) is set: the chain needs the sequence breakers as tokens (DryBreakers.FromText)")
            : new Dry(options, breakers, window);
    }
}
