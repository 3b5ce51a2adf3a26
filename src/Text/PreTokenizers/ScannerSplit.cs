using Quern.Text.Unicode;

namespace Quern.Text.PreTokenizers;

/// <summary>Splits a text at the matches of a <see cref="Scanner"/>.</summary>
internal sealed class ScannerSplit(Scanner scanner, IPieceSink next) : IPieceSink
{
    public void Accept(ReadOnlySpan<byte> piece, List<int> ids)
    {
        int gap = 0;
        int position = 0;
        while (position < piece.Length)
        {
            int end = scanner(piece, position);
            if (end == position)
            {
                position += CodePoints.Length(piece[position]);
                continue;
            }

            if (gap < position) next.Accept(piece[gap..position], ids);
            next.Accept(piece[position..end], ids);
            gap = position = end;
        }

        if (gap < piece.Length) next.Accept(piece[gap..], ids);
    }
}
