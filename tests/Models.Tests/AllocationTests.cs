using Quern.Kernels.Cpu;

namespace Quern.Models.Tests;

/// <summary>A decode step takes no managed memory on any thread. Runs alone, because the count is that of the process.</summary>
[Collection(nameof(Alone))]
public class AllocationTests
{
    private const int WarmUp = 6, Rounds = 30, StepsOfRound = 5;

    public static IEnumerable<object[]> Architectures => TinyTraits.Names(ModelTask.Decoder).Select(name => new object[] { name });

    public static IEnumerable<object[]> Writers => TinyTraits.Names(ModelTask.EncoderDecoder).Select(name => new object[] { name });

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ADecodeStepAllocatesNothing(string architecture) => AssertAllocatesNothing(architecture, []);

    [Theory]
    [MemberData(nameof(Writers))]
    public void ADecodeStepBehindATextAllocatesNothing(string architecture) => AssertAllocatesNothing(architecture, ForwardTests.Tokens(40));

    private static void AssertAllocatesNothing(string architecture, int[] text)
    {
        using ThreadTeam team = new(2);
        using LoadedModel model = new(new TinyModel(architecture).Open(), new CpuBackend(team), TinyModel.Context, KvType.F16);
        using TensorBuffer logits = model.Backend.Allocate(1, model.Vocabulary);
        int[] pages = model.Pages(0);
        Batch batch = new(1);
        long least = long.MaxValue;
        int slot = text.Length;
        if (slot > 0) model.Read(text);

        // The first rounds warm up; in a later one the test runner may allocate, so one clean round is enough. They are short, because a step takes long without vector instructions.
        for (int round = 0; round < Rounds && least != 0; round++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int step = 0; step < StepsOfRound; step++, slot++)
            {
                batch.Clear();
                batch.Add([slot % TinyModel.Vocabulary], slot, pages, prefix: text.Length);
                model.Model.Forward(batch, model.Cache, model.Backend, logits.Tensor);
            }

            if (round >= WarmUp) least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        Assert.Equal(0, least);
    }
}

/// <summary>Tests that run while no other test does.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public class Alone;
