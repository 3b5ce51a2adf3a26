using System.Text;
using Quern.Engine;
using Quern.Text;

namespace Quern.Cli.Chat;

/// <summary>Reads lines, answers them, and does what lines with a slash say. Ctrl-C ends an answer and not the program.</summary>
internal sealed class ChatLoop
{
    private readonly Terminal _terminal;
    private readonly Conversation _conversation;
    private readonly GenerationOptions _options;
    private readonly List<ChatEdit> _edits;
    private string? _system;

    public ChatLoop(Terminal terminal, Conversation conversation, GenerationOptions options, string? system)
    {
        (_terminal, _conversation, _options) = (terminal, conversation, options);
        _edits =
        [
            new("/help", "", "what can be done here", _ => Help()),
            new("/system", "TEXT", "what the model is told first; begins anew", text => Begin(text.Length == 0 ? null : text)),
            new("/clear", "", "forgets the conversation, but for the system's text", _ => Begin(_system)),
            new("/undo", "", "takes back the last message and its answer", _ => Undo()),
            new("/retry", "", "answers the last message again", _ => Retry()),
            new("/history", "", "shows the messages", _ => History()),
            new("/prompt", "", "shows the text that the model would see next", _ => _terminal.Error.WriteLine(_conversation.Prompt)),
            new("/exit", "", "ends; so does the end of the input", _ => HasEnded = true),
        ];
        Begin(system);
    }

    private bool HasEnded { get; set; }

    private bool IsInteractive => !_terminal.InputIsRedirected;

    public int Run()
    {
        if (IsInteractive) _terminal.Error.WriteLine("Talk; a \\ at the end of a line goes on in the next one. /help tells more, /exit ends.");
        while (!HasEnded && ReadMessage() is { } message)
        {
            if (message.Length == 0) continue;
            if (message[0] == '/') Edit(message);
            else Say(message);
            if (_terminal.Cancelled.IsCancellationRequested) return CommandLine.Interrupted;
        }

        return CommandLine.Success;
    }

    private string? ReadMessage()
    {
        StringBuilder message = new();
        while (true)
        {
            if (IsInteractive) _terminal.Error.Write(message.Length == 0 ? "> " : ". ");
            _terminal.Interrupts.IsWaiting = true;
            string? line = _terminal.In.ReadLine();
            _terminal.Interrupts.IsWaiting = false;
            if (line is null) return message.Length == 0 ? null : message.ToString();
            if (!line.EndsWith('\\')) return message.Append(line).ToString();
            message.Append(line.AsSpan(0, line.Length - 1)).Append('\n');
        }
    }

    private void Edit(string line)
    {
        string[] parts = line.Split(' ', 2);
        if (_edits.Find(edit => edit.Name == parts[0]) is { } known) known.Do(parts.Length > 1 ? parts[1].Trim() : "");
        else _terminal.Warn($"there is no {parts[0]}; expected one of {string.Join(", ", _edits.Select(edit => edit.Name))}");
    }

    private void Say(string message)
    {
        _conversation.Messages.Add(new ChatMessage("user", message));
        Answer();
    }

    private void Answer()
    {
        int before = _conversation.Messages.Count;
        try
        {
            _terminal.Interrupts.Answer(cancellation =>
            {
                using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _terminal.Cancelled);
                foreach (GeneratedText piece in _conversation.Answer(_options, either.Token))
                {
                    _terminal.Out.Write(piece.Text);
                    _terminal.Out.Flush();
                    if (piece is { Finish: { } finish, Statistics: { } cost } && IsInteractive)
                        _terminal.Error.Write($"\n[{cost.GeneratedTokens} tokens, {cost.TokensPerSecond:F1} a second, {Reason(finish)}]");
                }
            });
        }
        catch (Exception e) when (e is ContextFullException or ChatTemplateException)
        {
            // The conversation goes on without the message that could not be answered.
            while (_conversation.Messages.Count >= before) _conversation.Messages.RemoveAt(_conversation.Messages.Count - 1);
            _terminal.Warn($"{e.Message}; the message was taken back: /clear or /undo make room");
        }

        _terminal.Out.WriteLine();
        _terminal.Out.Flush();
    }

    private static string Reason(FinishReason finish) => finish switch
    {
        FinishReason.Eos => "ended",
        FinishReason.Cancelled => "interrupted",
        FinishReason.Context => "the context is full",
        FinishReason.Length => "as long as -n allows",
        _ => "a stop text came",
    };

    private void Begin(string? system)
    {
        _system = system;
        _conversation.Messages.Clear();
        if (system is not null) _conversation.Messages.Add(new ChatMessage("system", system));
    }

    private void Undo()
    {
        if (LastOf("user") is not (>= 0 and var last)) _terminal.Warn("there is nothing to take back");
        else Cut(last);
    }

    private void Retry()
    {
        if (LastOf("user") is not (>= 0 and var last))
        {
            _terminal.Warn("there is no message to answer");
            return;
        }

        Cut(last + 1);
        Answer();
    }

    private void Cut(int count)
    {
        while (_conversation.Messages.Count > count) _conversation.Messages.RemoveAt(_conversation.Messages.Count - 1);
    }

    private int LastOf(string role)
    {
        for (int i = _conversation.Messages.Count - 1; i >= 0; i--)
            if (_conversation.Messages[i].Role == role) return i;
        return -1;
    }

    private void History()
    {
        foreach (ChatMessage message in _conversation.Messages) _terminal.Error.WriteLine($"{message.Role}: {message.Content}");
    }

    private void Help()
    {
        foreach (ChatEdit edit in _edits) _terminal.Error.WriteLine($"  {$"{edit.Name} {edit.Argument}",-14} {edit.Description}");
    }

    /// <summary>Something that a line with a slash does. A new one is a line in the table above.</summary>
    private sealed record ChatEdit(string Name, string Argument, string Description, Action<string> Do);
}
