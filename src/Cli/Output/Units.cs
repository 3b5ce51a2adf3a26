namespace Quern.Cli.Output;

/// <summary>Numbers with units, as every command writes them.</summary>
internal static class Units
{
    /// <summary>Bytes in binary units: <c>808.2 MiB</c>.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < 1L << 10 => $"{bytes} B",
        < 1L << 20 => $"{bytes / 1024.0:F1} KiB",
        < 1L << 30 => $"{bytes / (1024.0 * 1024):F1} MiB",
        _ => $"{bytes / (1024.0 * 1024 * 1024):F2} GiB",
    };

    /// <summary>A count in decimal units: <c>1.24 B</c>.</summary>
    public static string Count(long count) => count switch
    {
        < 10_000 => $"{count}",
        < 1_000_000 => $"{count / 1e3:F2} K",
        < 1_000_000_000 => $"{count / 1e6:F2} M",
        _ => $"{count / 1e9:F2} B",
    };

    public static string Seconds(TimeSpan time) => time.TotalSeconds < 1 ? $"{time.TotalMilliseconds:F0} ms" : $"{time.TotalSeconds:F2} s";

    /// <summary>A part of one: <c>0.93 %</c>.</summary>
    public static string Percent(double part) => $"{100 * part:G2} %";

    public static string Rate(double perSecond) => double.IsFinite(perSecond) ? $"{perSecond:F1}" : "-";
}
