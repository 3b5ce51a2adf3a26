using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Quern.Benchmarks.Limits;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.Benchmarks.Kernels;

/// <summary>Columns behind BenchmarkDotNet's own: what <see cref="ProductBenchmarks"/> reads and computes a second, beside what the machine does when it does nothing else, measured in this run.</summary>
internal sealed class RateColumns : ManualConfig
{
    private static readonly Lazy<(double Read, double Products)> Limits = new(Measure);

    public RateColumns() => AddColumn(
        new Column("GB/s", (weights, tokens, seconds) => Number(Bytes(weights) / seconds / 1e9)),
        new Column("of read", (weights, tokens, seconds) => $"{100 * Bytes(weights) / seconds / Limits.Value.Read:f0} %"),
        new Column("Gop/s", (weights, tokens, seconds) => Number(2.0 * ProductBenchmarks.Weights * tokens / seconds / 1e9)),
        new Column("of products", (weights, tokens, seconds) => $"{100 * 2.0 * ProductBenchmarks.Weights * tokens / seconds / Limits.Value.Products:f0} %"));

    private static double Bytes(WeightFormat format) => (double)format.Info.RowBytes(ProductBenchmarks.Cols) * ProductBenchmarks.Rows * ProductBenchmarks.Matrices;

    private static string Number(double value) => value.ToString("f1", CultureInfo.InvariantCulture);

    private static (double Read, double Products) Measure()
    {
        using ThreadTeam team = new(Environment.ProcessorCount);
        double Best(Func<ThreadTeam, double> look) => Enumerable.Range(0, 9).Max(_ => look(team));
        return (Best(MachineLimits.ReadBytesPerSecond), Best(MachineLimits.BestProductsPerSecond));
    }

    private sealed class Column(string name, Func<WeightFormat, int, double, string> value) : IColumn
    {
        public string Id => name;

        public string ColumnName => name;

        public bool AlwaysShow => true;

        public ColumnCategory Category => ColumnCategory.Custom;

        public int PriorityInCategory => 0;

        public bool IsNumeric => true;

        public UnitType UnitType => UnitType.Dimensionless;

        public string Legend => "of the whole matrix product; the limits are the best of nine looks in this run";

        public bool IsAvailable(Summary summary) => true;

        public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
        {
            if (summary[benchmarkCase]?.ResultStatistics is not { } statistics) return "-";
            WeightFormat format = FormatTable.Find((string)benchmarkCase.Parameters[nameof(ProductBenchmarks.Format)])!;
            return value(format, (int)benchmarkCase.Parameters[nameof(ProductBenchmarks.Tokens)], statistics.Median / 1e9);
        }

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);
    }
}
