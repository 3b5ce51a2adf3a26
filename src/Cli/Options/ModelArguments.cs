using System.CommandLine;
using System.Globalization;
using Quern.Cli.Output;
using Quern.Engine;
using Quern.Kernels.Cpu;
using Quern.Models;

namespace Quern.Cli.Options;

/// <summary>The options that say which model is loaded and how; the same for every command that runs one.</summary>
internal sealed class ModelArguments
{
    private const string DefaultPrompt = "default", Int8Prompt = "int8";

    /// <summary>What a model's file is, for help.</summary>
    public const string DescriptionOfFile = $"GGUF file; the first one of a split set [default: Models/{ShippedModels.TargetName} beside the program].";

    public Option<string?> Path { get; } = new("--model", "-m") { Description = DescriptionOfFile, HelpName = "FILE" };

    public Option<int?> Threads { get; } = new("--threads", "-t") { Description = $"Threads that compute [default: {MachineInfo.CoreCount}].", HelpName = "N" };

    public Option<string?> Processors { get; } = new("--cpus")
    {
        Description = "Processors that threads stay on, one a thread, as in 0-3,8 [default: where the system puts them].",
        HelpName = "LIST",
    };

    public Option<int?> Context { get; } = new("--ctx-size", "-c")
    {
        Description = $"Tokens that fit in the context [default: what the model was trained with, at most {ModelOptions.DefaultContextLength}].",
        HelpName = "N",
    };

    public Option<int> Batch { get; } = new("--batch-size", "-b")
    {
        Description = "Tokens of a prompt computed in one pass.",
        HelpName = "N",
        DefaultValueFactory = _ => new ModelOptions().BatchTokens,
    };

    public Option<string?> KvTypeName { get; } = new("--kv-type")
    {
        Description = $"Type of stored keys and values, or two types with a comma between: {KvTypeList} [default: f16; f32 with --exact].",
        HelpName = "TYPE",
    };

    public Option<bool> Exact { get; } = new("--exact") { Description = "Keep activations and products in binary32: slower, equal to a reference." };

    public Option<string> Prompt { get; } = new("--prompt")
    {
        Description = "How prompts are computed: default, or int8 for weights and activations in 8 bits, which is faster and less exact; the error is measured and printed (needs AVX-512 VNNI).",
        HelpName = "TYPE",
        DefaultValueFactory = _ => DefaultPrompt,
    };

    public Option<bool> NoRepack { get; } = new("--no-repack") { Description = "Read weights from the mapped file as they lie there: loads at once, shares memory between processes, computes slower." };

    public Option<string?> PreTokenizer { get; } = new("--pre") { Description = "Pre-tokenizer instead of the one that the file names.", HelpName = "NAME" };

    public Option<string?> Device { get; } = new("--device") { Description = "What computes: cpu, gpu (an NVIDIA card), opencl or simulated (the card's kernels on the processor).", HelpName = "NAME" };

    public Option<string?> GpuLayers { get; } = new("--gpu-layers", "-ngl")
    {
        Description = "Layers on the card: a number, all, or auto for as many as its memory takes [default: auto]. The first layers stay on the processor.",
        HelpName = "N",
    };

    public ModelArguments()
    {
        Prompt.AcceptOnlyFromAmong(DefaultPrompt, Int8Prompt);
        Device.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } name && !GpuOption.Devices.Contains(name))
                result.AddError($"--device is '{name}'; expected one of {string.Join(", ", GpuOption.Devices)}");
        });
        GpuLayers.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } text && text is not ("all" or "auto") && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
                result.AddError($"--gpu-layers is '{text}'; expected a number, all or auto");
        });
        Processors.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } text && MachineInfo.ParseProcessors(text) is null)
                result.AddError($"--cpus is '{text}'; expected numbers and ranges of processors with commas between, as in 0-3,8");
        });
        KvTypeName.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } text && KvTypes(text) is null)
                result.AddError($"--kv-type is '{text}'; expected one of {KvTypeList}, or two of them, keys first, as in q8_0,q4_0");
        });
        foreach (Option<int?> option in new[] { Threads, Context }) Positive(option);
        Positive(Batch);
    }

    /// <summary>Adds the options to a command, except those that it has in a form of its own.</summary>
    public void AddTo(Command command, params Option[] except)
    {
        foreach (Option option in new Option[] { Path, Threads, Processors, Context, Batch, KvTypeName, Exact, Prompt, NoRepack, PreTokenizer, Device, GpuLayers })
            if (!except.Contains(option)) command.Add(option);
    }

    /// <exception cref="UsageException">Two options do not go together.</exception>
    public ModelOptions Read(ParseResult result)
    {
        bool isInt8 = result.GetValue(Prompt) == Int8Prompt;
        foreach ((Option option, bool isGiven) in new (Option, bool)[] { (Exact, result.GetValue(Exact)), (NoRepack, result.GetValue(NoRepack)), (Device, result.GetValue(Device) is not (null or "cpu")) })
            if (isInt8 && isGiven) throw new UsageException($"{Prompt.Name} {Int8Prompt} and {option.Name} exclude each other");
        (KvType Keys, KvType Values)? types = result.GetValue(KvTypeName) is { } text ? KvTypes(text) : null;
        return new ModelOptions
        {
            Threads = Has(result, Threads) ? result.GetValue(Threads) : null,
            Processors = result.GetValue(Processors) is { } list ? MachineInfo.ParseProcessors(list) : null,
            ContextLength = Has(result, Context) ? result.GetValue(Context) : null,
            BatchTokens = result.GetValue(Batch),
            KvType = types?.Keys,
            ValueType = types?.Values,
            Exact = result.GetValue(Exact),
            Int8Prompts = isInt8,
            Repack = !result.GetValue(NoRepack),
            PreTokenizer = result.GetValue(PreTokenizer),
            Device = GpuOption.DeviceOf(result.GetValue(Device), result.GetValue(GpuLayers)),
        };
    }

    /// <summary>The path of the model: the one that is given, or that of the shipped one.</summary>
    /// <param name="result">The command line.</param>
    /// <param name="text">The text that the command takes besides, if any.</param>
    /// <exception cref="UsageException">No model is given, and the text is a model's file.</exception>
    /// <exception cref="FileNotFoundException">None is given, and the shipped one is missing.</exception>
    public string PathOf(ParseResult result, TextSource? text = null)
    {
        if (result.GetValue(Path) is { } path) return path;
        // Nobody means a model's name as the text of another model.
        if (text is not null && result.GetValue(text.Text) is { } given && given.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) && File.Exists(given))
            throw new UsageException($"'{given}' is a model's file and stands where the {text.Text.Name} does: give it with -m {given}");
        return ShippedModels.PathOf(ShippedModels.TargetName);
    }

    /// <summary>How the model computes, in a few words.</summary>
    public static string Mode(QuernModel model) => model.Options.Exact ? "exact" : model.Options.Int8Prompts ? "fast, int8 prompts" : "fast";

    /// <summary>Loads the model, with a progress bar if somebody looks.</summary>
    public static QuernModel Load(Terminal terminal, string path, ModelOptions options, bool warn = true)
    {
        QuernModel model = terminal.ErrorIsTerminal ? LoadWithProgress(terminal, path, options) : QuernModel.Load(path, options, null, terminal.Cancelled);
        if (warn)
            foreach (string warning in model.Warnings) terminal.Warn(warning);
        return model;
    }

    /// <summary>Refuses numbers below 1.</summary>
    public static void Positive<T>(Option<T> option) => option.Validators.Add(result =>
    {
        if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, out int value) && value < 1)
            result.AddError($"{option.Name} is {value}; expected at least 1");
    });

    private static string KvTypeList => string.Join(", ", Enum.GetNames<KvType>()).ToLowerInvariant();

    private static (KvType Keys, KvType Values)? KvTypes(string text)
    {
        KvType?[] types = [.. text.Split(',').Select(KvTypeOf)];
        return types.Length <= 2 && types[0] is { } keys && types[^1] is { } values ? (keys, values) : null;
    }

    private static KvType? KvTypeOf(string name)
    {
        foreach (KvType type in Enum.GetValues<KvType>())
            if (name.Equals(type.ToString(), StringComparison.OrdinalIgnoreCase)) return type;
        return null;
    }

    private static bool Has(ParseResult result, Option option) => result.GetResult(option) is not null;

    private static QuernModel LoadWithProgress(Terminal terminal, string path, ModelOptions options) =>
        ErrorProgress.Run(terminal, "Loading", report => QuernModel.Load(path, options, report, terminal.Cancelled), (LoadProgress p) => p.ByteCount == 0 ? 1 : (double)p.Bytes / p.ByteCount);
}
