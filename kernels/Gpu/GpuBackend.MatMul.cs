using Quern.Kernels.Cpu;
using Quern.Kernels.Gpu.Attention;
using Quern.Kernels.Gpu.MatMul;
using Quern.Kernels.Gpu.Ops;
using Quern.Kernels.Gpu.Weights;

namespace Quern.Kernels.Gpu;

/// <summary>Products with weights.</summary>
public sealed unsafe partial class GpuBackend
{
    private const int GemvWarps = 4, PartsOfLaunch = 3, MostKeptRows = 1024;
    private GpuKernel<QuantiseArguments>? _quantise;
    private GpuKernel<PadArguments>? _pad;

    /// <summary>Whether products of one token go through rings in shared memory, where there is a kernel for it.</summary>
    internal bool UsesRings { get; set; }

    /// <inheritdoc/>
    public override void Embed(WeightMatrix table, ReadOnlySpan<int> tokens, Tensor y)
    {
        DeviceMatrix matrix = (DeviceMatrix)table;
        long ids = _inputs.Indices(tokens);
        int threads = Threads(64), items = matrix.Layout.TakesBytes ? matrix.Planes.Blocks : Groups(matrix.Cols, 4);
        Kernels(matrix.Layout).Embed.Run(_arena.Memory, new EmbedArguments(matrix.Planes, ids, Place(y)), Groups(items, threads), tokens.Length, threads);
    }

    /// <inheritdoc/>
    public override void MatMul(Tensor x, ReadOnlySpan<Product> products)
    {
        Activations activations = new() { Heads = 1 };
        for (int first = 0; first < products.Length;)
        {
            // Neighbours in one layout share a launch.
            DeviceFormat layout = ((DeviceMatrix)products[first].Weights).Layout;
            int count = 1;
            while (count < PartsOfLaunch && first + count < products.Length && ((DeviceMatrix)products[first + count].Weights).Layout == layout) count++;
            ReadOnlySpan<Product> together = products.Slice(first, count);
            first += count;

            // Small matrices in binary32, such as those that choose experts, are not rounded.
            bool isKept = layout is FloatDeviceFormat<PlainF32> && together[0].Weights.Rows <= MostKeptRows;
            if (Mode == ComputeMode.Fast && x.Rows > MostGemvTokens && !isKept)
            {
                MultiplyMany(x, together);
                continue;
            }

            Prepare(x, layout.TakesBytes, ref activations);
            Multiply(layout, activations, together);
        }
    }

    /// <inheritdoc/>
    public override void MatMulHeads(Tensor x, int apart, WeightMatrix weights, Tensor y, int apartInY)
    {
        DeviceFormat layout = ((DeviceMatrix)weights).Layout;
        Activations activations = new() { Heads = weights.Count, Apart = apart };
        Prepare(x.Columns(0, weights.Cols), layout.TakesBytes, ref activations);
        Multiply(layout, activations, [new Product(weights, null, y.Columns(0, weights.Rows))], apartInY);
    }

    private void Multiply(DeviceFormat layout, in Activations x, ReadOnlySpan<Product> products, int apartInY = 0)
    {
        int threads = Threads(GemvWarps * GpuDevice.WarpThreads), units = 0;

        // In exact mode sums must not depend on how many tokens there are.
        int kind = Mode == ComputeMode.Exact ? WeightKernels.MostTokens : Math.Min(x.Rows, WeightKernels.MostTokens);
        foreach (Product product in products) units += Groups(product.Weights.Rows, TokensGemv.Rows);
        GemvArguments arguments = new(
            x.Rows, x.X, x.Quants, x.Scales, Part(products, 0), Part(products, 1), Part(products, 2), new GemvHeads(x.Heads, x.Apart, apartInY));
        if (kind == 1 && x.Heads == 1 && UsesRings && Kernels(layout).Ring is { } ring)
        {
            int groups = Math.Min(Groups(units, RingGemv.Warps), RingGemv.GroupsOfMultiprocessor * _device.Accelerator.NumMultiprocessors);
            ring.Run(_arena.Memory, arguments, groups, 1, RingGemv.Warps * GpuDevice.WarpThreads);
            return;
        }

        Kernels(layout).Gemv(kind).Run(
            _arena.Memory, arguments, Groups(units, threads / GpuDevice.WarpThreads), Groups(x.Rows, WeightKernels.MostTokens) * x.Heads, threads);
    }

    private GemvPart Part(ReadOnlySpan<Product> products, int index) =>
        index >= products.Length ? default : new GemvPart(((DeviceMatrix)products[index].Weights).Planes, 0, Offset(products[index].Bias), Place(products[index].Y));

    /// <summary>Brings activations into the form that a layout takes, once for all products of the same x.</summary>
    private void Prepare(Tensor x, bool bytes, ref Activations prepared)
    {
        prepared.Rows = x.Rows;
        int heads = prepared.Heads;
        if (bytes && !prepared.HasBytes)
        {
            long count = (long)x.Rows * heads * x.Cols;
            nint place = _bytes.Require(count + (count / 4));
            (prepared.HasBytes, prepared.Quants, prepared.Scales) = (true, _arena.Offset(place), _arena.Offset(place) + count);
            Quantise(Place(x), x.Rows, new QuantisedPlaces(prepared.Quants, prepared.Scales), heads, prepared.Apart);
        }

        if (bytes || prepared.HasFloats) return;
        prepared.HasFloats = true;
        DeviceTensor source = Place(x);
        if (x.Cols % 8 != 0 || x.Stride % 4 != 0 || prepared.Apart % 4 != 0 || source.Offset % 16 != 0)
        {
            int cols = (x.Cols + 7) & -8;
            DeviceTensor padded = new(_arena.Offset(_padded.Require((long)x.Rows * heads * cols * sizeof(float))), cols, cols);
            int threads = Threads(ElementThreads);
            _pad ??= new GpuKernel<PadArguments>(_device, RowCopies.Pad);
            _pad.Run(_arena.Memory, new PadArguments(source, padded, heads, prepared.Apart), Groups(cols, threads), x.Rows * heads, threads);
            (source, prepared.Apart) = (new DeviceTensor(padded.Offset, cols, heads * cols), cols);
        }

        prepared.X = source;
    }

    /// <summary>Makes bytes of activations: in the launch that makes these, where it was the last one and was put off.</summary>
    private void Quantise(DeviceTensor x, int rows, QuantisedPlaces places, int heads, int apart)
    {
        if (heads == 1 && _rmsNorm is not null && _rmsNorm.TryLast(rows, out RmsNormArguments norm, out int groups) && groups == 1 && norm.Y.Is(x) && norm.Bytes.Are == 0)
        {
            _rmsNorm.TakeBack();
            Run(norm with { Bytes = places }, 1, rows);
            return;
        }

        if (heads == 1 && _elementwise is not null && _elementwise.TryLast(rows, out ElementwiseArguments made, out groups) && made.Y.Is(x) && made.Bytes.Are == 0)
        {
            _elementwise.TakeBack();
            _elementwise.Run(_arena.Memory, made with { Bytes = places }, groups, rows, Threads(ElementThreads));
            return;
        }

        if (heads == 1 && _attended is not null && _attended.TryLast(rows, out AttentionArguments attended, out groups) && attended.Y.Is(x) && attended.Bytes.Are == 0 && attended.CanQuantise)
        {
            _attended.TakeBack();
            _attended.Run(_arena.Memory, attended with { Bytes = places }, groups, rows, Threads(PagedAttention.Warps * GpuDevice.WarpThreads));
            return;
        }

        int threads = Threads(8 * GpuDevice.WarpThreads);
        _quantise ??= new GpuKernel<QuantiseArguments>(_device, QuantiseActivations.Kernel);
        _quantise.Run(_arena.Memory, new QuantiseArguments(x, places, heads, apart), Groups(x.Cols / 32, threads / GpuDevice.WarpThreads), rows * heads, threads);
    }

    /// <summary>Activations in the forms that were asked for.</summary>
    private struct Activations
    {
        public int Rows;
        public int Heads;

        /// <summary>Values from a head to the next one.</summary>
        public int Apart;
        public bool HasBytes;
        public bool HasFloats;
        public long Quants;
        public long Scales;
        public DeviceTensor X;
    }
}
