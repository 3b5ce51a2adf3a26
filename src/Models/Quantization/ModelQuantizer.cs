using System.Buffers;
using Quern.Gguf;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Models.Quantization;

/// <summary>What happens to a tensor.</summary>
/// <param name="Name">Its name.</param>
/// <param name="From">Its type in the source.</param>
/// <param name="To">Its type in the result.</param>
/// <param name="Wanted">The type that the mix wanted, where rows are no multiple of its block; null otherwise.</param>
/// <param name="Dimensions">Its dimensions, the length of a row first.</param>
/// <param name="Bytes">Its bytes in the result.</param>
public sealed record TensorPlan(string Name, string From, string To, string? Wanted, IReadOnlyList<long> Dimensions, long Bytes);

/// <summary>How far quantising has come.</summary>
/// <param name="Tensor">The tensor being written.</param>
/// <param name="Index">Its number, from 0.</param>
/// <param name="Count">Number of tensors.</param>
/// <param name="Fraction">Of all values, from 0 to 1.</param>
public readonly record struct QuantizationProgress(TensorPlan Tensor, int Index, int Count, double Fraction);

/// <summary>Rewrites a model with other types of weights.</summary>
/// <param name="source">The model.</param>
/// <param name="recipe">Which tensor gets which type.</param>
public sealed class ModelQuantizer(GgufFile source, QuantizationRecipe recipe)
{
    // Values that are decoded, encoded and written at a time: 16 MiB of binary32.
    private const long ValuesInPiece = 4 << 20;

    /// <summary>Threads to use.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Whether weights that are in a block format already may be quantised again, which adds the errors of both.</summary>
    public bool AllowRequantize { get; init; }

    /// <summary>What will happen to each tensor.</summary>
    /// <exception cref="InvalidOperationException">A tensor cannot be quantised: the message names it and says why.</exception>
    public IReadOnlyList<TensorPlan> Plan() => [.. source.Tensors.Select(PlanTensor)];

    /// <summary>Writes the result.</summary>
    /// <param name="path">The file to write; it appears when it is whole.</param>
    /// <param name="progress">Told before every piece of a tensor.</param>
    /// <param name="cancellation">Looked at before every piece; nothing is left behind.</param>
    /// <exception cref="InvalidOperationException">A tensor cannot be quantised, or holds a value that is not finite: the message names it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Write(string path, IProgress<QuantizationProgress>? progress = null, CancellationToken cancellation = default)
    {
        IReadOnlyList<TensorPlan> plans = Plan();
        GgufWriter writer = new();
        writer.SetAll(source.Metadata);
        writer.Set("general.file_type", (uint)recipe.Mix.FileType);
        writer.Set("general.quantization_version", 2u);
        double all = Math.Max(1, source.Tensors.Sum(tensor => tensor.ElementCount));
        long done = 0;
        for (int i = 0; i < plans.Count; i++)
        {
            (GgufTensor tensor, TensorPlan plan, int index) = (source.Tensors[i], plans[i], i);
            int type = plan.From == plan.To ? tensor.TypeId : Format(plan.To).Info.TypeId;
            writer.AddTensor(tensor.Name, type, [.. tensor.Dimensions], stream =>
            {
                void Report(long values)
                {
                    cancellation.ThrowIfCancellationRequested();
                    progress?.Report(new QuantizationProgress(plan, index, plans.Count, (done + values) / all));
                }

                if (plan.From == plan.To) Copy(tensor, stream, Report);
                else Convert(tensor, Format(plan.To), stream, Report);
                done += tensor.ElementCount;
            });
        }

        writer.Write(path);
    }

    private TensorPlan PlanTensor(GgufTensor tensor)
    {
        TensorChoice choice = recipe.Choose(tensor.Name, tensor.TypeName, tensor.Dimensions);
        if (choice.Type == tensor.TypeName)
            return new TensorPlan(tensor.Name, tensor.TypeName, choice.Type, choice.Wanted, tensor.Dimensions, tensor.ByteLength);
        if (FormatTable.Find(tensor.TypeId) is not { } from)
            throw new InvalidOperationException($"tensor '{tensor.Name}' is stored as {tensor.TypeName}, which cannot be decoded");
        if (from.Info.BlockLength > 1 && !AllowRequantize)
            throw new InvalidOperationException(
                $"tensor '{tensor.Name}' is {tensor.TypeName} already, and quantising it again adds the errors of both; begin with an F32, F16 or BF16 file, or allow it (quern: --allow-requantize)");
        return new TensorPlan(tensor.Name, tensor.TypeName, choice.Type, choice.Wanted, tensor.Dimensions, Format(choice.Type).Info.RowBytes(tensor.ElementCount));
    }

    private static void Copy(GgufTensor tensor, Stream stream, Action<long> report)
    {
        const int pieceBytes = 16 << 20;
        for (long at = 0; at < tensor.ByteLength; at += pieceBytes)
        {
            report(tensor.ElementCount * at / tensor.ByteLength);
            stream.Write(tensor.Slice(at, (int)Math.Min(pieceBytes, tensor.ByteLength - at)));
        }
    }

    private void Convert(GgufTensor tensor, WeightFormat to, Stream stream, Action<long> report)
    {
        WeightFormat from = Format(tensor.TypeName);
        int cols = checked((int)tensor.Dimensions[0]);
        long rows = tensor.ElementCount / cols;
        int piece = (int)Math.Clamp(ValuesInPiece / cols, 1, rows);
        int rowBytes = checked((int)to.Info.RowBytes(cols));
        byte[] blocks = new byte[(long)piece * rowBytes];
        ParallelOptions options = new() { MaxDegreeOfParallelism = Math.Max(1, Threads) };
        for (long row = 0; row < rows; row += piece)
        {
            report(row * cols);
            int count = (int)Math.Min(piece, rows - row);
            long first = row;
            try
            {
                Parallel.For(0, count, options, i => ConvertRow(tensor, from, first + i, cols, to, blocks.AsSpan(i * rowBytes, rowBytes)));
            }
            catch (AggregateException e) when (e.InnerException is { } inner)
            {
                throw new InvalidOperationException(inner.Message, inner);
            }

            stream.Write(blocks, 0, count * rowBytes);
        }
    }

    private static void ConvertRow(GgufTensor tensor, WeightFormat from, long row, int cols, WeightFormat to, Span<byte> blocks)
    {
        float[] rented = ArrayPool<float>.Shared.Rent(cols);
        try
        {
            Span<float> values = rented.AsSpan(0, cols);
            from.Decode(tensor.Address + (nint)(row * from.Info.RowBytes(cols)), values);
            for (int i = 0; i < cols; i++)
            {
                if (!float.IsFinite(values[i]))
                    throw new InvalidOperationException($"tensor '{tensor.Name}' holds {values[i]} in row {row}, column {i}; expected finite values");
            }

            to.Quantize(values, [], blocks);
        }
        finally
        {
            ArrayPool<float>.Shared.Return(rented);
        }
    }

    private static WeightFormat Format(string name) =>
        FormatTable.Find(name) ?? throw new InvalidOperationException($"there is no weight format '{name}'");
}
