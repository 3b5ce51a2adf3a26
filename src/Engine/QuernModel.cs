using System.Diagnostics;
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
public sealed class QuernModel : IDisposable
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
        long pageBytes, windowedBytes;
        using (KvCache one = backend.CreateKvCache(page)) (pageBytes, windowedBytes) = (one.PageBytes, one.WindowedBytes);
        long memory = backend.CacheMemory is { } own ? own + model.WeightBytes : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        int pages = options.CacheBytes is { } bytes ? PagesOf(bytes, pageBytes)
            : options.CacheTokens is { } tokens ? KvLayout.PagesFor(tokens)
            : FittingPages(contextLength, pageBytes, memory - model.WeightBytes);
        if (windowedBytes > 0)
        {
            Pages = CreatePages(pages, pageBytes, windowedBytes, memory);
            Window = model.Window;
        }
        else
        {
            Pages = new KvPages(pages);
            if (model.WindowedLayers is { } windowed && windowed.All(here => here)) Window = model.Window;
        }

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

    /// <summary>Loads a model.</summary>
    /// <param name="path">A GGUF file, or the first of a split set.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="progress">Told while weights are bound.</param>
    /// <param name="cancellation">Looked at between tensors.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or no model that Quern can run; the message says where and why.</exception>
    /// <exception cref="NotSupportedException">The tokenizer or the architecture is not known; the message names it and those that are.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static QuernModel Load(
        string path, ModelOptions? options = null, IProgress<LoadProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        options ??= new ModelOptions();
        options.Validate();
        long start = Stopwatch.GetTimestamp();
        GgufFile file = GgufFile.Open(path);
        ThreadTeam team = new(options.Threads ?? MachineInfo.CoreCount);
        QuernModel model = Load(file, options, BackendOf(file, options, team, team), team, team.Threads, progress, cancellation);
        model.LoadTime = Stopwatch.GetElapsedTime(start);
        return model;
    }

    /// <summary>Loads another model that computes on this one's threads, such as a small one that proposes tokens for it: threads of two models would be in each other's way. Dispose it first.</summary>
    /// <inheritdoc cref="Load(string, ModelOptions?, IProgress{LoadProgress}?, CancellationToken)"/>
    public QuernModel LoadBeside(string path, ModelOptions? options = null, IProgress<LoadProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        options ??= new ModelOptions();
        options.Validate();
        ThreadTeam team = (ThreadTeam)(_threads ?? throw new InvalidOperationException("this model computes on no threads of its own"));
        long start = Stopwatch.GetTimestamp();
        GgufFile file = GgufFile.Open(path);
        QuernModel model = Load(file, options, BackendOf(file, options, team, null), null, team.Threads, progress, cancellation);
        model.LoadTime = Stopwatch.GetElapsedTime(start);
        return model;
    }

    /// <summary>The back end that the options ask for. Where the device cannot be opened, the error says why: nothing else is taken in its place.</summary>
    private static Backend BackendOf(GgufFile file, ModelOptions options, ThreadTeam team, ThreadTeam? owned)
    {
        ComputeMode mode = options.Exact ? ComputeMode.Exact : ComputeMode.Fast;
        CpuBackend processor = new(team, mode, options.Repack);
        if (options.Device is null) return processor;
        try
        {
            return options.Device.CreateBackend(ModelNeeds.Of(file, options, mode), processor);
        }
        catch
        {
            processor.Dispose();
            owned?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <summary>Loads a model on a back end; owns the file, the back end and the threads from here on.</summary>
    internal static QuernModel Load(
        GgufFile file, ModelOptions options, Backend backend, IDisposable? team, int threads, IProgress<LoadProgress>? progress, CancellationToken cancellation)
    {
        try
        {
            // An unknown architecture has unknown keys: it is refused by the table, with the names of those that are known.
            bool known = ArchitectureTable.Find(file.Metadata.GetString("general.architecture")) is not null;
            int trained = known ? ModelConfig.Read(file).TrainedLength : 1;
            int contextLength = options.ContextLength ?? Math.Min(trained, ModelOptions.DefaultContextLength);
            Model model = ArchitectureTable.Load(file, backend, contextLength, new CancellingProgress(progress, cancellation));
            Vocabulary vocabulary = Vocabulary.Read(file.Metadata.Find, options.PreTokenizer);
            return new QuernModel(file, vocabulary, model, backend, team, options, contextLength) { Threads = threads };
        }
        catch
        {
            backend.Dispose();
            team?.Dispose();
            file.Dispose();
            throw;
        }
    }

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

    internal TensorBuffer AllocateLogits(int rows) => _backend.Allocate(rows, VocabularySize);

    internal void Forward(Batch batch, Tensor logits)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _model.Forward(batch, _cache, _backend, logits);
        }
    }

    internal TensorBuffer AllocateVectors(int rows, int cols) => _backend.Allocate(rows, cols);

    /// <summary>Vectors of whole texts or chunks of them, or what a classifier says about them: [outputs, width or labels].</summary>
    internal void Embed(Batch batch, bool rank, Tensor y)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (rank) _model.Rank(batch, _cache, _backend, y);
            else _model.Embed(batch, _cache, _backend, y);
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

    /// <summary>Reads a text that an answer is written about.</summary>
    internal void Read(Batch batch)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _model.Encode(batch, _cache, _backend);
        }
    }

    internal void WriteSession(string path, ReadOnlySpan<int> tokens, int pending, ReadOnlySpan<int> pages)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            SessionFile.Write(path, SessionFile.Fingerprint(_file, _cache), tokens, pending, pages, _cache);
        }
    }

    internal int ReadSession(string path, Func<int[], int[]> begin) =>
        SessionFile.Read(path, SessionFile.Fingerprint(_file, _cache), ContextLength, VocabularySize, _cache, begin);

    /// <summary>See <see cref="SequencePages.TryPrepare"/>. Copying a page waits for the pass that runs.</summary>
    internal bool TryPrepare(SequencePages pages, int firstSlot, int count)
    {
        lock (_turn)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return pages.TryPrepare(firstSlot, count, _cache);
        }
    }

    /// <summary>Whether it computes tokens of trees: see <see cref="Batch.AddTree"/>.</summary>
    internal bool TakesTrees => !_hasState && _backend.TakesTrees;

    /// <summary>See <see cref="KvCache.Move"/>. Waits for the pass that runs.</summary>
    internal void Move(SequencePages pages, ReadOnlySpan<int> sources, int firstSlot)
    {
        lock (_turn) _cache.Move(pages.Table, sources, firstSlot);
    }

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

    private static int PagesOf(long bytes, long pageBytes) => bytes >= pageBytes
        ? (int)Math.Min(bytes / pageBytes, int.MaxValue / (2 * KvLayout.PageTokens))
        : throw new ArgumentOutOfRangeException(nameof(bytes), bytes, $"CacheBytes is {bytes}; expected at least {pageBytes}, the keys and values of {KvLayout.PageTokens} tokens");

    /// <summary>The pages of a context, or as many of them as find room in most of the memory that weights leave.</summary>
    internal static int FittingPages(int contextLength, long pageBytes, long memoryBytes)
    {
        const double Share = 0.8;
        return (int)Math.Clamp((long)(memoryBytes * Share) / pageBytes, 1, KvLayout.PagesFor(contextLength));
    }

    // Pages that were passed cost less, so there may be more of them; numbers for more are taken as far as addresses for all are within the machine's memory, of which systems grant no more at once.
    private KvPages CreatePages(int pages, long pageBytes, long windowedBytes, long memory)
    {
        long budget = pages * pageBytes, cut = pageBytes - windowedBytes, slots = Math.Max(pages, Math.Min(budget / cut, memory / pageBytes));
        return new KvPages((int)Math.Min(slots, int.MaxValue / (2 * KvLayout.PageTokens)), new PageCosts(budget, pageBytes, cut) { Window = _model.Window, Memory = new CacheMemory(this) });
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

    private sealed class CacheMemory(QuernModel model) : IPageMemory
    {
        public void Free(int page, bool windowedOnly) => model._cache.Free(page, windowedOnly);
    }

    private sealed class CancellingProgress(IProgress<LoadProgress>? inner, CancellationToken cancellation) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value)
        {
            cancellation.ThrowIfCancellationRequested();
            inner?.Report(value);
        }
    }
}
