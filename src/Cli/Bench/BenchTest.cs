namespace Quern.Cli.Bench;

/// <summary>A thing to measure: a prompt of <paramref name="Prompt"/> tokens, or <paramref name="Generate"/> tokens one after the other, behind <paramref name="Depth"/> tokens in the context.</summary>
internal readonly record struct BenchTest(int Prompt, int Generate, int Depth)
{
    /// <summary>As llama-bench names it: <c>pp512</c>, <c>tg128</c>, <c>pp512 @ d4096</c>.</summary>
    public string Name => (Prompt > 0 ? $"pp{Prompt}" : $"tg{Generate}") + (Depth > 0 ? $" @ d{Depth}" : "");

    /// <summary>Tokens of which the speed is told.</summary>
    public int Tokens => Prompt > 0 ? Prompt : Generate;

    /// <summary>Tokens that the context has to hold.</summary>
    public int ContextLength => Depth + Tokens;

    /// <summary>All tests of the lists given: prompts, then generations, for each depth. A 0 leaves its kind out.</summary>
    public static IReadOnlyList<BenchTest> Of(IReadOnlyList<int> prompts, IReadOnlyList<int> generations, IReadOnlyList<int> depths) =>
        [.. depths.SelectMany(depth => prompts.Where(n => n > 0).Select(n => new BenchTest(n, 0, depth))
            .Concat(generations.Where(n => n > 0).Select(n => new BenchTest(0, n, depth))))];
}
