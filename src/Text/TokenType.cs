namespace Quern.Text;

/// <summary>What a token of a vocabulary is. The values are those of <c>tokenizer.ggml.token_type</c> in a GGUF.</summary>
public enum TokenType
{
    /// <summary>No type was written, or one that is not known.</summary>
    Undefined = 0,

    /// <summary>Text.</summary>
    Normal = 1,

    /// <summary>Stands for text that the vocabulary cannot spell.</summary>
    Unknown = 2,

    /// <summary>Steers the model (begin of text, end of turn) and is no text.</summary>
    Control = 3,

    /// <summary>Text that is always one token.</summary>
    UserDefined = 4,

    /// <summary>A place in the vocabulary that nothing uses.</summary>
    Unused = 5,

    /// <summary>One byte, written <c>&lt;0x0A&gt;</c>.</summary>
    Byte = 6,
}
