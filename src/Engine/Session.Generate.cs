using System.Runtime.CompilerServices;
using Quern.Models;
using Quern.Text;

namespace Quern.Engine;

public sealed partial class Session
{
    /// <summary>Begins a generation from text, token by token.</summary>
    /// <param name="prompt">The text to go on from. At the beginning of a session the tokens that the model wants there are added.</param>
    /// <param name="options">What to generate; null for the defaults.</param>
    /// <param name="cancellation">Ends the generation with <see cref="FinishReason.Cancelled"/>.</param>
    /// <exception cref="ContextFullException">The prompt does not fit.</exception>
    /// <exception cref="ArgumentException">An option has a value that is not allowed, or there is nothing to begin with.</exception>
    public Generation Start(string prompt, GenerationOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        options ??= new GenerationOptions();
        return Start(_model.Encode(prompt, options, begins: Length == 0), options, cancellation);
    }

    /// <summary>Begins a generation from tokens.</summary>
    /// <param name="prompt">The tokens to append first; at least one, unless an earlier generation left one.</param>
    /// <param name="options">What to generate; null for the defaults.</param>
    /// <param name="cancellation">Ends the generation with <see cref="FinishReason.Cancelled"/>.</param>
    /// <exception cref="ContextFullException">The prompt does not fit.</exception>
    /// <exception cref="ArgumentException">An option has a value that is not allowed, or there is nothing to begin with.</exception>
    public Generation Start(ReadOnlySpan<int> prompt, GenerationOptions? options = null, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new Generation(this, prompt.ToArray(), options ?? new GenerationOptions(), cancellation);
    }

    /// <summary>Generates text as it comes.</summary>
    /// <inheritdoc cref="GenerateAsync(string, GenerationOptions?, CancellationToken)"/>
    public IEnumerable<GeneratedText> Generate(string prompt, GenerationOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= new GenerationOptions();
        // What an encoder–decoder writes does not go on from what it reads.
        bool continuesText = Length > PrefixLength || (prompt.Length > 0 && _model.Task != ModelTask.EncoderDecoder);
        return Read(Start(prompt, options, cancellation), new StopTexts(options.Stop), _model.Tokenizer.CreateDetokenizer(continuesText: continuesText));
    }

    /// <summary>Generates text from tokens as it comes.</summary>
    /// <param name="prompt">The tokens to append first; at least one, unless an earlier generation left one.</param>
    /// <param name="options">What to generate; null for the defaults.</param>
    /// <param name="cancellation">Ends the generation with <see cref="FinishReason.Cancelled"/>.</param>
    /// <returns>An element for each token, and a last one that says why it ended and what it cost.</returns>
    /// <exception cref="ContextFullException">The prompt does not fit.</exception>
    /// <exception cref="ArgumentException">An option has a value that is not allowed, or there is nothing to begin with.</exception>
    public IEnumerable<GeneratedText> Generate(ReadOnlySpan<int> prompt, GenerationOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= new GenerationOptions();
        return Read(Start(prompt, options, cancellation), new StopTexts(options.Stop), _model.Tokenizer.CreateDetokenizer(continuesText: Length > PrefixLength || _model.Task != ModelTask.EncoderDecoder));
    }

    /// <summary>Generates text as it comes. Each token is computed on a thread of the pool.</summary>
    /// <param name="prompt">The text to go on from. At the beginning of a session the tokens that the model wants there are added.</param>
    /// <param name="options">What to generate; null for the defaults.</param>
    /// <param name="cancellation">Ends the generation with <see cref="FinishReason.Cancelled"/>: what came before stays, and nothing is thrown.</param>
    /// <returns>An element for each token, and a last one that says why it ended and what it cost.</returns>
    /// <exception cref="ContextFullException">The prompt does not fit.</exception>
    /// <exception cref="ArgumentException">An option has a value that is not allowed.</exception>
    public IAsyncEnumerable<GeneratedText> GenerateAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellation = default) =>
        OnPool(Generate(prompt, options, cancellation), CancellationToken.None);

    private static IEnumerable<GeneratedText> Read(Generation generation, StopTexts stops, Detokenizer detokenizer)
    {
        while (true)
        {
            int token = generation.Step();
            if (token == Generation.None) break;
            string text = stops.Push(detokenizer.Append(token));
            if (stops.Stopped) generation.Stop();
            yield return new GeneratedText(text, token, LogProbabilities: generation.LogProbabilities is { IsEmpty: false } likely ? likely.ToArray() : null);
        }

        string rest = stops.Push(detokenizer.Flush());
        if (stops.Stopped) generation.Stop();
        yield return new GeneratedText(rest + stops.Flush(), Generation.None, generation.Finish, generation.Statistics);
    }

    private static async IAsyncEnumerable<GeneratedText> OnPool(
        IEnumerable<GeneratedText> pieces, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        using IEnumerator<GeneratedText> enumerator = pieces.GetEnumerator();
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            // A step takes milliseconds to seconds: never on the caller's thread.
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            if (!enumerator.MoveNext()) yield break;
            yield return enumerator.Current;
        }
    }
}
