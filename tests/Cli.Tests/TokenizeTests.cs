using System.Text.Json;

namespace Quern.Cli.Tests;

public sealed class TokenizeTests : IDisposable
{
    private readonly TinyModel _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public void Ids_and_pieces_are_shown()
    {
        QuernProcess quern = QuernProcess.Run("tokenize", "-m", _file.Path, "a and");
        Assert.Equal(0, quern.ExitCode);
        string[] lines = quern.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Equal(["1  \"<s>\"", "264  \" a\"", "268  \" and\""], lines);
        Assert.Equal("3 tokens", quern.Error.Trim());
    }

    [Fact]
    public void Bytes_that_are_no_character_are_shown_as_bytes()
    {
        JsonElement tokens = QuernProcess.Run("tokenize", "-m", _file.Path, "--no-special", "--json", "é").Json().GetProperty("tokens");
        Assert.Equal([0xC3, 0xA9], tokens.EnumerateArray().Skip(1).Select(token => token.GetProperty("bytes")[0].GetInt32()));
        Assert.Contains("<0xC3>", QuernProcess.Run("tokenize", "-m", _file.Path, "é").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Decoding_gives_the_text_back()
    {
        JsonElement json = QuernProcess.Run("tokenize", "-m", _file.Path, "--json", "one and the cé").Json();
        string[] ids = [.. json.GetProperty("tokens").EnumerateArray().Select(token => token.GetProperty("id").GetRawText())];
        Assert.Equal(ids.Length, json.GetProperty("count").GetInt32());
        QuernProcess back = QuernProcess.Run(["tokenize", "-m", _file.Path, "--no-special", "--decode", .. ids]);
        Assert.Equal("one and the cé", back.Out.TrimEnd('\r', '\n'));
        JsonElement decoded = QuernProcess.Run(["tokenize", "-m", _file.Path, "--json", "--decode", .. ids]).Json();
        Assert.StartsWith("<s>", decoded.GetProperty("text").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Text_comes_from_a_file_or_from_a_pipe()
    {
        string expected = QuernProcess.Run("tokenize", "-m", _file.Path, "and on").Out;
        Assert.Equal(expected, QuernProcess.Piped("and on", default, "tokenize", "-m", _file.Path).Out);
        Assert.Equal(expected, QuernProcess.Piped("and on", default, "tokenize", "-m", _file.Path, "-f", "-").Out);
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "and on");
            Assert.Equal(expected, QuernProcess.Run("tokenize", "-m", _file.Path, "-f", path).Out);
            QuernProcess.Run("tokenize", "-m", _file.Path, "-f", path, "and on").AssertFails(2, "given twice");
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Wrong_uses_are_told()
    {
        QuernProcess.Run("tokenize", "-m", _file.Path).AssertFails(2, "needs a text");
        QuernProcess.Run("tokenize", "-m", _file.Path, "text", "--decode", "1").AssertFails(2, "not both");
        QuernProcess.Run("tokenize", "-m", _file.Path, "--decode", "275").AssertFails(2, "--decode has 275", "0 to 274");
        QuernProcess.Run("tokenize", "-m", _file.Path, "-f", "no-such.txt").AssertFails(1, "no-such.txt");
    }
}
