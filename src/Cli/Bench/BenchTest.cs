namespace Quern.Cli.Bench;

/// <summary>
/// A thing to measure: a prompt of <paramref name="Prompt"/> tokens, or <paramref name="Generate"/> tokens one after the other, behind <paramref name="Depth"/> tokens in the context; the latter of
/// one or several sequences at once.
/// </summary>
internal readonly record struct BenchTest(int Prompt, int Generate, int Depth, int Sequences = 1)
{
    /// <summary>As llama-bench names it: <c>pp512</c>, <c>tg128</c>, <c>pp512 @ d4096</c>; <c>tg128 x16</c> is of sixteen sequences.</summary>
    public string Name => (Prompt > 0 ? $"pp{Prompt}" : $"tg{Generate}") + (Sequences > 1 ? $" x{Sequences}" : "") + (Depth > 0 ? $" @ d{Depth}" : "");

    /// <summary>Tokens of a sequence of which the speed is told.</summary>
    public int Tokens => Prompt > 0 ? Prompt : Generate;

    /// <summary>Tokens that the context of a sequence has to hold.</summary>
    public int ContextLength => Math.Max(1, Depth) + Tokens;

    /// <summary>All tests of the lists given: prompts, then generations, for each depth. A 0 leaves its kind out.</summary>
    public static IReadOnlyList<BenchTest> Of(IReadOnlyList<int> prompts, IReadOnlyList<int> generations, IReadOnlyList<int> depths, IReadOnlyList<int> sequences) =>
        [.. depths.SelectMany(depth => prompts.Where(n => n > 0).Select(n => new BenchTest(n, 0, depth))
            .Concat(generations.Where(n => n > 0).SelectMany(n => sequences.Select(count => new BenchTest(0, n, depth, count)))))];
}
