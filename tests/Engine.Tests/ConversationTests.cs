using Quern.Engine.Sampling;
using Quern.Text;

namespace Quern.Engine.Tests;

public sealed class ConversationTests : IDisposable
{
    private static readonly ChatTemplate Template = ChatTemplate.Parse(
        "{{ bos_token }}{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}a:{% endif %}{% if messages|length > 5 %}{{ raise_exception('too long') }}{% endif %}");

    private static readonly GenerationOptions Options = new() { MaxTokens = 6, IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0 } };
    private readonly TinyModel _file = new();
    private readonly QuernModel _model;

    public ConversationTests() => _model = QuernModel.Load(_file.Path, new ModelOptions { Exact = true, Threads = 1, CacheTokens = 4 * TinyModel.TrainedContext });

    public void Dispose()
    {
        _model.Dispose();
        _file.Dispose();
    }

    // What a session says to the whole prompt, read for the first time.
    private string Expected(Conversation chat)
    {
        using Session session = _model.CreateSession();
        Assert.StartsWith("<s>", chat.Prompt, StringComparison.Ordinal);
        int[] tokens = _model.Tokenizer.Encode(chat.Prompt["<s>".Length..], addSpecial: true, parseSpecial: true);
        return string.Concat(session.Generate(tokens, Options).Select(piece => piece.Text));
    }

    [Fact]
    public void Every_answer_is_the_one_to_the_whole_conversation_and_only_what_is_new_is_computed()
    {
        using Conversation chat = new(_model, Template);
        chat.Messages.Add(new ChatMessage("user", "once"));
        for (int turn = 0; turn < 2; turn++)
        {
            string expected = Expected(chat);
            List<GeneratedText> pieces = [.. chat.Answer(Options)];
            Assert.Equal(expected, string.Concat(pieces.Select(piece => piece.Text)));
            Assert.Equal(new ChatMessage("assistant", expected).ToString(), chat.Messages[^1].ToString());
            if (turn == 1) Assert.InRange(pieces[^1].Statistics!.Value.PromptTokens, 1, 20);
            chat.Messages.Add(new ChatMessage("user", "and the"));
        }

        // A message that changes makes the rest be read again.
        chat.Messages[0] = new ChatMessage("user", "then");
        chat.Messages.RemoveAt(chat.Messages.Count - 1);
        chat.Messages.RemoveAt(chat.Messages.Count - 1);
        string changed = Expected(chat);
        Assert.Equal(changed, string.Concat(chat.Answer(Options).Select(piece => piece.Text)));
    }

    [Fact]
    public void An_answer_that_is_left_early_stays_as_far_as_it_came()
    {
        using Conversation chat = new(_model, Template);
        chat.Messages.Add(new ChatMessage("user", "once"));
        string text = "";
        foreach (GeneratedText piece in chat.Answer(Options))
        {
            text += piece.Text;
            if (text.Length > 0) break;
        }

        Assert.Equal(text, chat.Messages[^1].Content);
        Assert.Equal(Expected(chat), string.Concat(chat.Answer(Options).Select(piece => piece.Text)));
    }

    [Fact]
    public void Refusals_are_the_templates_own_or_say_what_is_missing()
    {
        Assert.Contains("has no chat template", Assert.Throws<InvalidOperationException>(() => new Conversation(_model)).Message, StringComparison.Ordinal);
        using Conversation chat = new(_model, Template);
        for (int i = 0; i < 6; i++) chat.Messages.Add(new ChatMessage("user", "x"));
        Assert.Equal("too long", Assert.Throws<ChatTemplateException>(() => chat.Answer(Options).ToList()).Reason);
    }
}
