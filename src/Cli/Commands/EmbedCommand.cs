using System.CommandLine;
using System.Globalization;
using Quern.Cli.Options;
using Quern.Cli.Output;
using Quern.Engine;
using Quern.Models;

namespace Quern.Cli.Commands;

/// <summary><c>quern embed</c>: vectors of texts, how similar they are, and how well texts answer another one.</summary>
internal static class EmbedCommand
{
    private const string Numbers = "vectors", Lines = "jsonl", Whole = "json";

    // Texts whose vectors are made before they are written.
    private const int Group = 32;

    private static readonly string[] PoolingNames = [.. Enum.GetNames<Pooling>().Select(name => name.ToLowerInvariant())];

    public static Command Create(Terminal terminal)
    {
        ModelArguments model = new();
        Argument<string[]> texts = new("texts") { Description = "The texts; each gets a vector.", Arity = ArgumentArity.ZeroOrMore };
        Option<string?> file = new("--file", "-f") { Description = "Read the texts from a file, one a line; '-' is standard input.", HelpName = "FILE" };
        Option<string?> tokens = new("--tokens") { Description = "JSON file with the token ids of a text instead of texts: an array, or an object with 'tokens' and perhaps 'n_ctx'.", HelpName = "FILE" };
        Option<string?> pooling = new("--pooling")
        {
            Description = "How the vectors of a text's tokens become one: mean, cls (that of the first), last; none keeps all; rank scores every text as an answer to the first, with a model that has a classifier [default: what the model's file says].",
            HelpName = "HOW",
        };
        Option<bool> raw = new("--no-normalize") { Description = "Don't give vectors the length 1." };
        Option<bool> similarity = new("--similarity") { Description = "Write the cosines of the angles between all texts instead of vectors; with --format json beside them." };
        Option<bool> special = new("--special") { Description = "Read names of special tokens in the texts as those tokens." };
        Option<string> format = new("--format")
        {
            Description = $"{Numbers}: numbers with spaces between, a vector a line; {Lines}: a JSON object a line; {Whole}: one JSON object.",
            HelpName = "FORMAT",
            DefaultValueFactory = _ => Numbers,
        };
        pooling.AcceptOnlyFromAmong(PoolingNames);
        format.AcceptOnlyFromAmong(Numbers, Lines, Whole);
        TaughtCommand command = new(
            "embed", "Make vectors of texts, and compare them.",
            "quern embed -m bge-small-en.gguf --similarity \"A fox sleeps.\" \"The fox is asleep.\" \"Shares fell on Monday.\"",
            "quern embed -m nomic-embed.gguf -f documents.txt --format jsonl > vectors.jsonl",
            "quern embed -m reranker.gguf --pooling rank \"What do pandas eat?\" \"Bamboo, mostly.\" \"They live in China.\"",
            "quern embed --pooling mean \"Once upon a time\"");
        command.Add(texts);
        command.Add(file);
        foreach (Option option in new Option[] { tokens, pooling, raw, similarity, format, special }) command.Add(option);
        model.AddTo(command);
        command.SetAction(result =>
        {
            string path = model.PathOf(result);
            TokensFile? ids = result.GetValue(tokens) is { } source ? TokensFile.Read(source) : null;
            string[] given = Read(terminal, result.GetValue(texts) ?? [], result.GetValue(file), result.GetValue(tokens));
            (string shape, bool compares) = (result.GetValue(format)!, result.GetValue(similarity));
            EmbeddingOptions options = new()
            {
                Pooling = result.GetValue(pooling) is { } name ? Enum.Parse<Pooling>(name, ignoreCase: true) : null,
                Normalize = !result.GetValue(raw),
                ParseSpecial = result.GetValue(special),
            };
            if (compares && options.Pooling is Pooling.None or Pooling.Rank) throw new UsageException($"--similarity compares one vector of each text; --pooling {result.GetValue(pooling)} gives none");
            if (compares && shape == Lines) throw new UsageException($"--similarity goes with --format {Numbers} or {Whole}, because it compares all texts");
            ModelOptions load = model.Read(result);
            using QuernModel loaded = ModelArguments.Load(terminal, path, load with { ContextLength = load.ContextLength ?? ids?.ContextLength });
            using Embedder embedder = loaded.CreateEmbedder(options);
            if (compares && embedder.Pooling is Pooling.None or Pooling.Rank) throw new UsageException("--similarity compares one vector of each text, which this model's pooling does not give; give --pooling mean, cls or last");
            TextVector[] inputs = ids is null ? Inputs(embedder, given) : [new TextVector(0, null, ids.Tokens.Length, null, null, null)];
            int[][] numbers = ids is null ? Tokens(embedder, given) : [ids.Tokens];
            // What is wrong with a text is told before anything is written.
            embedder.Check(numbers);
            IEnumerable<TextVector> vectors = Vectors(terminal, embedder, inputs, numbers);
            if (shape == Lines)
            {
                foreach (TextVector vector in vectors) JsonOutput.WriteLine(terminal, vector, shapes => shapes.TextVector);
                return CommandLine.Success;
            }

            if (shape == Numbers && !compares)
            {
                foreach (TextVector vector in vectors) vector.WriteNumbers(terminal.Out);
                return CommandLine.Success;
            }

            TextVector[] all = [.. vectors];
            double[][]? cosines = compares ? [.. all.Select(a => all.Select(b => Math.Round(Embedder.Cosine(a.Vector, b.Vector), 6)).ToArray())] : null;
            bool normalised = options.Normalize && embedder.Pooling != Pooling.Rank;
            if (shape == Whole)
                JsonOutput.WriteLine(terminal, new EmbedReport(path, embedder.Pooling.ToString().ToLowerInvariant(), normalised, embedder.Length, all, cosines), shapes => shapes.EmbedReport);
            else WriteCosines(terminal, all, cosines!);
            return CommandLine.Success;
        });
        return command;
    }

    private static string[] Read(Terminal terminal, string[] texts, string? file, string? tokens)
    {
        if (tokens is not null && (texts.Length > 0 || file is not null)) throw new UsageException($"texts are given beside --tokens {tokens}; expected one of them");
        if (tokens is not null) return [];
        if (texts.Length > 0 && file is not null) throw new UsageException($"texts are given twice, as arguments and with -f {file}; expected one");
        if (texts.Length > 0) return texts;
        if (file is null && !terminal.InputIsRedirected) throw new UsageException("embed needs texts, or -f FILE with one a line (see quern embed --help)");
        string[] lines = file is null or "-" ? [.. LinesOf(terminal.In)] : File.ReadAllLines(file);
        return lines.Length > 0 ? lines : throw new UsageException($"{(file is null or "-" ? "standard input" : file)} is empty; expected texts, one a line");
    }

    private static IEnumerable<string> LinesOf(TextReader reader)
    {
        while (reader.ReadLine() is { } line) yield return line;
    }

    // Where texts are ranked, the first is what the others answer.
    private static TextVector[] Inputs(Embedder embedder, string[] texts)
    {
        bool ranks = embedder.Pooling == Pooling.Rank;
        if (ranks && texts.Length < 2) throw new UsageException("--pooling rank scores texts as answers to the first one; expected at least two texts");
        return [.. texts.Skip(ranks ? 1 : 0).Select((text, i) => new TextVector(i, text, 0, null, null, null))];
    }

    private static int[][] Tokens(Embedder embedder, string[] texts) => embedder.Pooling == Pooling.Rank
        ? [.. texts.Skip(1).Select(text => embedder.Tokenize(texts[0], text))]
        : [.. texts.Select(embedder.Tokenize)];

    private static IEnumerable<TextVector> Vectors(Terminal terminal, Embedder embedder, TextVector[] inputs, int[][] tokens)
    {
        for (int first = 0; first < tokens.Length; first += Group)
        {
            int[][] group = tokens[first..Math.Min(first + Group, tokens.Length)];
            float[][] vectors = embedder.Embed(group, terminal.Cancelled);
            for (int i = 0; i < group.Length; i++)
            {
                TextVector input = inputs[first + i] with { Tokens = group[i].Length };
                yield return embedder.Pooling switch
                {
                    Pooling.Rank => input with { Scores = vectors[i] },
                    Pooling.None => input with { Vectors = [.. vectors[i].Chunk(embedder.Length)] },
                    _ => input with { Vector = vectors[i] },
                };
            }
        }
    }

    private static void WriteCosines(Terminal terminal, TextVector[] texts, double[][] cosines)
    {
        const int MostText = 40;
        TextTable table = new([.. Enumerable.Repeat(true, texts.Length + 1), false]);
        table.Add(["", .. texts.Select(text => $"{text.Index + 1}"), ""]);
        foreach (TextVector text in texts)
        {
            string shown = text.Text is null ? "" : Printable.Quote(text.Text, MostText);
            table.Add([$"{text.Index + 1}", .. cosines[text.Index].Select(cosine => cosine.ToString("0.0000", CultureInfo.InvariantCulture)), shown]);
        }

        table.Write(terminal.Out);
    }
}
