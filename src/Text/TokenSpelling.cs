namespace Quern.Text;

/// <summary>How a file spells the bytes of normal tokens.</summary>
internal enum TokenSpelling
{
    /// <summary>As text, with ▁ for a space.</summary>
    Plain,

    /// <summary>In the <see cref="ByteAlphabet"/>.</summary>
    ByteLevel,

    /// <summary>With the escapes of <see cref="EscapedBytes"/>.</summary>
    Escaped,
}
