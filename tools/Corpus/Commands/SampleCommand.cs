using System.CommandLine;
using Quern.Corpus.Documents;

namespace Quern.Corpus.Commands;

/// <summary><c>quern-corpus sample</c>.</summary>
internal static class SampleCommand
{
    public static Command Create()
    {
        Option<string?> kind = new("--kind") { Description = $"one kind only: {string.Join(", ", DocumentWriter.Kinds.Select(entry => entry.Name))}" };
        kind.AcceptOnlyFromAmong([.. DocumentWriter.Kinds.Select(entry => entry.Name)]);
        Option<bool> chat = new("--chat") { Description = "in chat form only; --chat false: plain texts only" };
        Option<ulong> seed = new("--seed") { Description = "seed of the first document; the others follow", DefaultValueFactory = _ => 1 };
        Option<int> count = new("--count", "-n") { Description = "how many documents", DefaultValueFactory = _ => 1 };
        Command command = new("sample", """
            Prints documents of the grammar, with a line between them.

            Example: quern-corpus sample --kind story --seed 7 -n 3
            Example: quern-corpus sample --kind qa --chat
            """)
        {
            kind, chat, seed, count,
        };
        command.SetAction(result =>
        {
            string? name = result.GetValue(kind);
            DocumentKind? wanted = name is null ? null : DocumentWriter.Kinds.First(entry => entry.Name == name).Kind;
            bool? form = result.GetResult(chat) is null ? null : result.GetValue(chat);
            for (int i = 0; i < result.GetValue(count); i++)
            {
                if (i > 0) Console.WriteLine($"\n{new string('-', 40)}\n");
                Console.WriteLine(DocumentWriter.Write(result.GetValue(seed) + (ulong)i, wanted, form).Text);
            }

            return 0;
        });
        return command;
    }
}
