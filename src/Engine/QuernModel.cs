using Quern.Engine.Sampling;
using Quern.Gguf;
using Quern.Kernels.Cpu;
using Quern.Models;
using Quern.Text;

namespace Quern.Engine;

/// <summary>
/// A model, ready to run: its file, its tokenizer, its weights on a back end, and the cache that its sessions share. Thread-safe; dispose it after its
/// sessions.
/// </summary>
/// <example>
/// <code>
/// using QuernModel model = QuernModel.Load("model.gguf");
/// using Session session = model.CreateSession();
/// await foreach (GeneratedText piece in session.GenerateAsync("Once upon a time")) Console.Write(piece.Text);
/// </code>
/// </example>
public sealed partial class QuernModel : IDisposable
{
    private readonly GgufFile _file;
    private readonly Model _model;
    private readonly Backend _backend;
    private readonly KvCache _cache;
    private readonly IDisposable? _threads;
    private readonly bool _hasState;
    private readonly Lock _turn = new();
    private readonly Lock _breakersTurn = new();
    private readonly HashSet<Session> _sessions = [];
    private DryBreakers? _breakers;
    private IReadOnlyList<string> _breakerTexts = [];
    private bool _disposed;

    private QuernModel(GgufFile file, Vocabulary vocabulary, Model model, Backend backend, IDisposable? threads, ModelOptions options, int contextLength)
    {
        (_file, Vocabulary, _model, _backend, _threads, Options, ContextLength) = (file, vocabulary, model, backend, threads, options, contextLength);
        _hasState = model.KvLayers.Any(layer => layer.StateLength > 0);
        Tokenizer = Tokenizer.Create(vocabulary);
        KvLayout page = new(model.KvLayers, options.EffectiveKvType, options.EffectiveValueType, PageCount: 1) { Windowed = model.WindowedLayers };
        CachePlan plan = CachePlan.Of(model, backend, options, page, contextLength);
        Pages = plan.CreatePages(new CacheMemory(this));
        Window = plan.Window;
        _cache = backend.CreateKvCache(page with { PageCount = Pages.Slots });
        Warnings = [.. Doubts()];
    }

    /// <summary>The model's sizes and constants.</summary>
    public ModelConfig Config => _model.Config;

    /// <summary>The file's metadata.</summary>
    public GgufMetadata Metadata => _file.Metadata;

    /// <summary>The file.</summary>
    public GgufFile File => _file;

    /// <summary>The tokens.</summary>
    public Vocabulary Vocabulary { get; }

    /// <summary>Makes tokens from text and text from tokens.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The model's own chat template, or null if the file has none.</summary>
    /// <exception cref="ChatTemplateException">It is not well formed; the message says where.</exception>
    public ChatTemplate? ChatTemplate => field ??= Metadata.GetStringOr("tokenizer.chat_template", null) is { } source ? ChatTemplate.Parse(source) : null;

    /// <summary>How the model was loaded.</summary>
    public ModelOptions Options { get; }

    /// <summary>Tokens that a session holds.</summary>
    public int ContextLength { get; }

    /// <summary>What the model makes of a text.</summary>
    public ModelTask Task => _model.Task;

    /// <summary>Scores that the model gives for a text as an answer to another one; 0 where the file has no classifier.</summary>
    public int LabelCount => _model.LabelCount;

    /// <summary>Number of logits.</summary>
    public int VocabularySize => _model.Config.VocabularySize;

    /// <summary>What computes: processor, instruction set, threads.</summary>
    public string BackendDescription => _backend.Description;

    /// <summary>
    /// With <see cref="ModelOptions.Int8Prompts"/>, how far the products of prompts were off so far: <c>√(Σ (y' − y)² / Σ y²)</c> against those of the same weights and activations in binary32, over sixteen outputs of
    /// some tokens of each matrix. Null before the first prompt of 32 tokens, and without the option.
    /// </summary>
    public double? PromptError => _backend.PromptError;

    /// <summary>Threads that compute.</summary>
    public int Threads { get; private init; }

    /// <summary>Time that loading took.</summary>
    public TimeSpan LoadTime { get; private set; }

    /// <summary>Bytes of the weights.</summary>
    public long WeightBytes => _model.WeightBytes;

    /// <summary>Bytes of the cache of keys and values, all of it.</summary>
    public long CacheBytes => Pages.Count * _cache.PageBytes;

    /// <summary>What the cache stores, and how.</summary>
    public KvLayout KvLayout => _cache.Layout;

    /// <summary>What a user should know about this model and these options, one sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; }

    internal KvPages Pages { get; }

    /// <summary>Slots behind which sequences give back what layers with a window store; null where pages stay whole.</summary>
    internal int? Window { get; }

    /// <summary>
    /// How many of the first tokens of a sequence need not be computed again when the others are forgotten. Keys and values stay what they are; a state stands for all tokens behind which it was
    /// stored, and is kept at the end of every whole page.
    /// </summary>
    /// <param name="length">Tokens that are wanted, at most <paramref name="stored"/>.</param>
    /// <param name="stored">Tokens that were computed, those that are forgotten included.</param>
    internal int Kept(int length, int stored) => length == stored || !_hasState ? length : length - (length % KvLayout.PageTokens);

    /// <summary>Begins a sequence.</summary>
    /// <exception cref="InvalidOperationException">The model is an encoder, which generates nothing.</exception>
    public Session CreateSession()
    {
        CheckGenerates();
        return Opened(() => new Session(this));
    }

    /// <summary>Begins to make vectors of texts. They take room in the cache while they are computed.</summary>
    /// <param name="options">How; null for what the model's file says, normalised.</param>
    /// <exception cref="InvalidOperationException">Neither the file nor the options say how vectors are pooled, or ranking is asked of a model without a classifier.</exception>
    public Embedder CreateEmbedder(EmbeddingOptions? options = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new Embedder(this, options ?? new EmbeddingOptions());
    }

    /// <summary>Goes on with a sequence that <see cref="Session.Save"/> wrote: nothing is computed again.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or was saved with another model or cache; the message says which.</exception>
    /// <exception cref="InvalidOperationException">The model is an encoder, which generates nothing.</exception>
    /// <exception cref="ContextFullException">The cache has too little room.</exception>
    public Session RestoreSession(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        CheckGenerates();
        return Opened(() => new Session(this, path));
    }

    /// <summary>Ends all sessions and frees the model.</summary>
    public void Dispose()
    {
        Session[] sessions;
        lock (_sessions)
        {
            if (_disposed) return;
            _disposed = true;
            sessions = [.. _sessions];
        }

        foreach (Session session in sessions) session.Dispose();
        lock (_turn)
        {
            _cache.Dispose();
            _backend.Dispose();
            _threads?.Dispose();
            _file.Dispose();
        }
    }

    /// <exception cref="InvalidOperationException">The model is an encoder.</exception>
    internal void CheckGenerates()
    {
        if (Task == ModelTask.Encoder)
            throw new InvalidOperationException($"'{_file.Path}' ({Config.Architecture}) is an encoder: it generates no text, it makes embeddings: QuernModel.CreateEmbedder (quern embed)");
    }

    /// <exception cref="InvalidOperationException">The model generates nothing, or not without a text that it reads first.</exception>
    internal void CheckContinues(string what)
    {
        CheckGenerates();
        if (Task == ModelTask.EncoderDecoder)
            throw new InvalidOperationException($"'{_file.Path}' ({Config.Architecture}) reads a text as a whole and writes another one: {what} is for models that go on from a text; use a session: QuernModel.CreateSession (quern run)");
    }

    /// <summary>Whether it computes tokens of trees: see <see cref="Batch.AddTree"/>.</summary>
    internal bool TakesTrees => !_hasState && _backend.TakesTrees;

    /// <summary>The tokens of a prompt, with those that the model wants at the beginning of a text.</summary>
    internal int[] Encode(string prompt, GenerationOptions options, bool begins)
    {
        int[] tokens = Tokenizer.Encode(prompt, addSpecial: begins, parseSpecial: options.ParseSpecial);
        // A model without a token for the beginning still needs one to go on from.
        return tokens.Length == 0 && begins && (Vocabulary.Bos ?? Vocabulary.Eos) is { } first ? [first] : tokens;
    }

    /// <exception cref="ArgumentException">An id is not in the vocabulary, or there is none.</exception>
    internal void CheckTokens(scoped ReadOnlySpan<int> tokens)
    {
        if (tokens.IsEmpty) throw new ArgumentException("there are no tokens; expected at least one", nameof(tokens));
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)VocabularySize)
                throw new ArgumentException($"there is no token {token}; expected an id below {VocabularySize}", nameof(tokens));
        }
    }

    internal void Closed(Session session)
    {
        lock (_sessions) _sessions.Remove(session);
    }

    internal ContextFullException CacheFull(int wanted) =>
        ContextFullException.OfCache(Pages.Count * KvLayout.PageTokens, (Pages.Count - Pages.FreeCount) * KvLayout.PageTokens, wanted);

    internal SamplerChain CreateSampler(SamplingOptions options, SamplingWorkspace? workspace = null) =>
        new(options, VocabularySize, ContextLength, Breakers(options), workspace);

    // Finding the tokens of DRY's breakers looks at the whole vocabulary: once is enough for all generations with the same ones.
    private DryBreakers? Breakers(SamplingOptions options)
    {
        if (options.DryMultiplier == 0) return null;
        lock (_breakersTurn)
        {
            if (_breakers is null || !_breakerTexts.SequenceEqual(options.DrySequenceBreakers))
            {
                _breakerTexts = [.. options.DrySequenceBreakers];
                _breakers = DryBreakers.FromText(
                    _breakerTexts, VocabularySize, token => Tokenizer.Piece(token).ToArray(), text => Tokenizer.Encode(text, addSpecial: false, parseSpecial: false));
            }

            return _breakers;
        }
    }

    private Session Opened(Func<Session> open)
    {
        lock (_sessions)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Session session = open();
            _sessions.Add(session);
            return session;
        }
    }

    private IEnumerable<string> Doubts()
    {
        if (ContextLength > Config.TrainedLength)
            yield return $"the context of {ContextLength} tokens is longer than the {Config.TrainedLength} that the model was trained with; text may degrade behind them";
        if (Options is { CacheTokens: null, CacheBytes: null } && Pages.Count * KvLayout.PageTokens < ContextLength)
            yield return $"memory has room for {(_hasState ? "states" : "keys and values")} of {Pages.Count * KvLayout.PageTokens} of the context's {ContextLength} tokens{(_hasState ? "" : "; a smaller type of them (--kv-type q8_0) takes half")}";
        if (Vocabulary.Count != VocabularySize)
            yield return $"the tokenizer has {Vocabulary.Count} tokens and the model {VocabularySize}";
    }
}
