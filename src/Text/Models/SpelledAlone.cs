namespace Quern.Text.Models;

/// <summary>
/// Remembers of each token whether the merges spell it as one token when it is a word of its own, as nearly all do. Then a word that is a
/// token needs no merging. Found out once for each token when it is first met; threads that race write the same answer.
/// </summary>
internal sealed class SpelledAlone(int count)
{
    private readonly byte[] _answers = new byte[count];

    /// <summary>Null where nobody asked yet.</summary>
    public bool? this[int id]
    {
        get => _answers[id] switch { 0 => null, 1 => true, _ => false };
        set => _answers[id] = value == true ? (byte)1 : (byte)2;
    }
}
