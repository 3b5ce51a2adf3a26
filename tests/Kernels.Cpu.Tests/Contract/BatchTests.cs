namespace Quern.Kernels.Cpu.Tests.Contract;

/// <summary>Tokens of trees in a batch.</summary>
public sealed class BatchTests
{
    [Fact]
    public void A_token_of_a_tree_stands_behind_its_ancestors()
    {
        Batch batch = new(8);
        batch.AddTree([10, 11, 12, 13], [0b00101, 0b01001, 0b10101, 0b100011], 40, 42, [0, 1]);
        Assert.Equal([41, 41, 42, 42], batch.Positions.ToArray());
        Assert.Equal([0, 1, 2, 3], batch.Outputs.ToArray());
        Assert.Equal(40, batch.Runs[0].TreeSlot);
        Assert.Equal(42, batch.Runs[0].FirstSlot);
        batch.Clear();
        batch.Add([1], 3, [0]);
        Assert.Equal(SequenceRun.NoTree, batch.Runs[0].TreeSlot);
    }

    [Theory]
    [InlineData(0, 0b1, 0b01, "the mask of token 1 is 0x1; expected bit 1, its own")]
    [InlineData(0, 0b1, 0b111, "the mask of token 1 is 0x7; expected bit 1, its own, and none behind it")]
    [InlineData(63, 0b1, 0b11, "a tree of 65 tokens; expected at most 64")]
    public void What_is_no_tree_is_refused(int before, ulong first, ulong second, string expected)
    {
        Batch batch = new(80);
        ArgumentException error = Assert.Throws<ArgumentException>(() => batch.AddTree([1, 2], [first, second], 1, 1 + before, [0, 1, 2]));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Equal(0, batch.TokenCount);
    }

    [Fact]
    public void Models_with_a_state_have_one_past()
    {
        using ThreadTeam team = new(1);
        using CpuBackend backend = new(team);
        using KvCache cache = backend.CreateKvCache(new KvLayout([new KvLayer(1, 16, 16) { StateLength = 16 }], KvType.F32, 1));
        Batch batch = new(2);
        batch.AddTree([1, 2], [1, 2], 0, 0, [0]);
        Tensor x = backend.Take(2, 16), y = backend.Take(2, 16);
        NotSupportedException error = Assert.Throws<NotSupportedException>(() => backend.ShiftRows(x, batch, new LayerState(0, 0), cache, y));
        Assert.Contains("2 tokens of a tree are in the batch of a recurrent model", error.Message, StringComparison.Ordinal);
    }
}
