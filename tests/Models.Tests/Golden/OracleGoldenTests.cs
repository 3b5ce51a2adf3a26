using Quern.Gguf;
using Quern.TestKit;
using Quern.TestKit.Oracle;

namespace Quern.Models.Tests.Golden;

/// <summary>The architectures on the oracle's operations: whether a family computes what its paper says, whatever the kernels do.</summary>
public class OracleGoldenTests
{
    private const float Tolerance = 2e-4f;

    public static IEnumerable<object[]> Names => GoldenModel.Names;

    [SharedTheory]
    [MemberData(nameof(Names))]
    public void LogitsAreThoseOfAnIndependentEngine(string name)
    {
        GoldenModel golden = GoldenModel.Load(name);
        using LoadedModel model = new(GgufFile.Open(golden.ModelPath), new OracleBackend(), golden.ContextLength);
        Close.AssertAll(golden.Logits, model.Evaluate(golden.Tokens), golden.Vocabulary, Tolerance);
    }

    [SharedFact]
    public void EveryArchitectureHasAReference()
    {
        HashSet<string> tested = [.. Enum.GetValues<ModelTask>().SelectMany(GoldenModel.Of).Select(name => GoldenModel.Load((string)name[0]).Architecture)];
        Assert.All(ArchitectureTable.All, entry => Assert.Contains(entry.Name, tested));
    }

    [SharedFact]
    public void TheTableSaysWhichVariantsAreTested()
    {
        // Weight formats are tested on models of one architecture, which are no variants of it.
        ILookup<string, string> tested = Enum.GetValues<ModelTask>().SelectMany(GoldenModel.Of).Select(name => (string)name[0]).Where(name => !name.StartsWith("quants/", StringComparison.Ordinal)).ToLookup(name => GoldenModel.Load(name).Architecture);
        Assert.All(ArchitectureTable.All, entry => Assert.Equal(tested[entry.Name].Order(StringComparer.Ordinal), entry.Tested.Order(StringComparer.Ordinal)));
    }
}
