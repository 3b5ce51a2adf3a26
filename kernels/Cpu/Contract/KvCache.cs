namespace Quern.Kernels.Cpu;

/// <summary>How K and V are stored.</summary>
public enum KvType
{
    /// <summary>binary32.</summary>
    F32,

    /// <summary>binary16.</summary>
    F16,

    /// <summary>bfloat16.</summary>
    BF16,

    /// <summary>Blocks of 32 values of a head: signed bytes with a binary16 scale. Lengths of heads must be multiples of 32.</summary>
    Q8_0,

    /// <summary>Blocks of 32 values of a head: 4-bit codes with a binary16 scale. Lengths of heads must be multiples of 32.</summary>
    Q4_0,
}

/// <summary>What one layer stores for a token: <paramref name="Heads"/> keys and values.</summary>
/// <param name="Heads">Heads that have their own K and V.</param>
/// <param name="KeyLength">Values in a head's key.</param>
/// <param name="ValueLength">Values in a head's value.</param>
public readonly record struct KvLayer(int Heads, int KeyLength, int ValueLength)
{
    /// <summary>
    /// Values of the state that a recurrent layer keeps of a sequence, always binary32; 0 without. Each page has one: that behind the last token stored in the page, so that it is shared,
    /// copied and saved as keys and values are, and a full page is a place to go on from.
    /// </summary>
    public int StateLength { get; init; }

    /// <summary>Whether what is stored is looked at only in the pass that stores it, by whichever layer did so last: the layers of an encoder share one.</summary>
    public bool IsShared { get; init; }
}

/// <summary>The geometry of a cache of keys and values.</summary>
/// <param name="Layers">What each layer stores.</param>
/// <param name="KeyType">Storage type of K.</param>
/// <param name="ValueType">Storage type of V.</param>
/// <param name="PageCount">Pages in the pool.</param>
public sealed record KvLayout(IReadOnlyList<KvLayer> Layers, KvType KeyType, KvType ValueType, int PageCount)
{
    /// <summary>The same type for K and V.</summary>
    public KvLayout(IReadOnlyList<KvLayer> layers, KvType type, int pageCount)
        : this(layers, type, type, pageCount)
    {
    }

    /// <summary>Whether a layer has a window, behind which what it stores is not looked at again; null where none has.</summary>
    public IReadOnlyList<bool>? Windowed { get; init; }

    /// <summary>Tokens in a page, of every layer.</summary>
    public const int PageTokens = 32;

    /// <summary>Pages that <paramref name="tokens"/> tokens of one sequence take.</summary>
    public static int PagesFor(int tokens) => (tokens + PageTokens - 1) / PageTokens;
}

/// <summary>
/// The memory of keys and values: pages of <see cref="KvLayout.PageTokens"/> tokens, the same page number in every layer. Which sequence owns which
/// page is not known here: block tables come with the <see cref="Batch"/>.
/// </summary>
public abstract class KvCache : IDisposable
{
    /// <summary>Makes a cache of the given geometry.</summary>
    protected KvCache(KvLayout layout) => Layout = layout;

    /// <summary>The geometry.</summary>
    public KvLayout Layout { get; }

    /// <summary>Bytes of all pages.</summary>
    public abstract long Bytes { get; }

    /// <summary>Bytes of a page, of every layer.</summary>
    public abstract long PageBytes { get; }

    /// <summary>Bytes of a page that layers with a window store and that can be given back to the system on their own (<see cref="Free"/>); 0 where nothing can.</summary>
    public virtual long WindowedBytes => 0;

    /// <summary>Gives a page's memory back to the system: what it stores is lost, and it takes memory again when it is written. Not while a pass reads it.</summary>
    /// <param name="page">The page.</param>
    /// <param name="windowedOnly">Only what layers with a window store in it.</param>
    /// <exception cref="NotSupportedException"><see cref="WindowedBytes"/> is 0.</exception>
    public virtual void Free(int page, bool windowedOnly) => throw new NotSupportedException("this cache cannot give back memory of pages");

    /// <summary>A name of the form in which pages are taken out: caches of the same layout and form take each other's. Empty for the processor's.</summary>
    public virtual string PageForm => "";

    /// <summary>Takes out what a page stores.</summary>
    /// <param name="page">The page.</param>
    /// <param name="destination">[<see cref="PageBytes"/>]; the form is the back end's own.</param>
    public abstract void ReadPage(int page, Span<byte> destination);

    /// <summary>Puts back what <see cref="ReadPage"/> took out of a cache of the same form.</summary>
    /// <param name="page">The page.</param>
    /// <param name="source">[<see cref="PageBytes"/>].</param>
    public abstract void WritePage(int page, ReadOnlySpan<byte> source);

    /// <summary>
    /// Moves keys and values of tokens towards the beginning of a sequence, in every layer: slot <paramref name="firstSlot"/> + i takes what slot <paramref name="sources"/>[i] stores. So the tokens of
    /// one way through a tree (<see cref="Batch.AddTree"/>) come to lie one behind the other. Not while a pass reads or writes the sequence, and not where layers have a state.
    /// </summary>
    /// <param name="blockTable">Pages of the sequence.</param>
    /// <param name="sources">Slots, ascending, the i-th at least <paramref name="firstSlot"/> + i.</param>
    /// <param name="firstSlot">Where they move to.</param>
    public abstract void Move(ReadOnlySpan<int> blockTable, ReadOnlySpan<int> sources, int firstSlot);

    /// <summary>Copies what a page stores, in every layer, to another page. Not while a pass writes either of them.</summary>
    public abstract void CopyPage(int source, int destination);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the pages.</summary>
    protected abstract void Dispose(bool disposing);
}
