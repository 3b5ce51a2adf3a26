using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Kernels.Cpu.Tests.Backends;

/// <summary>What every back end must compute: each operation against the oracle, over sizes that do and do not fill vectors. One fixture a back end.</summary>
public abstract partial class BackendSuite
{
    private const double Tolerance = 2e-5;

    protected abstract Backend Create(ComputeMode mode);

    /// <summary>Whether a product of some size is computed; back ends that simulate other machines leave the large ones out.</summary>
    protected virtual bool Takes(int tokens, int rows) => true;

    /// <summary>The same of attention.</summary>
    protected virtual bool TakesAttention => true;

    [Property(MaxTest = 20)]
    public void RmsNormOfRowsAndHeads(PositiveInt tokens, PositiveInt heads, PositiveInt length) =>
        Check(tokens.Get + heads.Get, ComputeMode.Exact, pair =>
        {
            int n = tokens.Get % 9 + 1, h = heads.Get % 5 + 1, l = length.Get % 70 + 1;
            var x = pair.Values(n, h * l, 3);
            var y = pair.Empty(n, h * l);
            var gain = pair.Vector(l);
            pair.Tested.RmsNorm(x.Tested, gain.Tested, 1e-5f, y.Tested);
            pair.Oracle.RmsNorm(x.Oracle, gain.Oracle, 1e-5f, y.Oracle);
            pair.AssertClose(y.Tested, y.Oracle, Tolerance);
        });

    [Property(MaxTest = 40)]
    public void LayerNormOfRowsAndHeads(PositiveInt tokens, PositiveInt heads, PositiveInt length, bool hasGain, bool hasBias, bool whole) =>
        Check(tokens.Get + heads.Get, ComputeMode.Exact, pair =>
        {
            int n = tokens.Get % 9 + 1, h = heads.Get % 5 + 1, l = length.Get % 70 + 2;
            var x = pair.Values(n, h * l, 3);
            var y = pair.Empty(n, h * l);
            var gain = pair.Vector(whole ? h * l : l);
            var bias = pair.Vector(whole ? h * l : l);
            pair.Tested.LayerNorm(x.Tested, l, hasGain ? gain.Tested : null, hasBias ? bias.Tested : null, 1e-5f, y.Tested);
            pair.Oracle.LayerNorm(x.Oracle, l, hasGain ? gain.Oracle : null, hasBias ? bias.Oracle : null, 1e-5f, y.Oracle);
            pair.AssertClose(y.Tested, y.Oracle, Tolerance);
        });

    public static TheoryData<Activation> Activations => [.. Enum.GetValues<Activation>()];

    [Theory]
    [MemberData(nameof(Activations))]
    public void ActivationsAloneAndAsGates(Activation activation) => Check(1, ComputeMode.Exact, pair =>
    {
        var gate = pair.Values(7, 53, 4);
        var up = pair.Values(7, 53, 4);
        var y = pair.Empty(7, 53);
        pair.Tested.Gate(gate.Tested, up.Tested, activation, y.Tested);
        pair.Oracle.Gate(gate.Oracle, up.Oracle, activation, y.Oracle);
        pair.AssertClose(y.Tested, y.Oracle, Tolerance);
        pair.Tested.Activate(gate.Tested, activation, y.Tested);
        pair.Oracle.Activate(gate.Oracle, activation, y.Oracle);
        pair.AssertClose(y.Tested, y.Oracle, Tolerance);
    });

    [Fact]
    public void RowsAreGatedBiasedAndClamped() => Check(9, ComputeMode.Exact, pair =>
    {
        var bias = pair.Vector(37);
        var x = pair.Values(6, 80, 3);
        var gate = pair.Values(6, 3, 4);
        var y = pair.Empty(6, 37);
        foreach ((Backend backend, Tensor wide, Tensor gates, WeightVector added, Tensor target) in new[]
        {
            (pair.Tested, x.Tested, gate.Tested, bias.Tested, y.Tested), ((Backend)pair.Oracle, x.Oracle, gate.Oracle, bias.Oracle, y.Oracle),
        })
        {
            backend.GateRows(wide.Columns(11, 37), gates.Columns(2, 1), target);
            backend.AddBias(target, added, target);
            backend.Clamp(target, 1.5f);
        }

        Assert.Contains(1.5f, pair.Read(y.Tested));
        pair.AssertClose(y.Tested, y.Oracle, Tolerance);
    });

    [Fact]
    public void AddScaleCapAndGatherOnColumnsOfATensor() => Check(2, ComputeMode.Exact, pair =>
    {
        var a = pair.Values(6, 80);
        var b = pair.Values(6, 37);
        var y = pair.Empty(6, 37);
        int[] rows = [5, 0, 3];
        var gathered = pair.Empty(3, 37);
        foreach ((Backend backend, Tensor wide, Tensor other, Tensor target, Tensor few) in new[]
        {
            (pair.Tested, a.Tested, b.Tested, y.Tested, gathered.Tested), (pair.Oracle, a.Oracle, b.Oracle, y.Oracle, gathered.Oracle),
        })
        {
            backend.Add(wide.Columns(11, 37), other, target);
            backend.Scale(target, 7.5f);
            backend.SoftCap(target, 5);
            backend.GatherRows(target, rows, few);
        }

        pair.AssertClose(y.Tested, y.Oracle, Tolerance);
        pair.AssertClose(gathered.Tested, gathered.Oracle, Tolerance);
    });

    [Theory]
    [InlineData(RopePairing.Interleaved, 16, 8)]
    [InlineData(RopePairing.Halves, 16, 8)]
    [InlineData(RopePairing.Interleaved, 20, 6)]
    [InlineData(RopePairing.Halves, 64, 16)]
    public void RopeTurnsThePairsAndLeavesTheRest(RopePairing pairing, int headLength, int pairs) => Check(3, ComputeMode.Exact, pair =>
    {
        float[] frequencies = [.. Enumerable.Range(0, pairs).Select(i => (float)Math.Pow(10000, -i / (double)pairs))];
        RopeTable table = new(frequencies, 1.1f);
        int[] positions = [0, 1, 77, 131_071];
        var x = pair.Values(4, 3 * headLength);
        var angles = pair.Empty(4, 2 * pairs);
        pair.Tested.RopeAngles(table, positions, angles.Tested);
        pair.Oracle.RopeAngles(table, positions, angles.Oracle);
        pair.Tested.Rope(x.Tested, headLength, angles.Tested, pairing);
        pair.Oracle.Rope(x.Oracle, headLength, angles.Oracle, pairing);
        pair.AssertClose(x.Tested, x.Oracle, Tolerance);
    });

    [Theory]
    [InlineData(KvType.F32, 4, 2, 16, 16, 0, 0f)]
    [InlineData(KvType.F32, 4, 4, 20, 12, 0, 0f, 8f)]
    [InlineData(KvType.F32, 6, 1, 64, 48, 20, 0f, 8f)]
    [InlineData(KvType.F32, 8, 2, 33, 7, 33, 3f, 0f, true)]
    [InlineData(KvType.F16, 8, 2, 64, 64, 0, 30f)]
    [InlineData(KvType.F16, 20, 1, 32, 32, 5, 0f, 4f, true)]
    [InlineData(KvType.F16, 8, 2, 64, 48, 20, 0f, 8f, true)]
    [InlineData(KvType.F32, 4, 4, 32, 64, 0, 5f)]
    [InlineData(KvType.BF16, 8, 2, 64, 64, 0, 0f)]
    [InlineData(KvType.BF16, 8, 4, 20, 12, 9, 0f, 8f)]
    [InlineData(KvType.Q8_0, 8, 2, 64, 64, 0, 0f)]
    [InlineData(KvType.Q8_0, 6, 3, 32, 96, 11, 0f, 0f, true)]
    [InlineData(KvType.Q4_0, 8, 2, 96, 32, 0, 30f)]
    [InlineData(KvType.Q4_0, 8, 2, 64, 64, 0, 0f, 4f)]
    public void AttentionOverPagesOfSeveralSequences(
        KvType type, int heads, int kvHeads, int keyLength, int valueLength, int window, float cap, float alibi = 0, bool sinks = false)
    {
        foreach (ComputeMode mode in Enum.GetValues<ComputeMode>()) Attention(mode, type, type, heads, kvHeads, keyLength, valueLength, window, cap, alibi, sinks);
    }

    [Theory]
    [InlineData(KvType.Q8_0, KvType.Q4_0)]
    [InlineData(KvType.F16, KvType.Q8_0)]
    [InlineData(KvType.Q8_0, KvType.F32)]
    [InlineData(KvType.BF16, KvType.F16)]
    public void KeysAndValuesOfDifferentTypes(KvType keys, KvType values)
    {
        foreach (ComputeMode mode in Enum.GetValues<ComputeMode>()) Attention(mode, keys, values, 8, 2, 64, 32, 0, 0, 0, sinks: false);
    }

    [Theory]
    [InlineData(KvType.Q8_0, KvType.F16, "keys of layer 1 have 80 values")]
    [InlineData(KvType.F16, KvType.Q4_0, "values of layer 1 have 48 values")]
    public void HeadsThatFillNoBlocksAreRefused(KvType keys, KvType values, string expected) => Check(4, ComputeMode.Fast, pair =>
    {
        KvLayout layout = new([new KvLayer(2, 64, 64), new KvLayer(2, 80, 48)], keys, values, 2);
        Assert.Contains(expected, Assert.Throws<ArgumentException>(() => pair.Tested.CreateKvCache(layout)).Message, StringComparison.Ordinal);
    });

    private void Attention(ComputeMode mode, KvType keyType, KvType valueType, int heads, int kvHeads, int keyLength, int valueLength, int window, float cap, float alibi, bool sinks) =>
        Check(4, mode, pair =>
        {
            if (!TakesAttention) return;
            KvLayer shape = new(kvHeads, keyLength, valueLength);
            KvLayout layout = new([shape, shape], keyType, valueType, 12) { Windowed = window > 0 ? [false, true] : null };
            using KvCache tested = pair.Tested.CreateKvCache(layout), oracle = pair.Oracle.CreateKvCache(layout);
            Batch batch = new(128, 3);
            int[][] tables = [[7, 2, 9], [0, 11], [4]];
            int[][] counts = [[41, 5, 1], [33, 1, 1], [0, 0, 9]];
            int[] lengths = new int[3];
            AttentionOptions options = new(heads, 1 / MathF.Sqrt(keyLength), cap, window) { AlibiMaxBias = alibi };
            var sink = pair.Vector(heads);
            for (int step = 0; step < 3; step++)
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

                int n = batch.TokenCount;
                var q = pair.Values(n, heads * keyLength);
                var k = pair.Values(n, kvHeads * keyLength);
                var v = pair.Values(n, kvHeads * valueLength);
                var y = pair.Empty(n, heads * valueLength);
                pair.Tested.StoreKv(k.Tested, v.Tested, batch, 1, tested);
                pair.Oracle.StoreKv(k.Oracle, v.Oracle, batch, 1, oracle);
                pair.Tested.Attention(q.Tested, batch, 1, tested, options with { Sinks = sinks ? sink.Tested : null }, y.Tested);
                pair.Oracle.Attention(q.Oracle, batch, 1, oracle, options with { Sinks = sinks ? sink.Oracle : null }, y.Oracle);
                pair.AssertClose(y.Tested, y.Oracle, mode == ComputeMode.Exact ? Tolerance : 3e-4);
            }
        });

    [Theory]
    [InlineData(1, 4, 48, 16)]
    [InlineData(13, 3, 20, 32)]
    [InlineData(70, 4, 33, 64)]
    public void HeadsAreCopiedAndMultipliedEachByItsOwn(int tokens, int heads, int rows, int cols) => Check(6, ComputeMode.Exact, pair =>
    {
        if (!Takes(tokens * heads, rows / 10)) return;
        int apart = cols + 5, apartInY = rows + 3;
        var x = pair.Values(tokens, ((heads - 1) * apart) + cols);
        var weights = pair.Matrix(FormatTable.Find("F32")!, heads, rows, cols);
        var y = pair.Values(tokens, ((heads - 1) * apartInY) + rows);
        pair.Tested.MatMulHeads(x.Tested, apart, weights.Tested, y.Tested, apartInY);
        pair.Oracle.MatMulHeads(x.Oracle, apart, weights.Oracle, y.Oracle, apartInY);
        pair.AssertClose(y.Tested, y.Oracle, Tolerance);
        foreach (int step in new[] { apart, 0 })
        {
            var copied = pair.Values(tokens, ((heads - 1) * (cols + 2)) + cols);
            pair.Tested.CopyHeads(x.Tested, step, heads, cols, copied.Tested, cols + 2);
            pair.Oracle.CopyHeads(x.Oracle, step, heads, cols, copied.Oracle, cols + 2);
            pair.AssertClose(copied.Tested, copied.Oracle, 0);
        }
    });

    [Theory]
    [InlineData(1, 8, 2, true)]
    [InlineData(40, 8, 3, true)]
    [InlineData(5, 4, 4, false)]
    [InlineData(30, 9, 3, true, RouterScore.Sigmoid)]
    [InlineData(30, 9, 3, false, RouterScore.Sigmoid, true)]
    [InlineData(30, 9, 2, true, RouterScore.Softmax, true)]
    public void ExpertsAreRoutedMultipliedAndCombined(
        int tokens, int experts, int topK, bool normalise, RouterScore score = RouterScore.Softmax, bool biased = false) => Check(5, ComputeMode.Exact, pair =>
    {
        if (!Takes(tokens, 20)) return;
        var selection = pair.Vector(experts);
        var bias = pair.Vector(experts * 20);
        var logits = pair.Values(tokens, experts);
        var x = pair.Values(tokens, 48);
        var weights = pair.Matrix(FormatTable.Find("F32")!, experts, 20, 48);
        var result = pair.Empty(tokens, 20);
        foreach ((Backend backend, Tensor scores, Tensor input, WeightMatrix matrix, WeightVector selected, WeightVector added, Tensor output) in new[]
        {
            (pair.Tested, logits.Tested, x.Tested, weights.Tested, selection.Tested, bias.Tested, result.Tested),
            ((Backend)pair.Oracle, logits.Oracle, x.Oracle, weights.Oracle, selection.Oracle, bias.Oracle, result.Oracle),
        })
        {
            ExpertRoutes routes = new(tokens, topK, experts);
            backend.Route(scores, new RouteOptions(topK, normalise, 1.5f) { Score = score, SelectionBias = biased ? selected : null }, routes);
            Assert.Equal(tokens * topK, routes.PairCount);
            Tensor products = backend.Take(routes.PairCount, 20);
            backend.MatMulExperts(input, true, matrix, biased ? added : null, routes, products);
            backend.CombineExperts(products, routes, output);
        }

        pair.AssertClose(result.Tested, result.Oracle, Tolerance);
    });

    [Theory]
    [MemberData(nameof(MatMulCases))]
    public void MatMulOfEveryFormat(string format, int tokens, int rows, int cols, ComputeMode mode) => Check(tokens + rows, mode, pair =>
    {
        if (!Takes(tokens, rows)) return;
        var w = pair.Matrix(FormatTable.Find(format)!, 1, rows, cols);
        var bias = pair.Vector(rows);
        var x = pair.Values(tokens, cols);
        var y = pair.Empty(tokens, rows);
        pair.Tested.MatMul(x.Tested, w.Tested, bias.Tested, y.Tested);
        pair.Oracle.MatMul(x.Oracle, w.Oracle, bias.Oracle, y.Oracle);

        // Eight-bit activations are off by up to 1/254 of the largest of their group, at random: well below 5 % of the output's size.
        pair.AssertClose(y.Tested, y.Oracle, mode == ComputeMode.Exact ? Tolerance : 5e-2);
    });

    public static TheoryData<string, int, int, int, ComputeMode> MatMulCases()
    {
        TheoryData<string, int, int, int, ComputeMode> cases = [];
        foreach (WeightFormat format in FormatTable.All)
        {
            int block = format.Info.BlockLength;
            int cols = block == 1 ? 171 : block == 32 ? 160 : 512;
            foreach (ComputeMode mode in Enum.GetValues<ComputeMode>())
            {
                cases.Add(format.Info.Name, 1, 70, cols, mode);
                cases.Add(format.Info.Name, 3, 9, cols, mode);
                cases.Add(format.Info.Name, 29, 39, cols, mode);
            }

            // A prompt in which neither tokens nor rows fill tiles.
            cases.Add(format.Info.Name, 61, 87, block == 1 ? 192 : cols, ComputeMode.Fast);
        }

        cases.Add("F32", 7, 33, 2500, ComputeMode.Exact);
        foreach (string format in new[] { "Q4_0", "Q6_K", "BF16" }) cases.Add(format, 48, 600, 4352, ComputeMode.Fast);
        return cases;
    }

    [Theory]
    [InlineData(1, ComputeMode.Fast)]
    [InlineData(5, ComputeMode.Fast)]
    [InlineData(40, ComputeMode.Fast)]
    [InlineData(5, ComputeMode.Exact)]
    public void SeveralProductsOfTheSameValues(int tokens, ComputeMode mode) => Check(8, mode, pair =>
    {
        if (!Takes(tokens, 180)) return;
        const int Cols = 512;
        string[] formats = ["Q4_0", "Q4_0", "Q8_0", "Q6_K", "F16", "IQ2_S", "Q4_K", "Q4_K", "F32"];
        var w = Array.ConvertAll(formats, format => pair.Matrix(FormatTable.Find(format)!, 1, 20, Cols));
        var bias = pair.Vector(20);

        // The second time other values lie at the same place.
        var x = pair.Values(tokens, Cols);
        for (int time = 0; time < 2; time++)
        {
            if (time == 1)
            {
                pair.Tested.Scale(x.Tested, -3);
                pair.Oracle.Scale(x.Oracle, -3);
            }

            var y = Array.ConvertAll(formats, _ => pair.Empty(tokens, 20));
            pair.Tested.MatMul(x.Tested, [.. w.Select((matrix, i) => new Product(matrix.Tested, i == 1 ? bias.Tested : null, y[i].Tested))]);
            pair.Oracle.MatMul(x.Oracle, [.. w.Select((matrix, i) => new Product(matrix.Oracle, i == 1 ? bias.Oracle : null, y[i].Oracle))]);
            foreach (var (tested, oracle) in y) pair.AssertClose(tested, oracle, mode == ComputeMode.Exact ? Tolerance : 5e-2);
        }
    });

    [Fact]
    public void AProductDoesNotDependOnTheOtherTokensInExactMode() => Check(6, ComputeMode.Exact, pair =>
    {
        var w = pair.Matrix(FormatTable.Find("Q8_0")!, 1, 21, 2080);
        var x = pair.Values(20, 2080);
        var y = pair.Empty(20, 21);
        pair.Tested.MatMul(x.Tested, w.Tested, null, y.Tested);
        for (int row = 0; row < 20; row++)
        {
            var alone = pair.Empty(1, 21);
            Tensor one = new(x.Tested.Address + ((nint)row * x.Tested.Stride * sizeof(float)), 1, 2080, x.Tested.Stride);
            pair.Tested.MatMul(one, w.Tested, null, alone.Tested);
            Assert.Equal(pair.Read(alone.Tested), pair.Read(y.Tested).AsSpan(21 * row, 21).ToArray());
        }
    });

    [Fact]
    public void EmbeddingRowsAreDecoded() => Check(7, ComputeMode.Fast, pair =>
    {
        var table = pair.Matrix(FormatTable.Find("Q8_0")!, 1, 50, 96);
        int[] tokens = [49, 0, 7, 7];
        var y = pair.Empty(4, 96);
        pair.Tested.Embed(table.Tested, tokens, y.Tested);
        pair.Oracle.Embed(table.Oracle, tokens, y.Oracle);
        pair.AssertClose(y.Tested, y.Oracle, 0);
    });

    private void Check(int seed, ComputeMode mode, Action<BackendPair> test)
    {
        using BackendPair pair = new(Create(mode), seed);
        pair.Tested.BeginPass();
        pair.Oracle.BeginPass();
        test(pair);
    }
}
