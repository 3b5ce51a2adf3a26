namespace Quern.Kernels.Cpu.Tests.Backends;

/// <summary>Operations with a state: sequences of different lengths in the same batches, over the ends of pages, forked, and from bytes.</summary>
public abstract partial class BackendSuite
{
    private const int StateBefore = 5, StateBehind = 3;

    private delegate void StateOperation(Backend backend, bool tested, Batch batch, LayerState state, KvCache cache);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(9, 53)]
    [InlineData(3, 64)]
    public void RowsAreBlended(int n, int width) => Check(n, ComputeMode.Exact, pair =>
    {
        var (x, z, weights, y) = (pair.Values(n, width), pair.Values(n, width), pair.Values(n, width), pair.Empty(n, width));
        var shared = pair.Vector(width);
        pair.Tested.Lerp(x.Tested, z.Tested, weights.Tested, y.Tested);
        pair.Oracle.Lerp(x.Oracle, z.Oracle, weights.Oracle, y.Oracle);
        pair.AssertClose(y.Tested, y.Oracle, Tolerance);
        pair.Tested.Lerp(x.Tested, z.Tested, shared.Tested, x.Tested);
        pair.Oracle.Lerp(x.Oracle, z.Oracle, shared.Oracle, x.Oracle);
        pair.AssertClose(x.Tested, x.Oracle, Tolerance);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(1100)]
    public void RowsAreShiftedInTheirSequence(int width) => Recurrent(width, (pair, n) =>
    {
        var x = pair.Values(n, width);
        var y = pair.Empty(n, width);
        return (y, (backend, tested, batch, state, cache) => backend.ShiftRows(tested ? x.Tested : x.Oracle, batch, state, cache, tested ? y.Tested : y.Oracle));
    });

    [Theory]
    [InlineData(1, 2)]
    [InlineData(48, 4)]
    [InlineData(21, 4)]
    [InlineData(16, 16)]
    public void ConvolutionsSeeWhatCameBefore(int width, int taps) => Recurrent(width * (taps - 1), (pair, n) =>
    {
        var x = pair.Values(n, width);
        var y = pair.Empty(n, width);
        var weights = pair.Lasting("w", width * taps);
        var bias = pair.Lasting("b", width);
        return (y, (backend, tested, batch, state, cache) => backend.CausalConvolution(
            tested ? x.Tested : x.Oracle, tested ? weights.Tested : weights.Oracle, tested ? bias.Tested : bias.Oracle, batch, state, cache, tested ? y.Tested : y.Oracle));
    });

    [Theory]
    [InlineData(1, 1)]
    [InlineData(40, 16)]
    [InlineData(19, 21)]
    [InlineData(16, 64)]
    public void SelectiveScansGoOnFromTheirState(int width, int length) => Recurrent(width * length, (pair, n) =>
    {
        var (x, b, c, delta, y) = (pair.Values(n, width), pair.Values(n, length), pair.Values(n, length), pair.Values(n, width), pair.Empty(n, width));
        pair.Tested.Activate(delta.Tested, Activation.Sigmoid, delta.Tested);
        pair.Share(delta);
        // Negative, so that states fade.
        var a = pair.Lasting("a", width * length, value => -0.1f - MathF.Abs(value));
        var d = pair.Lasting("d", width);
        return (y, (backend, tested, batch, state, cache) => backend.SelectiveScan(
            tested ? x.Tested : x.Oracle, tested ? delta.Tested : delta.Oracle, tested ? b.Tested : b.Oracle, tested ? c.Tested : c.Oracle, tested ? a.Tested : a.Oracle,
            tested ? d.Tested : d.Oracle, batch, state, cache, tested ? y.Tested : y.Oracle));
    });

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 16)]
    [InlineData(2, 21)]
    [InlineData(2, 64)]
    public void OuterProductScansGoOnFromTheirState(int heads, int length) => Recurrent(heads * length * length, (pair, n) =>
    {
        int width = heads * length;
        var (r, k, v, w, y) = (pair.Values(n, width), pair.Values(n, width), pair.Values(n, width), pair.Values(n, width), pair.Empty(n, width));
        pair.Tested.Activate(w.Tested, Activation.Decay, w.Tested);
        pair.Share(w);
        var u = pair.Lasting("u", width);
        return (y, (backend, tested, batch, state, cache) => backend.OuterProductScan(
            tested ? r.Tested : r.Oracle, tested ? k.Tested : k.Oracle, tested ? v.Tested : v.Oracle, tested ? w.Tested : w.Oracle, tested ? u.Tested : u.Oracle, length,
            batch, state, cache, tested ? y.Tested : y.Oracle));
    });

    private void Recurrent(int length, Func<BackendPair, int, ((Tensor Tested, Tensor Oracle) Y, StateOperation Run)> create) => Check(length, ComputeMode.Exact, pair =>
    {
        // Keys and values lie before the state, other operations' states around it, and stay what they are.
        KvLayer layer = new(1, 32, 32) { StateLength = StateBefore + length + StateBehind };
        KvLayout layout = new([layer, layer], KvType.F16, 12);
        using KvCache tested = pair.Tested.CreateKvCache(layout), oracle = pair.Oracle.CreateKvCache(layout);
        byte[] marks = new byte[tested.PageBytes];
        marks.AsSpan().Fill(0x55);
        for (int page = 0; page < layout.PageCount; page++) tested.WritePage(page, marks);
        Batch batch = new(128, 3);
        int[][] tables = [[7, 2, 9], [0, 11, 3], [4]];
        int[][] counts = [[41, 5, 1, 30], [31, 1, 1, 2], [0, 0, 9, 1]];
        int[] lengths = new int[3];
        for (int step = 0; step < 4; step++)
        {
            if (step == 2)
            {
                // What comes later is written and read in copies.
                tested.CopyPage(tables[0][1], 5);
                oracle.CopyPage(tables[0][1], 5);
                tables[0][1] = 5;
                foreach (KvCache cache in new[] { tested, oracle })
                {
                    byte[] bytes = new byte[cache.PageBytes];
                    cache.ReadPage(tables[1][0], bytes);
                    cache.WritePage(6, bytes);
                }

                tables[1][0] = 6;
            }

            batch.Clear();
            for (int s = 0; s < 3; s++)
            {
                if (counts[s][step] == 0) continue;
                batch.Add(new int[counts[s][step]], lengths[s], tables[s]);
                lengths[s] += counts[s][step];
            }

            var (y, run) = create(pair, batch.TokenCount);
            run(pair.Tested, true, batch, new LayerState(1, StateBefore), tested);
            run(pair.Oracle, false, batch, new LayerState(1, StateBefore), oracle);
            pair.AssertClose(y.Tested, y.Oracle, 5 * Tolerance);
        }

        byte[] written = new byte[tested.PageBytes];
        tested.ReadPage(tables[0][0], written);
        int own = length * sizeof(float), behind = StateBehind * sizeof(float);
        Assert.DoesNotContain(written[..^(own + behind)], value => value != 0x55);
        Assert.DoesNotContain(written[^behind..], value => value != 0x55);
    });
}
