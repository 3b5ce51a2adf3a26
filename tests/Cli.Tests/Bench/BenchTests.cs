using System.Text.Json;
using Quern.Cli.Bench;

namespace Quern.Cli.Tests.Bench;

public sealed class BenchTests : IDisposable
{
    private readonly TinyModel _file = new();

    public void Dispose() => _file.Dispose();

    private QuernProcess Run(params string[] args) => QuernProcess.Run(["bench", "-m", _file.Path, "-r", "2", .. args]);

    [Fact]
    public void Tests_are_named_as_everywhere()
    {
        IEnumerable<string> names = BenchTest.Of([512, 0, 64], [128], [0, 4096], [1, 16]).Select(test => test.Name);
        Assert.Equal(["pp512", "pp64", "tg128", "tg128 x16", "pp512 @ d4096", "pp64 @ d4096", "tg128 @ d4096", "tg128 x16 @ d4096"], names);
    }

    [Fact]
    public void Statistics_are_those_of_the_sample()
    {
        double[] samples = [4, 1, 7, 2];
        Assert.Equal(3.5, BenchResult.Mean(samples));
        Assert.Equal(3, BenchResult.Median(samples));
        Assert.Equal(2, BenchResult.Median([9, 1, 2]));
        Assert.Equal(Math.Sqrt(7), BenchResult.StandardDeviation(samples), 12);
        Assert.Equal(0, BenchResult.StandardDeviation([5]));
    }

    [Fact]
    public void Threads_stay_on_processors_that_are_given()
    {
        if (!OperatingSystem.IsLinux()) return;
        string allowed = File.ReadLines("/proc/self/status").Single(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal)).Split(':')[1].Trim();
        string first = allowed.Split(',', '-')[0];
        Assert.Contains("\"threads\": 1", Run("-p", "8", "-n", "0", "--cpus", first, "-o", "json").Out, StringComparison.Ordinal);
        Run("-p", "8", "-n", "0", "--cpus", first, "-t", "2").AssertFails(1, "Processors has 1 for 2 threads");
        Run("--cpus", "1-0").AssertFails(2, "--cpus is '1-0'");
        Run("--cpus", $"{first},8000").AssertFails(1, "processor 8000");
    }

    [Fact]
    public void Markdown_is_a_table_with_a_row_for_each_test()
    {
        QuernProcess quern = Run("-p", "8,16", "-n", "4", "-d", "0,5", "-t", "1,2");
        Assert.Equal((0, ""), (quern.ExitCode, quern.Error));
        string[] lines = quern.Out.Split('\n', StringSplitOptions.TrimEntries);
        string[] rows = [.. lines.Where(line => line.StartsWith("| llama", StringComparison.Ordinal))];
        Assert.Equal(12, rows.Length);
        Assert.All(rows, row => Assert.Equal(rows[0].Count(c => c == '|'), row.Count(c => c == '|')));
        Assert.Equal(lines[0].Count(c => c == '|'), rows[0].Count(c => c == '|'));
        Assert.Matches(@"^\| llama \d+K all F32 .*\| CPU +\| +1 \| +pp8 \| +[0-9.]+ ± [0-9.]+ \| +[0-9.]+ \|$", rows[0]);
        Assert.Contains("pp16 @ d5", rows[^2], StringComparison.Ordinal);
    }

    [Fact]
    public void Json_has_every_sample()
    {
        JsonElement json = Run("-p", "8", "-n", "4", "-t", "1", "-o", "json", "--exact").Json();
        Assert.Equal(2, json.GetArrayLength());
        Assert.Equal(["pp8", "tg4"], json.EnumerateArray().Select(result => result.GetProperty("test").GetString()));
        Assert.All(json.EnumerateArray(), result =>
        {
            Assert.Equal(2, result.GetProperty("samples_ts").GetArrayLength());
            Assert.True(result.GetProperty("avg_ts").GetDouble() > 0);
            Assert.Equal(("exact", "f32", 1), (result.GetProperty("mode").GetString(), result.GetProperty("kv_type").GetString(), result.GetProperty("threads").GetInt32()));
        });
    }

    [Fact]
    public void Csv_has_the_fields_of_the_json()
    {
        JsonElement json = Run("-p", "8", "-n", "0", "-o", "json").Json();
        string[] lines = Run("-p", "8", "-n", "0", "-o", "csv").Out.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Equal(2, lines.Length);
        Assert.Equal(json[0].EnumerateObject().Select(field => field.Name), lines[0].Split(','));
    }

    [Fact]
    public void Sequences_are_measured_together()
    {
        JsonElement json = Run("-p", "0", "-n", "12", "-s", "1,4", "-d", "3", "-t", "1", "-o", "json").Json();
        Assert.Equal(["tg12 @ d3", "tg12 x4 @ d3"], json.EnumerateArray().Select(result => result.GetProperty("test").GetString()));
        Assert.Equal([1, 4], json.EnumerateArray().Select(result => result.GetProperty("sequences").GetInt32()));
        Assert.All(json.EnumerateArray(), result => Assert.True(result.GetProperty("avg_ts").GetDouble() > 0));
    }

    [Fact]
    public void Ctrl_C_keeps_what_was_measured()
    {
        QuernProcess quern = QuernProcess.Piped(null, new CancellationToken(true), "bench", "-m", _file.Path, "-o", "json");
        Assert.Equal((130, ""), (quern.ExitCode, quern.Error));
        Assert.Equal(0, quern.Json().GetArrayLength());
    }

    [Fact]
    public void Wrong_uses_are_told()
    {
        Run("-p", "0", "-n", "0").AssertFails(2, "nothing to measure");
        Run("-p", "8,x").AssertFails(2, "-p is 'x'");
        Run("-t", "0").AssertFails(2, "-t is '0'");
        Run("-o", "xml").AssertFails(2, "xml");
        QuernProcess.Run("bench", "-m", _file.Path, "-r", "0").AssertFails(2, "--repetitions is 0");
    }
}
