using System.CommandLine;
using Quern.Cli.Options;
using Quern.Cli.Output;
using Quern.Gguf;
using Quern.Kernels.Cpu.Formats;
using Quern.Models.Quantization;

namespace Quern.Cli.Commands;

/// <summary><c>quern quantize</c>: writes a model with smaller weights.</summary>
internal static class QuantizeCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string> input = new("IN") { Description = "GGUF file with F32, F16 or BF16 weights." };
        Argument<string> output = new("OUT") { Description = "GGUF file to write." };
        Argument<string> type = new("TYPE") { Description = $"{string.Join(", ", QuantizationTable.All.Select(mix => mix.Name))}." };
        Option<bool> pure = new("--pure") { Description = "Give every matrix the same type, without the rules of the mix." };
        Option<string?> outputType = new("--output-type") { Description = "Type of the output matrix.", HelpName = "TYPE" };
        Option<string?> embeddingType = new("--token-embedding-type") { Description = "Type of the token embeddings.", HelpName = "TYPE" };
        Option<bool> again = new("--allow-requantize") { Description = "Accept weights that are quantised already; the errors of both add up." };
        Option<bool> dry = new("--dry-run") { Description = "Show what every tensor would become, and write nothing." };
        Option<int?> threads = new("--threads", "-t") { Description = $"Threads that compute [default: {Environment.ProcessorCount}].", HelpName = "N" };
        ModelArguments.Positive(threads);
        TaughtCommand command = new(
            "quantize", "Write a model with smaller weights.",
            "quern quantize model-f16.gguf model-q4_k_m.gguf Q4_K_M",
            "quern quantize model-f16.gguf model-q8_0.gguf Q8_0 --dry-run")
        { input, output, type, pure, outputType, embeddingType, again, dry, threads };
        command.SetAction(result =>
        {
            string source = result.GetRequiredValue(input);
            string target = result.GetRequiredValue(output);
            QuantizationMix mix = QuantizationTable.Find(result.GetRequiredValue(type))
                ?? throw new UsageException($"there is no type '{result.GetRequiredValue(type)}'; expected one of {string.Join(", ", QuantizationTable.All.Select(m => m.Name))}");
            if (Path.GetFullPath(source) == Path.GetFullPath(target)) throw new UsageException("IN and OUT are the same file");
            using GgufFile file = GgufFile.Open(source);
            QuantizationRecipe recipe = new(mix, ModelShape.Of(file), file.Tensors.Select(tensor => tensor.Name))
            {
                Pure = result.GetValue(pure),
                OutputType = TypeName(result.GetValue(outputType)),
                EmbeddingType = TypeName(result.GetValue(embeddingType)),
            };
            ModelQuantizer quantizer = new(file, recipe)
            {
                Threads = result.GetValue(threads) ?? Environment.ProcessorCount,
                AllowRequantize = result.GetValue(again),
            };
            Quantize(terminal, file, quantizer, target, result.GetValue(dry));
            return CommandLine.Success;
        });
        return command;
    }

    private static void Quantize(Terminal terminal, GgufFile file, ModelQuantizer quantizer, string target, bool dry)
    {
        IReadOnlyList<TensorPlan> plans = quantizer.Plan();
        foreach (IGrouping<(string?, string, long), TensorPlan> group in plans.Where(plan => plan.Wanted is not null).GroupBy(plan => (plan.Wanted, plan.To, plan.Dimensions[0])))
        {
            string others = group.Skip(1).Any() ? $" and {group.Count() - 1} more" : "";
            terminal.Warn($"{group.First().Name}{others}: rows of {group.Key.Item3} values are no multiple of a {group.Key.Item1} block; {group.Key.Item2} instead");
        }

        if (dry) WritePlan(terminal.Out, plans);
        else if (terminal.ErrorIsTerminal) ErrorProgress.Run(terminal, "Quantising", report => Write(quantizer, target, report, terminal.Cancelled), (QuantizationProgress p) => p.Fraction);
        else Write(quantizer, target, null, terminal.Cancelled);

        long before = file.Tensors.Sum(tensor => tensor.ByteLength);
        long after = plans.Sum(plan => plan.Bytes);
        long parameters = Math.Max(1, file.Tensors.Sum(tensor => tensor.ElementCount));
        terminal.Error.WriteLine(
            $"{Units.Bytes(before)} ({8.0 * before / parameters:F2} bits per weight) to {Units.Bytes(after)} ({8.0 * after / parameters:F2} bits per weight){(dry ? "" : $", {target}")}");
    }

    private static bool Write(ModelQuantizer quantizer, string target, IProgress<QuantizationProgress>? report, CancellationToken cancellation)
    {
        quantizer.Write(target, report, cancellation);
        return true;
    }

    private static void WritePlan(TextWriter writer, IReadOnlyList<TensorPlan> plans)
    {
        TextTable table = new(false, true, false, false, true);
        table.Add("tensor", "dimensions", "from", "to", "size");
        foreach (TensorPlan plan in plans)
            table.Add(Printable.Name(plan.Name), string.Join(" x ", plan.Dimensions), plan.From, plan.To, Units.Bytes(plan.Bytes));
        table.Write(writer);
    }

    private static string? TypeName(string? name) => name is null ? null
        : FormatTable.Find(name)?.Info.Name ?? throw new UsageException($"there is no type '{name}'; expected one of {string.Join(", ", FormatTable.All.Select(f => f.Info.Name))}");
}
