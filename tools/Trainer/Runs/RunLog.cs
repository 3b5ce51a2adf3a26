using System.Globalization;

namespace Quern.Trainer.Runs;

/// <summary>What one step left: losses in nats for a token.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Tokens">Tokens seen.</param>
/// <param name="Loss">Of the step's text; with a teacher, the mixed loss.</param>
/// <param name="HeldOut">Of the held-out text, where it was looked at.</param>
/// <param name="LearningRate">Of the step.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="TokensPerSecond">Speed.</param>
internal sealed record StepRecord(int Step, long Tokens, double Loss, double? HeldOut, double LearningRate, double GradientNorm, double TokensPerSecond);

/// <summary>The log of a run, a CSV file with a line for each step.</summary>
internal sealed class RunLog : IDisposable
{
    private const string Header = "step,tokens,loss,held_out,learning_rate,gradient_norm,tokens_per_second";
    private readonly List<StepRecord> _records = [];
    private readonly StreamWriter _writer;

    /// <summary>Opens the log; what a run wrote behind <paramref name="step"/> is forgotten, because it will be done again.</summary>
    public RunLog(string path, int step)
    {
        if (step > 0 && File.Exists(path)) _records.AddRange(File.ReadLines(path).Skip(1).Select(Parse).Where(record => record.Step <= step));
        _writer = new StreamWriter(path, append: false) { NewLine = "\n" };
        _writer.WriteLine(Header);
        foreach (StepRecord record in _records) _writer.WriteLine(Format(record));
        _writer.Flush();
    }

    public IReadOnlyList<StepRecord> Records => _records;

    public void Add(StepRecord record)
    {
        _records.Add(record);
        _writer.WriteLine(Format(record));
        _writer.Flush();
    }

    public void Dispose() => _writer.Dispose();

    internal static StepRecord Parse(string line)
    {
        string[] parts = line.Split(',');
        if (parts.Length != 7) throw new InvalidDataException($"the log has the line '{line}'; expected {Header}");
        double Number(int i) => double.Parse(parts[i], CultureInfo.InvariantCulture);
        return new StepRecord(
            int.Parse(parts[0], CultureInfo.InvariantCulture), long.Parse(parts[1], CultureInfo.InvariantCulture), Number(2), parts[3].Length == 0 ? null : Number(3),
            Number(4), Number(5), Number(6));
    }

    private static string Format(StepRecord r) => string.Create(
        CultureInfo.InvariantCulture, $"{r.Step},{r.Tokens},{r.Loss:f5},{r.HeldOut:f5},{r.LearningRate:g5},{r.GradientNorm:f4},{r.TokensPerSecond:f0}");
}
