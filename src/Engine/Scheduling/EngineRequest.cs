using Quern.Text;

namespace Quern.Engine;

/// <summary>Texts that an <see cref="InferenceEngine"/> generates from one prompt.</summary>
public sealed class EngineRequest
{
    private readonly EngineSequence[] _sequences;
    private readonly Tokenizer _tokenizer;
    private readonly IReadOnlyList<string> _stop;
    private readonly bool _continuesText;
    private readonly Action _wake;
    private readonly int[] _taken;
    private CancellationTokenRegistration _cancelling;
    private int _unread;

    internal EngineRequest(EngineSequence[] sequences, Tokenizer tokenizer, IReadOnlyList<string> stop, bool continuesText, Action wake)
    {
        (_sequences, _tokenizer, _stop, _continuesText, _wake) = (sequences, tokenizer, stop, continuesText, wake);
        _taken = new int[sequences.Length];
        _unread = sequences.Length;
    }

    /// <summary>Number of texts.</summary>
    public int Samples => _sequences.Length;

    /// <summary>Reads one of the texts as it comes. The engine goes on while nobody reads; a reader that leaves early stops the text.</summary>
    /// <param name="sample">Which text, below <see cref="Samples"/>; each can be read once.</param>
    /// <returns>An element for each token, and a last one that says why it ended and what it cost.</returns>
    /// <exception cref="InvalidOperationException">The text is read already, or the engine failed; the inner exception says why.</exception>
    public IAsyncEnumerable<GeneratedText> ReadAsync(int sample = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sample);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(sample, Samples);
        if (Interlocked.Exchange(ref _taken[sample], 1) != 0) throw new InvalidOperationException($"text {sample} is read already");
        return Read(_sequences[sample]);
    }

    /// <summary>Ends all texts with <see cref="FinishReason.Cancelled"/>; their memory is free before the next step.</summary>
    public void Cancel()
    {
        foreach (EngineSequence sequence in _sequences) sequence.Stop(FinishReason.Cancelled);
        _wake();
    }

    internal void CancelWith(CancellationToken cancellation) => _cancelling = cancellation.Register(Cancel);

    private async IAsyncEnumerable<GeneratedText> Read(EngineSequence sequence)
    {
        StopTexts stops = new(_stop);
        Detokenizer detokenizer = _tokenizer.CreateDetokenizer(continuesText: _continuesText);
        int read = 0;
        FinishReason finish = FinishReason.Stop;
        try
        {
            while (!stops.Stopped)
            {
                (int token, finish) = await sequence.Output.ReadAsync(read).ConfigureAwait(false);
                if (token == Generation.None) break;
                read++;
                string text = stops.Push(detokenizer.Append(token));
                if (stops.Stopped) finish = Stop(sequence);
                yield return new GeneratedText(text, token, LogProbabilities: sequence.Output.Likely(read - 1));
            }

            string rest = stops.Push(detokenizer.Flush());
            if (stops.Stopped) finish = FinishReason.Stop;
            yield return new GeneratedText(rest + stops.Flush(), Generation.None, finish, sequence.Statistics(read));
        }
        finally
        {
            Stop(sequence);
            if (Interlocked.Decrement(ref _unread) == 0) _cancelling.Unregister();
        }
    }

    private FinishReason Stop(EngineSequence sequence)
    {
        if (!sequence.Output.Ended)
        {
            sequence.Stop(FinishReason.Stop);
            _wake();
        }

        return FinishReason.Stop;
    }
}
