using ILGPU;

namespace Quern.Kernels.Gpu.Recurrent;

/// <summary>Where the states of a layer lie.</summary>
internal readonly struct StatePlaces(long state, long pageBytes, InputPlaces inputs)
{
    /// <summary>Byte offset of the operation's state in page 0.</summary>
    public readonly long State = state;

    /// <summary>Bytes from a page to the next one.</summary>
    public readonly long PageBytes = pageBytes;

    /// <summary>Byte offset of the runs.</summary>
    public readonly long Runs = inputs.Runs;

    /// <summary>Byte offset of the block tables.</summary>
    public readonly long Tables = inputs.Tables;
}

/// <summary>
/// How a thread walks over the tokens of a sequence with its part of a state. The state lies in the page of the token that comes next: there it is taken over from the page before, or
/// begins with zeros, and changes in place up to the page's end; so every full page keeps the state behind its last token.
/// </summary>
internal static class StateWalk
{
    /// <summary>Tokens in a page.</summary>
    public const int PageTokens = Cpu.KvLayout.PageTokens;

    /// <summary>A number of a run: see <see cref="PassInputs.RunLength"/>.</summary>
    public static int Run(DeviceMemory memory, StatePlaces places, int run, int field) => memory.Ints[(places.Runs >> 2) + (run * PassInputs.RunLength) + field];

    /// <summary>Index in <see cref="DeviceMemory.Floats"/> of the operation's state in a page of a sequence.</summary>
    /// <param name="memory">The arena.</param>
    /// <param name="places">Where states lie.</param>
    /// <param name="table">Where the sequence's pages begin in the tables.</param>
    /// <param name="page">Page of the sequence.</param>
    public static long Page(DeviceMemory memory, StatePlaces places, int table, int page) =>
        (places.State + (places.PageBytes * memory.Ints[(places.Tables >> 2) + table + page])) >> 2;

    /// <summary>Tokens from a slot on that lie in its page.</summary>
    public static int Span(int slot, int left) => IntrinsicMath.Min(left, PageTokens - (slot % PageTokens));

    /// <summary>A value of the state before a slot: zero before the first one, that of the page before where a page begins.</summary>
    public static float Enter(DeviceMemory memory, StatePlaces places, int table, int slot, int index)
    {
        if (slot == 0) return 0f;
        int page = slot % PageTokens == 0 ? (slot / PageTokens) - 1 : slot / PageTokens;
        return memory.Floats[Page(memory, places, table, page) + index];
    }
}
