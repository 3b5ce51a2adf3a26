using Quern.Cli.Options;
using Quern.Trainer.Runs;

namespace Quern.ModelPair;

/// <summary>Where everything of a pair lies.</summary>
/// <param name="Root">The folder that <c>--out</c> names.</param>
internal sealed record PairFolders(string Root)
{
    public string Corpus => Path.Combine(Root, "corpus");

    public RunFolders Target => new(Corpus, Path.Combine(Root, "target"));

    public RunFolders Draft => new(Corpus, Path.Combine(Root, "draft"));

    /// <summary>What goes into the repository, as it stands.</summary>
    public string Models => Path.Combine(Root, "models");

    public string TargetModel => Path.Combine(Models, ShippedModels.TargetName);

    public string DraftModel => Path.Combine(Models, ShippedModels.DraftName);

    public string Card => Path.Combine(Models, "README.md");

    /// <summary>A sample of the held-out text.</summary>
    public string Sample => Path.Combine(Models, "heldout.txt");

    /// <summary>Prompts for acceptance.</summary>
    public string Prompts => Path.Combine(Root, "prompts.json");

    public string Measurements => Path.Combine(Root, "measurements.json");
}
