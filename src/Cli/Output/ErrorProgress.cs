using Spectre.Console;

namespace Quern.Cli.Output;

/// <summary>A progress bar on standard error, which goes away when the work is done.</summary>
internal static class ErrorProgress
{
    /// <param name="terminal">Where to draw.</param>
    /// <param name="title">What is done.</param>
    /// <param name="work">The work; it reports to its argument.</param>
    /// <param name="fraction">How much of the work a report says is done, from 0 to 1.</param>
    public static TResult Run<TReport, TResult>(Terminal terminal, string title, Func<IProgress<TReport>, TResult> work, Func<TReport, double> fraction)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(terminal.Error) });
        return console.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
            .Start(context =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(title));
                return work(new Reporter<TReport>(report => task.Value = 100 * fraction(report)));
            });
    }

    // System.Progress reports on another thread and too late; this one is told at once.
    private sealed class Reporter<TReport>(Action<TReport> report) : IProgress<TReport>
    {
        public void Report(TReport value) => report(value);
    }
}
