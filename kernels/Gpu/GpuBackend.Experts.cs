using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Experts;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu;

/// <summary>
/// Experts. Routes stay on the card, in the order of tokens: an <see cref="ExpertRoutes"/> of this back end holds no numbers but the count of its pairs.
/// </summary>
public sealed unsafe partial class GpuBackend
{
    private readonly Dictionary<ExpertRoutes, DeviceRoutes> _routes = [];
    private GpuKernel<RouteArguments>? _route;
    private GpuKernel<CombineArguments>? _combine;

    /// <inheritdoc/>
    public override void Route(Tensor logits, RouteOptions options, ExpertRoutes routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        if (logits.Cols > RouteTokens.MostExperts) throw new NotSupportedException($"a card routes to at most {RouteTokens.MostExperts} experts, not {logits.Cols}");
        if (!_routes.TryGetValue(routes, out DeviceRoutes? own))
        {
            _routes[routes] = own = new DeviceRoutes(Routes(routes, 1), Routes(routes, 1), new SortedPairs(Routes(routes, 1), Routes(routes, 4)));
        }

        own.TopK = options.TopK;
        routes.Starts[^1] = logits.Rows * options.TopK;
        _route ??= new GpuKernel<RouteArguments>(_device, RouteTokens.Kernel);
        RouteArguments arguments = new(
            Place(logits), own.Experts, own.Weights, Offset(options.SelectionBias), options.TopK, options.Normalise, options.Scale, options.Score == RouterScore.Sigmoid);
        _route.Run(_arena.Memory, arguments, logits.Rows, 1, GpuDevice.WarpThreads);
        Sort(own, routes.PairCount, logits.Cols);
    }

    /// <inheritdoc/>
    public override void MatMulExperts(Tensor x, bool byToken, WeightMatrix weights, WeightVector? bias, ExpertRoutes routes, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(routes);
        DeviceMatrix matrix = (DeviceMatrix)weights;
        DeviceRoutes own = _routes[routes];
        if (own.Tiles != 0)
        {
            MultiplySorted(x, byToken, matrix, bias, own, routes.PairCount, y);
            return;
        }

        Activations activations = new() { Heads = 1 };
        Prepare(x, matrix.Layout.TakesBytes, ref activations);
        int threads = Threads(GemvWarps * GpuDevice.WarpThreads);
        ExpertArguments arguments = new(
            matrix.Planes, activations.X, activations.Quants, activations.Scales, own.Experts, byToken ? own.TopK : 1, Offset(bias), Place(y));
        Kernels(matrix.Layout).Experts.Run(
            _arena.Memory, arguments, Groups(Groups(matrix.Rows, 2), threads / GpuDevice.WarpThreads), routes.PairCount, threads);
    }

    /// <inheritdoc/>
    public override void CombineExperts(Tensor x, ExpertRoutes routes, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(routes);
        DeviceRoutes own = _routes[routes];
        int threads = Threads(ElementThreads);
        _combine ??= new GpuKernel<CombineArguments>(_device, CombinePairs.Kernel);
        _combine.Run(_arena.Memory, new CombineArguments(Place(x), own.Weights, own.TopK, Place(y)), Groups(y.Cols, threads), y.Rows, threads);
    }

    // Byte offset of so many numbers for each pair.
    private long Routes(ExpertRoutes routes, int each) => _arena.Offset(_arena.Take((long)routes.Tokens.Length * each * sizeof(int), "routes"));

    /// <summary>Where routes lie: byte offsets of [pairs] experts and weights, and where they are sorted.</summary>
    private sealed class DeviceRoutes(long experts, long weights, SortedPairs sorted)
    {
        public long Experts { get; } = experts;

        public long Weights { get; } = weights;

        public SortedPairs Sorted { get; } = sorted;

        public int TopK { get; set; }

        /// <summary>Tiles that sorted pairs are divided into at most; 0 where they are not sorted.</summary>
        public int Tiles { get; set; }

        /// <summary>Pairs of a tile: a power of two.</summary>
        public int TileBits { get; set; }
    }
}
