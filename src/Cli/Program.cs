using Quern.Cli;

using Interrupts interrupts = new();
Console.CancelKeyPress += (_, press) => press.Cancel = interrupts.Raise();
return CommandLine.Invoke(args, Terminal.OfProcess(interrupts));
