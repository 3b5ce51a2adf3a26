using System.CommandLine;
using System.Diagnostics;
using Quern.Corpus.Building;

namespace Quern.Corpus.Commands;

/// <summary><c>quern-corpus build</c>.</summary>
internal static class BuildCommand
{
    private const int DefaultDocuments = 300_000;

    public static Command Create()
    {
        Option<string> folder = new("--out") { Description = "the folder for the files; made where it is missing", Required = true };
        Option<int?> documents = new("--documents") { Description = $"how many training documents (default {DefaultDocuments:N0})" };
        Option<long?> tokens = new("--tokens") { Description = "how many training tokens, instead; the last document is whole" };
        Option<uint> seed = new("--seed") { Description = "seed of the corpus", DefaultValueFactory = _ => 1 };
        Command command = new("build", """
            Builds a corpus and its vocabulary: vocabulary.gguf, train.tok, heldout.tok, begin.tok, corpus.txt, heldout.txt and card.json.

            Token files are little-endian 16-bit ids; card.json says which tokens begin and end a document, and counts everything.
            The same options give the same bytes on every machine.

            Example: quern-corpus build --out corpus --tokens 100000000 --seed 1
            """)
        {
            folder, documents, tokens, seed,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(documents) is not null && result.GetValue(tokens) is not null) result.AddError("--documents and --tokens exclude each other: give one of them");
            if (result.GetValue(documents) is < 1000) result.AddError("--documents: expected at least 1000, so that there are words for a vocabulary of 2,048 tokens");
            if (result.GetValue(tokens) is < 1) result.AddError("--tokens: expected a positive number");
        });
        command.SetAction(result =>
        {
            long? wantedTokens = result.GetValue(tokens);
            int? wantedDocuments = result.GetValue(documents) ?? (wantedTokens is null ? DefaultDocuments : null);
            bool terminal = !Console.IsErrorRedirected;
            Stopwatch watch = Stopwatch.StartNew();
            CorpusBuild build = new(new BuildOptions(result.GetRequiredValue(folder), result.GetValue(seed), wantedDocuments, wantedTokens), line =>
            {
                if (terminal) Console.Error.Write($"\r\e[K{line}");
            });
            CorpusCard card = build.Run();
            if (terminal) Console.Error.Write("\r\e[K");
            double seconds = watch.Elapsed.TotalSeconds;
            long characters = card.Train.Characters + card.HeldOut.Characters;
            Console.Error.WriteLine($"{card.Train.Documents:N0} training documents, {card.Train.Tokens:N0} tokens; {card.HeldOut.Documents:N0} held out, {card.HeldOut.Tokens:N0} tokens");
            Console.Error.WriteLine($"{card.Train.CharactersPerToken:f2} characters a token, {card.DistinctWords:N0} words; {characters / 1e6:f1} MB in {seconds:f1} s, {characters / 1e6 / seconds:f1} MB/s");
            return 0;
        });
        return command;
    }
}
