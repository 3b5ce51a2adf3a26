namespace Quern.Cli.Tests;

/// <summary><c>quern chat</c> with the model that ships: what is typed, what comes, and what Ctrl-C does.</summary>
public sealed class ChatTests
{
    private static QuernProcess Chat(string input, params string[] args) => QuernProcess.Piped(input, CancellationToken.None, ["chat", "-t", "1", "--temp", "0", "-n", "40", .. args]);

    [ShippedModelFact]
    public void Every_line_is_answered()
    {
        QuernProcess quern = Chat("What is 3 + 4?\n\nWhat is 2 + 2?\n");
        Assert.Equal((0, ""), (quern.ExitCode, quern.Error));
        string[] answers = quern.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, answers.Length);
        Assert.Matches(@"^3 \+ 4 = \d+", answers[0]);
        Assert.Matches(@"^2 \+ 2 = \d+", answers[1]);
    }

    [ShippedModelFact]
    public void Lines_with_a_slash_change_the_conversation()
    {
        QuernProcess quern = Chat("What is 3 + 4?\n/retry\n/undo\n/history\nWhat is \\\n2 + 2?\n/history\n/prompt\n/clear\n/undo\n/nonsense\n/help\n/exit\nWhat is 1 + 1?\n", "--system", "Be kind.");
        Assert.Equal(0, quern.ExitCode);
        string[] answers = quern.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, answers.Length);
        Assert.Equal(answers[0], answers[1]);
        Assert.StartsWith("system: Be kind.\nsystem: Be kind.\nuser: What is \n2 + 2?\nassistant: ", quern.Error.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains("<|im_start|>system\nBe kind.<|im_end|>", quern.Error, StringComparison.Ordinal);
        Assert.Contains("there is nothing to take back", quern.Error, StringComparison.Ordinal);
        Assert.Contains("there is no /nonsense; expected one of /help, /system", quern.Error, StringComparison.Ordinal);
        Assert.Contains("/retry", quern.Error, StringComparison.Ordinal);
    }

    [ShippedModelFact]
    public void Ctrl_C_ends_the_answer_and_not_the_program()
    {
        using Interrupts interrupts = new();
        using StringReader input = new("Tell me a short story about a fox named Mia.\nWhat is 3 + 4?\n");
        using InterruptingWriter output = new(interrupts);
        using StringWriter error = new();
        Terminal terminal = new() { In = input, Out = output, Error = error, InputIsRedirected = true, Interrupts = interrupts, Cancelled = interrupts.Program };
        Assert.Equal(0, CommandLine.Invoke(["chat", "-t", "1", "--temp", "0"], terminal));
        string[] answers = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, answers.Length);
        Assert.InRange(answers[0].Length, 1, 60);
        Assert.Matches(@"^3 \+ 4 = \d+", answers[1]);
    }

    [Fact]
    public void Ctrl_C_asks_the_program_to_finish_where_there_is_no_answer()
    {
        using Interrupts interrupts = new();
        interrupts.IsWaiting = true;
        Assert.False(interrupts.Raise());
        interrupts.IsWaiting = false;
        Assert.True(interrupts.Raise());
        Assert.True(interrupts.Program.IsCancellationRequested);
        Assert.False(interrupts.Raise());
    }

    [ShippedModelFact]
    public void What_is_too_long_is_taken_back()
    {
        QuernProcess quern = Chat(string.Concat(Enumerable.Repeat("a very long message ", 200)) + "\nWhat is 3 + 4?\n/history\n", "-c", "200");
        Assert.Equal(0, quern.ExitCode);
        Assert.Contains("the message was taken back", quern.Error, StringComparison.Ordinal);
        Assert.Contains("user: What is 3 + 4?", quern.Error, StringComparison.Ordinal);
        Assert.Matches(@"3 \+ 4 = \d+", quern.Out);
    }

    [ShippedModelFact]
    public void A_template_of_ones_own_is_used()
    {
        string template = Path.GetTempFileName();
        try
        {
            File.WriteAllText(template, "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }} Thank you.<|im_end|>\n{% endfor %}<|im_start|>assistant\n");
            Assert.Contains("Hello Thank you.", Chat("Hello\n/prompt\n", "--chat-template", template).Error, StringComparison.Ordinal);
            File.WriteAllText(template, "{% for m in messages %}");
            Chat("Hello\n", "--chat-template", template).AssertFails(1, "chat template, line 1", "expected 'endfor'");
        }
        finally
        {
            File.Delete(template);
        }
    }

    /// <summary>Presses Ctrl-C when the first answer begins.</summary>
    private sealed class InterruptingWriter(Interrupts interrupts) : StringWriter
    {
        private bool _pressed;

        public override void Write(string? value)
        {
            base.Write(value);
            if (_pressed || string.IsNullOrEmpty(value)) return;
            _pressed = true;
            interrupts.Raise();
        }
    }
}
