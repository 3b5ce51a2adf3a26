using System.CommandLine;
using System.Runtime.InteropServices;
using Quern.Cli.Options;
using Quern.Cli.Output;
using Quern.Engine;
using Quern.Models;

namespace Quern.Cli.Commands;

/// <summary><c>quern logits</c>: what the model says after every token, for comparison with other engines.</summary>
internal static class LogitsCommand
{
    public static Command Create(Terminal terminal)
    {
        ModelArguments model = new();
        Option<string> tokens = new("--tokens") { Description = "JSON file with token ids: an array, or an object with 'tokens', perhaps 'n_ctx', and 'encoder_tokens' for a model that reads them first.", HelpName = "FILE", Required = true };
        Option<string> output = new("--output", "-o") { Description = "File to write: [tokens, vocabulary] little-endian float32, row-major, no header.", HelpName = "FILE", Required = true };
        TaughtCommand command = new(
            "logits", "Write the logits after every token of a sequence.",
            "quern logits -m model.gguf --tokens tokens.json -o logits.f32",
            "quern logits -m model.gguf --tokens tokens.json -o logits.f32 --exact");
        model.AddTo(command, except: model.PreTokenizer);
        command.Add(tokens);
        command.Add(output);
        command.SetAction(result =>
        {
            string path = model.PathOf(result);
            TokensFile file = TokensFile.Read(result.GetRequiredValue(tokens));
            ModelOptions options = model.Read(result);
            options = options with { ContextLength = options.ContextLength ?? file.ContextLength ?? Context(file.Tokens.Length + (file.EncoderTokens?.Length ?? 0)) };
            Write(terminal, path, options, file, result.GetRequiredValue(output));
            return CommandLine.Success;
        });
        return command;
    }

    // More tokens than the default context holds need a longer one, which nobody has to say.
    private static int? Context(int tokens) => tokens > ModelOptions.DefaultContextLength ? tokens : null;

    private static void Write(Terminal terminal, string path, ModelOptions options, TokensFile file, string output)
    {
        using QuernModel model = ModelArguments.Load(terminal, path, options);
        using Session session = model.CreateSession();
        if (model.Task == ModelTask.EncoderDecoder) session.Read(file.EncoderTokens ?? throw new InvalidDataException($"{model.Config.Architecture} writes about a text that it reads first; expected its ids in 'encoder_tokens'"));
        else if (file.EncoderTokens is not null) throw new InvalidDataException($"{model.Config.Architecture} has no encoder that reads 'encoder_tokens'; expected 'tokens' only");
        if (!BitConverter.IsLittleEndian) throw new PlatformNotSupportedException("logits are written on little-endian machines only");
        using FileStream stream = File.Create(output);
        session.EvaluateAll(file.Tokens, (_, _, logits) => stream.Write(MemoryMarshal.AsBytes(logits)), terminal.Cancelled);
        terminal.Error.WriteLine($"{file.Tokens.Length} x {model.VocabularySize} logits, {Units.Bytes(stream.Length)}, to {output}");
    }
}
