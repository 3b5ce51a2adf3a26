using System.Text.Json.Nodes;
using Quern.TestKit;

namespace Quern.Text.Tests.Templates;

/// <summary>Real chat templates over ten conversations, against what Jinja2 gave for them.</summary>
public sealed class SharedTemplateTests
{
    public static TheoryData<string> Templates => SharedData.Root is null ? ["absent"] : [.. Directory.GetFiles(SharedData.Path("chat", "templates")).Select(path => Path.GetFileName(path)!).Order()];

    [SharedTheory]
    [MemberData(nameof(Templates))]
    public void Templates_render_as_recorded(string name)
    {
        JsonObject file = JsonNode.Parse(File.ReadAllText(SharedData.Path("chat", "vectors.json")))!.AsObject();
        JsonObject[] vectors = [.. file["vectors"]!.AsArray().Select(vector => vector!.AsObject()).Where(vector => Path.GetFileName(vector["template"]!.GetValue<string>()) is var template && (template == name || template + ".jinja" == name))];
        Assert.Equal(10, vectors.Length);
        string source = File.ReadAllText(SharedData.Path("chat", "templates", name));
        List<string> wrong = [];
        foreach (JsonObject vector in vectors)
        {
            string context = vector["context"]!.GetValue<string>();
            string found;
            bool failed = false;
            try
            {
                found = Render(source, file, file["contexts"]![context]!.AsObject());
            }
            catch (ChatTemplateException e)
            {
                (found, failed) = (e.Message, true);
            }

            if (vector["rendered"] is { } rendered)
            {
                if (failed || found != rendered.GetValue<string>()) wrong.Add($"{context}:\n--- expected\n{rendered.GetValue<string>()}\n--- found\n{found}");
                continue;
            }

            // What a template says itself has to arrive; what Python says has only to be an error.
            string error = vector["error"]!.GetValue<string>();
            bool own = source.Contains("raise_exception", StringComparison.Ordinal) && !error.Contains("TypeError", StringComparison.Ordinal) && !error.Contains("undefined", StringComparison.Ordinal)
                && !error.Contains("object' has no", StringComparison.Ordinal) && !error.Contains("non-namespace", StringComparison.Ordinal);
            if (!failed || (own && !found.EndsWith(error, StringComparison.Ordinal))) wrong.Add($"{context}:\n--- expected the error\n{error}\n--- found\n{found}");
        }

        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    private static string Render(string source, JsonObject file, JsonObject context)
    {
        List<ChatMessage> messages = [];
        foreach (JsonNode? node in context["messages"]!.AsArray())
        {
            JsonObject message = node!.AsObject();
            messages.Add(new ChatMessage(message["role"]!.GetValue<string>(), message["content"]?.GetValue<string>())
            {
                Fields = message.Where(pair => pair.Key is not ("role" or "content")).ToDictionary(pair => pair.Key, pair => pair.Value),
            });
        }

        return ChatTemplate.Parse(source).Render(messages, new ChatTemplateOptions
        {
            AddGenerationPrompt = context["add_generation_prompt"]?.GetValue<bool>() ?? false,
            BosToken = file["bos_token"]!.GetValue<string>(),
            EosToken = file["eos_token"]!.GetValue<string>(),
            Tools = context["tools"]?.AsArray(),
            Variables = context.Where(pair => pair.Key is not ("messages" or "tools" or "add_generation_prompt")).ToDictionary(pair => pair.Key, pair => pair.Value),
            Clock = new FixedClock(DateTimeOffset.Parse(file["now"]!.GetValue<string>() + "Z", System.Globalization.CultureInfo.InvariantCulture)),
        });
    }

    private sealed class FixedClock(DateTimeOffset now) : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => now;
    }
}
