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
            long bytes = (long)routes.Tokens.Length * sizeof(float);
            _routes[routes] = own = new DeviceRoutes(_arena.Offset(_arena.Take(bytes, "routes")), _arena.Offset(_arena.Take(bytes, "routes")));
        }

        own.TopK = options.TopK;
        routes.Starts[^1] = logits.Rows * options.TopK;
        _route ??= new GpuKernel<RouteArguments>(_device, RouteTokens.Kernel);
        RouteArguments arguments = new(
            Place(logits), own.Experts, own.Weights, Offset(options.SelectionBias), options.TopK, options.Normalise, options.Scale, options.Score == RouterScore.Sigmoid);
        _route.Run(_arena.Memory, arguments, logits.Rows, 1, GpuDevice.WarpThreads);
    }

    /// <inheritdoc/>
    public override void MatMulExperts(Tensor x, bool byToken, WeightMatrix weights, WeightVector? bias, ExpertRoutes routes, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(routes);
        DeviceMatrix matrix = (DeviceMatrix)weights;
        DeviceRoutes own = _routes[routes];
        Activations activations = default;
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

    /// <summary>Where routes lie: byte offsets of [pairs] experts and weights.</summary>
    private sealed class DeviceRoutes(long experts, long weights)
    {
        public long Experts { get; } = experts;

        public long Weights { get; } = weights;

        public int TopK { get; set; }
    }
}
