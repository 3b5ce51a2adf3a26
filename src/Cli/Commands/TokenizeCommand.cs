using System.CommandLine;
using System.Text;
using Quern.Cli.Options;
using Quern.Cli.Output;
using Quern.Gguf;
using Quern.Text;

namespace Quern.Cli.Commands;

/// <summary><c>quern tokenize</c>: the tokens of a text, and the text of tokens.</summary>
internal static class TokenizeCommand
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static Command Create(Terminal terminal)
    {
        ModelArguments model = new();
        TextSource text = new("text", "The text to take apart.");
        Option<int[]> decode = new("--decode") { Description = "Write the text of these tokens instead.", HelpName = "ID", Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = true };
        Option<bool> noSpecial = new("--no-special") { Description = "Don't add tokens for the beginning and the end; when decoding, leave special tokens out." };
        Option<bool> noParse = new("--no-parse-special") { Description = "Read names of special tokens in the text as text." };
        Option<bool> json = new("--json") { Description = "Write one JSON object." };
        TaughtCommand command = new(
            "tokenize", "Show the tokens of a text, or the text of tokens.",
            "quern tokenize \"Once upon a time\"",
            "quern tokenize -m model.gguf \"Once upon a time\"",
            "quern tokenize -m model.gguf -f text.txt --json",
            "quern tokenize -m model.gguf --decode 1 403 407 261 378");
        text.AddTo(command);
        foreach (Option option in new Option[] { model.Path, decode, json, noSpecial, noParse, model.PreTokenizer }) command.Add(option);
        command.SetAction(result =>
        {
            string path = model.PathOf(result, text);
            int[]? ids = result.GetResult(decode) is null ? null : result.GetValue(decode);
            string? input = ids is null ? text.Read(terminal, result) : null;
            if (ids is null && input is null) throw new UsageException("tokenize needs a text, -f FILE, or --decode ID... (see quern tokenize --help)");
            if (ids is not null && result.GetValue(text.Text) is not null) throw new UsageException("tokenize takes a text or --decode, not both");
            using GgufFile file = GgufFile.Open(path);
            Tokenizer tokenizer = Tokenizer.Create(Vocabulary.Read(file.Metadata.Find, result.GetValue(model.PreTokenizer)));
            bool special = !result.GetValue(noSpecial);
            if (ids is not null) Decode(terminal, tokenizer, ids, special, result.GetValue(json));
            else Encode(terminal, tokenizer, input!, special, !result.GetValue(noParse), result.GetValue(json));
            return CommandLine.Success;
        });
        return command;
    }

    private static void Encode(Terminal terminal, Tokenizer tokenizer, string text, bool addSpecial, bool parseSpecial, bool json)
    {
        int[] ids = tokenizer.Encode(text, addSpecial, parseSpecial);
        if (json)
        {
            JsonOutput.Write(terminal, new TokenizeReport(ids.Length, [.. ids.Select(id => Report(tokenizer, id))]), shapes => shapes.TokenizeReport);
            return;
        }

        TextTable table = new(true, false);
        foreach (int id in ids)
        {
            TokenReport token = Report(tokenizer, id);
            table.Add($"{id}", token.Bytes is { } bytes ? string.Concat(bytes.Select(b => $"<0x{b:X2}>")) : Printable.Quote(token.Piece));
        }

        table.Write(terminal.Out);
        terminal.Error.WriteLine(ids.Length == 1 ? "1 token" : $"{ids.Length} tokens");
    }

    private static void Decode(Terminal terminal, Tokenizer tokenizer, int[] ids, bool renderSpecial, bool json)
    {
        foreach (int id in ids)
            if ((uint)id >= (uint)tokenizer.Count) throw new UsageException($"--decode has {id}; expected ids from 0 to {tokenizer.Count - 1}");
        string text = tokenizer.Decode(ids, renderSpecial);
        if (json) JsonOutput.Write(terminal, new DecodeReport(text, ids), shapes => shapes.DecodeReport);
        else terminal.Out.WriteLine(text);
    }

    private static TokenReport Report(Tokenizer tokenizer, int id)
    {
        ReadOnlySpan<byte> bytes = tokenizer.Piece(id);
        try
        {
            return new TokenReport(id, Strict.GetString(bytes), null);
        }
        catch (DecoderFallbackException)
        {
            return new TokenReport(id, Encoding.UTF8.GetString(bytes), [.. bytes.ToArray().Select(b => (int)b)]);
        }
    }
}
