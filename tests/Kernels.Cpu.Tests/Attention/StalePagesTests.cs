namespace Quern.Kernels.Cpu.Tests.Attention;

/// <summary>What a page's last owner left is nobody's, even where it is no number: a request whose values are not finite leaves others alone.</summary>
public sealed class StalePagesTests : IDisposable
{
    private const int Heads = 4, KvHeads = 2, Length = 32;

    private readonly ThreadTeam _team = new(1);
    private CpuBackend _backend;

    public StalePagesTests() => _backend = new CpuBackend(_team, ComputeMode.Exact);

    public void Dispose()
    {
        _backend.Dispose();
        _team.Dispose();
    }

    // Prompts in fast mode are the tile unit's where there is one.
    [Theory]
    [InlineData(KvType.F32, 1, ComputeMode.Exact)]
    [InlineData(KvType.F16, 1, ComputeMode.Exact)]
    [InlineData(KvType.F16, 40, ComputeMode.Exact)]
    [InlineData(KvType.BF16, 7, ComputeMode.Exact)]
    [InlineData(KvType.Q8_0, 3, ComputeMode.Exact)]
    [InlineData(KvType.F16, 17, ComputeMode.Fast)]
    [InlineData(KvType.F16, 40, ComputeMode.Fast)]
    [InlineData(KvType.F16, 49, ComputeMode.Fast)]
    [InlineData(KvType.Q8_0, 33, ComputeMode.Fast)]
    public void What_lies_behind_the_last_token_does_not_count(KvType type, int tokens, ComputeMode mode)
    {
        _backend.Dispose();
        _backend = new CpuBackend(_team, mode);
        // NaN of several kinds in the types that have them.
        foreach (byte left in new byte[] { 0xff, 0x7f, 0x7c })
        {
            using KvCache clean = Cache(type), stale = Cache(type);
            for (int page = 0; page < 2; page++) Spoil(stale, page, left);
            Assert.Equal(Attend(clean, 0, tokens, window: 0), Attend(stale, 0, tokens, window: 0));
        }
    }

    [Fact]
    public void What_a_window_has_passed_does_not_count()
    {
        using KvCache whole = Cache(KvType.F16), passed = Cache(KvType.F16);
        Attend(whole, 0, 60, window: 20);
        Attend(passed, 0, 60, window: 20);
        Spoil(passed, 1, 0xff); // the first page, of which the next token sees nothing
        Assert.Equal(Attend(whole, 60, 1, window: 20), Attend(passed, 60, 1, window: 20));
    }

    private KvCache Cache(KvType type) => _backend.CreateKvCache(new KvLayout([new KvLayer(KvHeads, Length, Length)], type, 2));

    private static void Spoil(KvCache cache, int page, byte left)
    {
        byte[] bytes = new byte[cache.PageBytes];
        bytes.AsSpan().Fill(left);
        cache.WritePage(page, bytes);
    }

    private float[] Attend(KvCache cache, int firstSlot, int tokens, int window)
    {
        Random random = new(3);
        _backend.BeginPass();
        Tensor q = Values(random, tokens, Heads * Length), k = Values(random, tokens, KvHeads * Length), v = Values(random, tokens, KvHeads * Length), y = _backend.Take(tokens, Heads * Length);
        Batch batch = new(tokens);
        batch.Add(new int[tokens], firstSlot, [1, 0]);
        _backend.StoreKv(k, v, batch, 0, cache);
        _backend.Attention(q, batch, 0, cache, new AttentionOptions(Heads, 0.2f, 0, window), y);
        return [.. Enumerable.Range(0, tokens).SelectMany(row => y.Row(row).ToArray())];
    }

    private Tensor Values(Random random, int rows, int cols)
    {
        Tensor x = _backend.Take(rows, cols);
        for (int row = 0; row < rows; row++)
            foreach (ref float value in x.Row(row)) value = (float)((2 * random.NextDouble()) - 1);
        return x;
    }
}
