using FsCheck.Xunit;
using Quern.Kernels.Cpu;

namespace Quern.Engine.Tests;

/// <summary>Sessions on disk: what is restored goes on as if it had never been saved, and nothing else is taken for a session.</summary>
public sealed class SessionFileTests : IDisposable
{
    private static readonly int[] Tokens = [.. Enumerable.Range(0, 75).Select(i => 3 + (i * 37 % 250))];
    private readonly TinyModel _file = new();
    private readonly string _saved = Path.Combine(Path.GetTempPath(), $"quern-session-{Guid.NewGuid():N}.bin");

    public void Dispose()
    {
        _file.Dispose();
        File.Delete(_saved);
    }

    private QuernModel Load(KvType? type = null) =>
        QuernModel.Load(_file.Path, new ModelOptions { Threads = 1, CacheTokens = 3 * TinyModel.TrainedContext, KvType = type });

    [Theory]
    [InlineData(KvType.F16, 1)]
    [InlineData(KvType.F32, 32)]
    [InlineData(KvType.BF16, 61)]
    public void A_restored_session_goes_on_as_if_never_saved(KvType type, int length)
    {
        float[] expected;
        using (QuernModel model = Load(type))
        using (Session session = model.CreateSession())
        {
            session.Evaluate(Tokens.AsSpan(0, length));
            session.Save(_saved);
            expected = session.Evaluate(Tokens.AsSpan(length)).ToArray();
        }

        using QuernModel again = Load(type);
        using Session taken = again.CreateSession();
        taken.Evaluate([1, 2, 3]); // so that it gets other pages
        using Session restored = again.RestoreSession(_saved);
        Assert.Equal(Tokens[..length], restored.Tokens.ToArray());
        Assert.Equal(expected, restored.Evaluate(Tokens.AsSpan(length)).ToArray());
    }

    [Fact]
    public void A_generation_goes_on_where_it_was_saved()
    {
        using QuernModel model = Load();
        using Session session = model.CreateSession();
        GenerationOptions options = new() { MaxTokens = 8, IgnoreEos = true, Sampling = new() { Temperature = 0 } };
        List<GeneratedText> first = [.. session.Generate("once", options)];
        session.Save(_saved);
        string expected = string.Concat(session.Generate("", options).Select(piece => piece.Text));
        using Session restored = model.RestoreSession(_saved);
        Assert.Equal(expected, string.Concat(restored.Generate("", options).Select(piece => piece.Text)));
    }

    [Property(MaxTest = 60)]
    public void A_damaged_file_is_refused_and_leaves_no_page_held(uint place, byte change)
    {
        using QuernModel model = Load();
        using (Session session = model.CreateSession())
        {
            session.Evaluate(Tokens.AsSpan(0, 40));
            session.Save(_saved);
        }

        byte[] bytes = File.ReadAllBytes(_saved);
        // Small numbers are drawn most often; every place of the file is meant.
        long at = unchecked(place * 2654435761) % (2 * (uint)bytes.Length);
        if (at >= bytes.Length) bytes = bytes[..(int)(at - bytes.Length)];
        else bytes[at] ^= change == 0 ? (byte)1 : change;
        File.WriteAllBytes(_saved, bytes);
        InvalidDataException refused = Assert.Throws<InvalidDataException>(() => { model.RestoreSession(_saved); });
        Assert.Contains(_saved, refused.Message, StringComparison.Ordinal);
        Assert.Equal(model.Pages.Count, model.Pages.FreeCount);
    }

    [Fact]
    public void A_session_of_another_model_or_cache_is_refused()
    {
        using QuernModel model = Load();
        using Session session = model.CreateSession();
        session.Evaluate(Tokens);
        session.Save(_saved);
        using TinyModel other = new(noise: 0.01f);
        using QuernModel stranger = QuernModel.Load(other.Path, model.Options), wider = Load(KvType.F32);
        foreach (QuernModel wrong in new[] { stranger, wider })
            Assert.Contains("another model, or another type", Assert.Throws<InvalidDataException>(() => { wrong.RestoreSession(_saved); }).Message, StringComparison.Ordinal);
        File.WriteAllText(_saved, "something else");
        Assert.Contains("QUERNSES", Assert.Throws<InvalidDataException>(() => { model.RestoreSession(_saved); }).Message, StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => { model.RestoreSession(_saved + ".none"); });
    }
}
