using static Quern.Corpus.Lexicon.Table;

namespace Quern.Corpus.Lexicon;

/// <summary>First names: few enough that a small model learns to tell them apart. None is in both tables, and none ends in s, so that all take "'s".</summary>
internal static class Names
{
    public static readonly string[] Boys = Of("""
        Tom, Ben, Sam, Max, Leo, Tim, Jack, Finn, Noah, Luke, Adam, Dan, Hugo, Oscar, Peter, Felix
        """);

    public static readonly string[] Girls = Of("""
        Lily, Mia, Anna, Sue, Lucy, Zoe, Ella, Emma, Amy, Beth, Clara, Daisy, Nina, Rosa, Ruby, Polly
        """);
}
