namespace Quern.Cli.Output;

/// <summary>What <c>quern tokenize --json</c> says.</summary>
internal sealed record TokenizeReport(int Count, IReadOnlyList<TokenReport> Tokens);

/// <summary>A token: its id, the text that it stands for, and its bytes where those are no whole characters.</summary>
internal sealed record TokenReport(int Id, string Piece, IReadOnlyList<int>? Bytes);

/// <summary>What <c>quern tokenize --decode --json</c> says.</summary>
internal sealed record DecodeReport(string Text, IReadOnlyList<int> Ids);
