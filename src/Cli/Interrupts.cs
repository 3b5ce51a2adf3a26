namespace Quern.Cli;

/// <summary>
/// What Ctrl-C does: it ends the answer that is being given, if there is one; otherwise it asks the program to finish. Where the program waits for a line of input, or was asked before, the
/// system ends it.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    private readonly CancellationTokenSource _program = new();
    private CancellationTokenSource? _answer;

    /// <summary>Cancelled when the program is to finish.</summary>
    public CancellationToken Program => _program.Token;

    /// <summary>Whether the program waits for input: nothing would be lost.</summary>
    public bool IsWaiting { get; set; }

    /// <summary>Runs what Ctrl-C may end by itself.</summary>
    public void Answer(Action<CancellationToken> give)
    {
        using CancellationTokenSource answer = CancellationTokenSource.CreateLinkedTokenSource(Program);
        Volatile.Write(ref _answer, answer);
        try
        {
            give(answer.Token);
        }
        finally
        {
            Volatile.Write(ref _answer, null);
        }
    }

    /// <summary>Ctrl-C was pressed.</summary>
    /// <returns>False if the system is to end the process.</returns>
    public bool Raise()
    {
        if (Volatile.Read(ref _answer) is { IsCancellationRequested: false } answer)
        {
            answer.Cancel();
            return true;
        }

        if (IsWaiting || _program.IsCancellationRequested) return false;
        _program.Cancel();
        return true;
    }

    public void Dispose() => _program.Dispose();
}
