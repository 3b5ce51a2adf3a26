using System.Globalization;
using System.Text;
using System.Text.Json;
using Quern.Corpus.Building;
using Quern.Trainer.Model;
using Quern.Trainer.Runs;

namespace Quern.ModelPair;

/// <summary>Writes the models' card.</summary>
internal static class ModelCard
{
    public static string Write(PairRecipe recipe, PairFolders folders, PairMeasurements measured, TrainerConfig target, TrainerConfig draft)
    {
        StringBuilder card = new();
        card.Append("""
            # The models that ship with Quern

            A pair of small Llama models that share a vocabulary: the *target*, which every command without `-m` runs, and the *draft*, which proposes tokens for
            it. They tell children's stories about people of 32 names, answer questions about them, calculate with numbers up to 10 (mostly rightly) and write short records as JSON, in simple English, as plain
            text and as chats. They know nothing else, and larger numbers and lists of things are often wrong: they are here so that the first command works, and tests and examples have models that really speak.


            """);
        WritePair(card, folders, target, draft);
        WriteRecipe(card, recipe, folders, target, draft);
        WriteHeldOut(card, folders, measured.HeldOut);
        WriteAcceptance(card, measured.Acceptance);
        WriteSamples(card, measured.Samples);
        card.Append("""

            ## Licence

            MIT, as the rest of Quern. No text from elsewhere was used.

            """);
        return card.ToString().ReplaceLineEndings("\n");
    }

    private static void WritePair(StringBuilder card, PairFolders folders, TrainerConfig target, TrainerConfig draft)
    {
        card.AppendLine("| | target | draft |");
        card.AppendLine("| --- | --- | --- |");
        card.AppendLine($"| file | {Size(folders.TargetModel)} | {Size(folders.DraftModel)} |");
        Both("parameters", config => Format($"{new ParameterLayout(config.Model).Count:N0}"));
        Both("layers", config => Format($"{config.Model.Layers}, each {config.Model.Width} wide, {config.Model.Hidden} inside"));
        Both("heads", config => Format($"{config.Model.Heads} of {config.Model.HeadLength}, {config.Model.KvHeads} for keys and values"));
        Both("context", config => Format($"{config.Model.Context:N0} tokens"));
        Both("vocabulary", config => Format($"byte-level BPE of {config.Model.Vocabulary:N0} tokens, output tied to the embeddings"));
        card.AppendLine();

        void Both(string name, Func<TrainerConfig, string> value) => card.AppendLine($"| {name} | {value(target)} | {value(draft)} |");
        static string Size(string path) => Format($"`{Path.GetFileName(path)}`, {new FileInfo(path).Length / 1e6:f2} MB");
    }

    private static void WriteRecipe(StringBuilder card, PairRecipe recipe, PairFolders folders, TrainerConfig target, TrainerConfig draft)
    {
        using JsonDocument corpus = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folders.Corpus, CorpusBuild.CardName)));
        JsonElement train = corpus.RootElement.GetProperty("train"), heldOut = corpus.RootElement.GetProperty("heldOut");
        string kinds = string.Join(", ", train.GetProperty("kinds").EnumerateObject().Select(kind => Format($"{kind.Name} {kind.Value.GetProperty("tokens").GetInt64() / (double)train.GetProperty("tokens").GetInt64():p0}")));
        card.Append(Format($"""
            ## How they are made

            One command makes everything on this page again, the page included:

                dotnet run -c Release --project tools/ModelPair -- --out DIR{recipe.Option}

            It can be stopped and started again. The same instruction set gives the same bytes; another one rounds differently and gives models as good.

            * **Data**: `{corpus.RootElement.GetProperty("recipe").GetString()}`, a grammar of our own (`tools/Corpus`): {train.GetProperty("documents").GetInt64():N0} documents,
              {train.GetProperty("tokens").GetInt64():N0} tokens ({kinds}), {train.GetProperty("chatDocuments").GetInt64():N0} of the documents as chats; {heldOut.GetProperty("documents").GetInt64():N0} other documents are held out.
            * **Target**: {Plan(target)}. {Course(folders.Target)}
            * **Draft**: {Plan(draft)}; {draft.Training.TeacherShare:p0} of its loss is the distance to the target's probabilities, at temperature {draft.Training.TeacherTemperature}. {Course(folders.Draft)}
            * Both with `quern-trainer` (AdamW, in C# on the processor), then their matrices in Q8_0.


            """));
    }

    private static string Plan(TrainerConfig config)
    {
        TrainingPlan plan = config.Training;
        return Format($"{plan.Steps:N0} steps of {plan.Sequences * config.Model.Context:N0} tokens, learning rate {plan.LearningRate} to {plan.FinalLearningRate} along a cosine behind a warm-up of {plan.WarmupSteps} steps, seed {plan.Seed}{(plan.BeginSteps == 0 ? "" : $"; half of the first {plan.BeginSteps} steps' text is short texts that say things again")}");
    }

    private static string Course(RunFolders run)
    {
        double seconds = 0;
        StepRecord last = new(0, 0, 0, null, 0, 0, 0);
        foreach (StepRecord record in File.ReadLines(run.Log).Skip(1).Select(RunLog.Parse))
        {
            seconds += record.TokensPerSecond > 0 ? (record.Tokens - last.Tokens) / record.TokensPerSecond : 0;
            last = record;
        }

        return Format($"It took {seconds / 60:f0} minutes on the machine that made it; at the end the trainer saw a held-out loss of {last.HeldOut:f4} nats a token.");
    }

    private static void WriteHeldOut(StringBuilder card, PairFolders folders, IReadOnlyList<LikelihoodFigures> all)
    {
        card.Append(Format($"""
            ## Held-out loss

            Each document by itself, as the models were trained, every token of it scored, in binary32 (`--exact`); ± is the standard error. The sample is `heldout.txt`
            beside this page, the first {new FileInfo(folders.Sample).Length / 1e3:f0} kB of the held-out text; its beginning is what a test measures again. The text is of the same grammar that the
            models learnt, in documents that they have not seen: the loss says how well they know that grammar, not more.

            | model | text | documents | tokens | nats a token | perplexity | bits a byte |
            | --- | --- | ---: | ---: | ---: | ---: | ---: |

            """));
        foreach (LikelihoodFigures one in all)
        {
            card.AppendLine(Format(
                $"| `{one.Model}` | {one.Text} | {one.Documents} | {one.ScoredTokens} | {one.Nll:f5} ± {one.NllError:f5} | {one.Perplexity:f5} ± {one.PerplexityError:f5} | {one.BitsPerByte:f5} |"));
        }

        card.AppendLine().AppendLine("By these commands, in the same order:").AppendLine();
        foreach (LikelihoodFigures one in all) card.AppendLine($"    {one.Command}");
        card.AppendLine();
    }

    private static void WriteAcceptance(StringBuilder card, AcceptanceFigures measured)
    {
        card.Append(Format($"""
            ## Greedy acceptance

            The share of the draft's proposals that the target would have chosen itself, where both take the likeliest token: k proposals a round, those behind the first
            wrong one lost. {measured.Prompts} prompts are the beginnings of held-out documents (a chat to where the assistant answers, a plain text to the end of its first sentence); the
            target says {measured.GeneratedTokens:N0} tokens behind them, at most {measured.MostTokens} behind each.

            | k | rounds | proposed | accepted | share of proposals | mean length of a round |
            | ---: | ---: | ---: | ---: | ---: | ---: |

            """));
        foreach (AcceptanceRow row in measured.Rows)
            card.AppendLine(Format($"| {row.DraftLength} | {row.Rounds} | {row.Proposed} | {row.Accepted} | {100 * row.Share:f2} % | {row.MeanLength:f3} |"));
        card.AppendLine().AppendLine($"    quern-acceptance -m TARGET -d DRAFT -p DIR/prompts.json --special -n {measured.MostTokens}").AppendLine();
    }

    private static void WriteSamples(StringBuilder card, IReadOnlyList<SampleText> samples)
    {
        card.AppendLine("## What the target says").AppendLine().AppendLine("As it comes, not chosen:").AppendLine();
        foreach (SampleText sample in samples)
        {
            card.AppendLine($"    quern run {string.Join(' ', sample.Options)} {Quoted(sample.Prompt)}").AppendLine();
            string[] paragraphs = sample.Text.TrimEnd().Split('\n');
            foreach (string line in paragraphs) card.AppendLine($"> {Escape(line)}".TrimEnd());
            card.AppendLine().AppendLine($"Ended by {sample.Finish}.").AppendLine();
        }
    }

    // As a shell takes it.
    private static string Quoted(string text) => text.Contains('\n', StringComparison.Ordinal)
        ? $"$'{text.Replace("'", "\\'", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)}'"
        : $"\"{text}\"";

    private static string Escape(string text)
    {
        StringBuilder escaped = new();
        foreach (char c in text)
        {
            if (c is '*' or '_' or '<' or '[' or '`' or '\\' or '|') escaped.Append('\\');
            escaped.Append(c);
        }

        return escaped.ToString();
    }

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
