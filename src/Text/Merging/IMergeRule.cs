namespace Quern.Text.Merging;

/// <summary>Which two adjacent symbols of a word may become one, and in which order.</summary>
internal interface IMergeRule
{
    /// <summary>The rank of the merge (the lowest goes first), or <see cref="int.MaxValue"/> where the two stay apart.</summary>
    /// <param name="left">Id of the left symbol, -1 for a character that is no token.</param>
    /// <param name="right">Id of the right symbol, -1 for a character that is no token.</param>
    /// <param name="start">Where the left symbol begins in the word, in bytes.</param>
    /// <param name="end">Where the right symbol ends in the word, in bytes.</param>
    /// <param name="merged">Id of the merged symbol.</param>
    int Rank(int left, int right, int start, int end, out int merged);
}
