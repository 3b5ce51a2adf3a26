using Quern.Cli;

using CancellationTokenSource cancel = new();
Console.CancelKeyPress += (_, press) =>
{
    // The first Ctrl-C asks the command to finish; the second is left to the system, which ends the process.
    if (cancel.IsCancellationRequested) return;
    press.Cancel = true;
    cancel.Cancel();
};
return CommandLine.Invoke(args, Terminal.OfProcess(cancel.Token));
