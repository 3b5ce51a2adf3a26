using Quern.Acceptance;

return AcceptanceCommand.Invoke(args, Console.Out, Console.Error, progress: !Console.IsErrorRedirected);
