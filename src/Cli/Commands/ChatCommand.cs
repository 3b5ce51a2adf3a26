using System.CommandLine;
using Quern.Cli.Chat;
using Quern.Cli.Options;
using Quern.Engine;
using Quern.Text;

namespace Quern.Cli.Commands;

/// <summary><c>quern chat</c>: a conversation.</summary>
internal static class ChatCommand
{
    public static Command Create(Terminal terminal)
    {
        ModelArguments model = new();
        SamplingArguments sampling = new();
        Option<string?> system = new("--system", "-sys") { Description = "What the model is told before the conversation.", HelpName = "TEXT" };
        Option<int?> tokens = new("--predict", "-n") { Description = "The most tokens of an answer [default: until it ends or the context is full].", HelpName = "N" };
        Option<FileInfo?> template = new("--chat-template") { Description = "File with a chat template (Jinja) instead of the model's own.", HelpName = "FILE" };
        Option<string[]> stop = new("--stop") { Description = "End an answer before this text; may be given several times.", HelpName = "TEXT", Arity = ArgumentArity.OneOrMore };
        ModelArguments.Positive(tokens);
        stop.AllowMultipleArgumentsPerToken = false;
        TaughtCommand command = new(
            "chat", "Talk with a model; /help inside tells more.",
            "quern chat",
            "quern chat -m model.gguf --system \"Answer in one sentence.\" --temp 0.7",
            "echo \"What is 3 + 4?\" | quern chat -n 32");
        model.AddTo(command);
        foreach (Option option in new Option[] { system, tokens, template, stop }) command.Add(option);
        sampling.AddTo(command);
        command.SetAction(result =>
        {
            string path = model.PathOf(result);
            GenerationOptions options = new() { MaxTokens = result.GetValue(tokens), Sampling = sampling.Read(result), Stop = result.GetValue(stop) ?? [] };
            if (options.Stop.Contains("")) throw new UsageException("--stop is empty; expected a text");
            ChatTemplate? own = result.GetValue(template) is { } file ? ChatTemplate.Parse(File.ReadAllText(file.FullName)) : null;
            using QuernModel loaded = ModelArguments.Load(terminal, path, model.Read(result));
            using Conversation conversation = new(loaded, own);
            return new ChatLoop(terminal, conversation, options, result.GetValue(system)).Run();
        });
        return command;
    }
}
