using Quern.ModelPair;

using CancellationTokenSource cancel = new();
Console.CancelKeyPress += (_, press) =>
{
    // The first Ctrl-C asks the run to save and stop; the second is left to the system, which ends the process.
    if (cancel.IsCancellationRequested) return;
    press.Cancel = true;
    cancel.Cancel();
};
return PairCommand.Invoke(args, Console.Out, Console.Error, cancel.Token);
