namespace Quern.Models;

/// <summary>How the vectors of a text's tokens become one. The numbers are those of GGUF's key <c>pooling_type</c>.</summary>
public enum Pooling
{
    /// <summary>Not at all: every token keeps its vector.</summary>
    None = 0,

    /// <summary>Their mean. Source: Reimers and Gurevych 2019, arXiv 1908.10084, section 3.</summary>
    Mean = 1,

    /// <summary>That of the first token. Source: Devlin et al. 2018, arXiv 1810.04805, section 3.</summary>
    Cls = 2,

    /// <summary>That of the last token. Source: Neelakantan et al. 2022, arXiv 2201.10005, section 2.</summary>
    Last = 3,

    /// <summary>What a classifier says about that of the first token: how well a text answers another one. Source: Nogueira and Cho 2019, arXiv 1901.04085.</summary>
    Rank = 4,
}
