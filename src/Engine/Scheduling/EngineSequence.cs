using System.Diagnostics;
using Quern.Engine.Sampling;

namespace Quern.Engine;

/// <summary>One text that the engine generates: its tokens, how many of them are computed, its pages, and what was chosen. The engine's thread writes; anybody may ask for the end.</summary>
internal sealed class EngineSequence
{
    private readonly int[] _tokens;
    private readonly GenerationOptions _options;
    private readonly TokenChooser _chooser;
    private readonly QuernModel _model;
    private readonly long _submitted = Stopwatch.GetTimestamp();
    private readonly int _promptLength;
    private Activity? _activity;
    private int _length;
    private int _stop = -1;
    private long _firstToken;
    private long _lastToken;
    private int _cached = -1;

    public EngineSequence(QuernModel model, ReadOnlySpan<int> prompt, GenerationOptions options, TokenChooser chooser, int priority)
    {
        (_model, _options, _chooser, _promptLength, Priority) = (model, options, chooser, prompt.Length, priority);
        // The last token may be chosen and not computed.
        int most = (int)Math.Min((long)prompt.Length + (options.MaxTokens ?? int.MaxValue), model.ContextLength + 1L);
        _tokens = new int[most];
        prompt.CopyTo(_tokens);
        _length = prompt.Length;
        Output = new TokenOutput(most - prompt.Length, options.LogProbabilities is { } count ? 1 + Math.Min(count, model.VocabularySize) : 0);
        Pages = new SequencePages(model.Pages, Math.Min(most, model.ContextLength));
        chooser.Accept(prompt);
    }

    /// <summary>Lower numbers go first.</summary>
    public int Priority { get; }

    /// <summary>When it was submitted, as a number that rises.</summary>
    public long Arrival { get; init; }

    /// <summary>Sequences that begin with the same prompt and are made of this one when it is computed.</summary>
    public EngineSequence[] Siblings { get; set; } = [];

    /// <summary>What is proposed to come next; null where nobody proposes.</summary>
    public Proposal? Proposal { get; init; }

    /// <summary>The most tokens that may be proposed: one more has to find room behind them.</summary>
    public int MostProposed => _tokens.Length - _length - 1;

    public TokenChooser Chooser => _chooser;

    public SequencePages Pages { get; }

    /// <summary>What was chosen, for the one who reads.</summary>
    public TokenOutput Output { get; }

    /// <summary>The tokens that the model sees, of the prompt and chosen ones.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, _length);

    /// <summary>Tokens in the cache.</summary>
    public int Computed { get; private set; }

    /// <summary>Tokens that are not.</summary>
    public int Pending => _length - Computed;

    /// <summary>Whether tokens of it are computed again because what was proposed behind them was not right: a state goes back to the beginning of a page.</summary>
    public bool Recomputes { get; private set; }

    /// <summary>Tokens of the pass that is being made.</summary>
    public int Scheduled { get; set; }

    /// <summary>The next tokens to compute, with what is proposed behind them.</summary>
    /// <param name="count">How many, without what is proposed.</param>
    public ReadOnlySpan<int> Next(int count)
    {
        if (count < Pending || Proposal is not { Count: > 0 } proposal) return _tokens.AsSpan(Computed, count);
        proposal.Tokens.CopyTo(_tokens.AsSpan(_length));
        return _tokens.AsSpan(Computed, count + proposal.Count);
    }

    /// <summary>Whether somebody asked for the end; the engine looks before every step.</summary>
    public bool StopRequested => Volatile.Read(ref _stop) >= 0;

    public GenerationStatistics Statistics(int read) => new(
        _promptLength, Between(_submitted, _firstToken), read, Math.Max(0, read - 1), Between(_firstToken, _lastToken), _chooser.Seed, Math.Max(0, _cached),
        Proposal?.Proposed ?? 0, Proposal?.Accepted ?? 0, _chooser.SelectedTokens);

    /// <summary>It was taken.</summary>
    public void Taken()
    {
        // The activity is the engine's, and not what its caller does from here on.
        Activity? current = Activity.Current;
        _activity = EngineMeters.Activities.CreateActivity("text_completion", ActivityKind.Internal)?.Start();
        Activity.Current = current;
    }

    /// <summary>Begins, or begins again after its pages were taken away.</summary>
    /// <param name="known">Tokens that its pages store already.</param>
    public void Begin(int known)
    {
        Computed = known;
        // What a sequence finds of itself after it lost its pages was not found in the cache of others.
        if (_cached < 0) _cached = known;
    }

    /// <summary>Gives its pages back; everything has to be computed again.</summary>
    public void LosePages()
    {
        Proposal?.Clear();
        Pages.TryResize(0);
        Computed = 0;
        Recomputes = false;
    }

    /// <summary>The pass is done.</summary>
    public void Advance(bool publish)
    {
        Computed += Scheduled;
        if (Proposal is { Count: > 0 } proposal)
        {
            // What was proposed and not kept leaves no page behind, and no state.
            if (!proposal.IsChain) KeepInPlace(proposal, Computed - proposal.Kept.Length);
            Pages.TryResize(Computed);
            int kept = Computed;
            Computed = _model.Kept(kept, kept - Scheduled + 1 + proposal.Count);
            Recomputes = Computed < kept;
        }
        else
        {
            Recomputes &= Pending > 0;
        }

        if (publish) Pages.Publish(_tokens.AsSpan(0, Computed));
        if (_model.Window is { } window) Pages.Pass(Computed - window + 1);
    }

    // The way through a tree that was kept, one token behind the other.
    private void KeepInPlace(Proposal proposal, int firstSlot)
    {
        Span<int> slots = stackalloc int[proposal.Kept.Length];
        for (int i = 0; i < slots.Length; i++) slots[i] = firstSlot + proposal.Kept[i];
        if (slots.Length > 0 && slots[^1] != firstSlot + slots.Length - 1) _model.Move(Pages, slots, firstSlot);
    }

    /// <summary>Takes over what another sequence with the same tokens has computed.</summary>
    public void Fork(EngineSequence source)
    {
        Debug.Assert(source._length == _length, "only a prompt is forked");
        Pages.ShareFrom(source.Pages);
        (Computed, _cached) = (source.Computed, source.Computed);
    }

    /// <summary>Chooses the next token.</summary>
    /// <param name="logits">Those of the pass; changed.</param>
    /// <param name="row">The row behind the last token.</param>
    /// <returns>Tokens of the prompt, if it is the first, otherwise 0; and the time since the request or since the one before.</returns>
    public (int PromptTokens, TimeSpan Time) Choose(PassLogits logits, int row)
    {
        int token = _chooser.Choose(logits, row, Output.NextLikely());
        long before = _lastToken;
        _lastToken = Stopwatch.GetTimestamp();
        if (before == 0) _firstToken = _lastToken;
        if (!_options.IgnoreEos && _model.Vocabulary.IsEndOfGeneration(token)) End(FinishReason.Eos);
        else Append(token);
        return (before == 0 ? _promptLength : 0, Stopwatch.GetElapsedTime(before == 0 ? _submitted : before, _lastToken));
    }

    /// <summary>
    /// Chooses tokens as long as they are what was proposed, and one more. Where tokens were proposed without being drawn, each choice is the one that <see cref="Choose"/> would have made, to the random number, whatever was proposed.
    /// </summary>
    /// <param name="logits">Those of the pass; changed.</param>
    /// <param name="firstRow">The row behind the last token; those behind each of the proposed ones follow.</param>
    /// <returns>The time since the token before.</returns>
    public TimeSpan ChooseProposed(PassLogits logits, int firstRow)
    {
        Proposal proposal = Proposal!;
        long before = _lastToken;
        for (int at = Proposal.Root; at != Proposal.None && !Output.Ended;)
        {
            int row = firstRow + at + 1, drawn = proposal.DrawnChild(at), token;
            if (drawn == Proposal.None)
            {
                token = _chooser.Choose(logits, row, Output.NextLikely());
                at = proposal.Child(at, token);
            }
            else
            {
                token = _chooser.Verify(logits, row, proposal.Tokens[drawn], proposal.Distribution(drawn), Output.NextLikely(), out bool kept);
                at = kept ? drawn : Proposal.None;
            }

            _lastToken = Stopwatch.GetTimestamp();
            if (!_options.IgnoreEos && _model.Vocabulary.IsEndOfGeneration(token)) End(FinishReason.Eos);
            else Append(token);
            if (at != Proposal.None) proposal.Keep(at);
        }

        return Stopwatch.GetElapsedTime(before, _lastToken);
    }

    /// <summary>Whether the context is over-full; then <see cref="TryShift"/> has to make room.</summary>
    public bool IsOverfull => _length > _model.ContextLength;

    /// <summary>Forgets the older half of the tokens, if the options say so; what stays has to be computed again.</summary>
    /// <returns>False if they do not, or keep too many.</returns>
    public bool TryShift()
    {
        if (ContextShift.Dropped(_length, _options.ShiftKeep) is not (> 0 and var dropped)) return false;
        _length = ContextShift.Apply(_tokens.AsSpan(0, _length), _options.ShiftKeep!.Value, dropped);
        LosePages();
        return true;
    }

    /// <summary>Asks for the end; from any thread.</summary>
    public void Stop(FinishReason reason) => Interlocked.CompareExchange(ref _stop, (int)reason, -1);

    /// <summary>Ends as <see cref="Stop"/> asked.</summary>
    public void EndAsRequested() => End((FinishReason)Volatile.Read(ref _stop));

    /// <summary>Gives its pages back and tells the reader why; those that wait for its prompt end with it.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="error">What failed, or null.</param>
    public void End(FinishReason reason, Exception? error = null)
    {
        if (Output.Ended) return;
        Pages.TryResize(0);
        EngineMeters.End(_activity, _promptLength, Output.Count, reason, error);
        Output.End(reason, error);
        foreach (EngineSequence sibling in Siblings) sibling.End(reason, error);
    }

    /// <summary>The same after an error.</summary>
    public void Fail(Exception error) => End(FinishReason.Cancelled, error);

    private static TimeSpan Between(long from, long to) => from == 0 || to == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(from, to);

    private void Append(int token)
    {
        _tokens[_length++] = token;
        Output.Write(token);
        if (Output.Count == _options.MaxTokens) End(FinishReason.Length);
    }
}
