namespace Quern.Text.PreTokenizers;

/// <summary>Takes the pieces that a split makes of a text, in their order.</summary>
internal interface IPieceSink
{
    /// <param name="piece">Well-formed UTF-8, never empty.</param>
    /// <param name="ids">Where the tokens of the piece go in the end.</param>
    void Accept(ReadOnlySpan<byte> piece, List<int> ids);
}
