using Quern.Trainer.Data;
using Quern.Trainer.Runs;

namespace Quern.Trainer.Tests;

public sealed class DataTests : IDisposable
{
    private readonly TrainingFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_sequence_knows_its_documents_and_learns_no_beginning()
    {
        ushort[] tokens = [9, 1, 2, 3, 9, 4, 5, 9, 6, 7, 8, 1];
        TokenFile file = Read(tokens, length: 8);
        TokenBatch batch = new(1, 8);
        file.Fill(2, batch, 0);
        Assert.Equal([2, 3, 9, 4, 5, 9, 6, 7], batch.Inputs);
        Assert.Equal([3, 9, 4, 5, 9, 6, 7, 8], batch.Targets);
        Assert.Equal([1, 0, 1, 1, 0, 1, 1, 1], batch.Weights);
        Assert.Equal([0, 0, 2, 2, 2, 5, 5, 5], batch.FirstKeys);
        Assert.Equal(6, batch.TotalWeight);
    }

    [Fact]
    public void A_mask_says_what_is_learnt()
    {
        File.WriteAllBytes(_folder.Path("small.mask"), [0, 0, 1, 0, 1, 0]);
        TokenFile file = Read([9, 1, 2, 3, 4, 5], length: 5);
        TokenBatch batch = new(1, 5);
        file.Fill(0, batch, 0);
        Assert.Equal([0, 1, 0, 1, 0], batch.Weights);
        File.WriteAllBytes(_folder.Path("small.mask"), [1]);
        Assert.Contains("one for each token", Assert.Throws<InvalidDataException>(() => Read([9, 1, 2, 3, 4, 5], length: 5)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Documents", 3)]
    [InlineData("Anywhere", 8)]
    public void Sequences_begin_where_the_plan_says_and_all_places_occur(string windows, int places)
    {
        WindowStart start = Enum.Parse<WindowStart>(windows);
        TokenFile file = Read([9, 1, 2, 9, 3, 4, 9, 5, 6, 9, 7, 8], length: 4);
        Assert.Equal(3, file.DocumentsBefore(4));
        TrainingPlan plan = new() { Sequences = 4, Windows = start };
        HashSet<string> seen = [];
        TokenBatch batch = new(4, 4);
        for (int step = 0; step < 50; step++)
        {
            Windows.FillStep(file, null, plan, step, 0, batch);
            for (int i = 0; i < 4; i++) seen.Add(string.Join(' ', batch.Inputs.Skip(4 * i).Take(4)));
        }

        Assert.Equal(places, seen.Count);
        if (start == WindowStart.Documents) Assert.All(seen, text => Assert.StartsWith("9 ", text, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_second_sequence_of_the_first_steps_is_of_the_beginning()
    {
        TokenFile train = Read([9, 1, 2, 9, 1, 2, 9, 1, 2, 9, 1, 2], length: 4), begin = Read([9, 5, 6, 9, 5, 6, 9, 5, 6, 9, 5, 6], length: 4);
        TrainingPlan plan = new() { Sequences = 4, BeginSteps = 3 };
        TokenBatch batch = new(2, 4);
        for (int step = 0; step < 6; step++)
        {
            Windows.FillStep(train, begin, plan, step, 2, batch);
            Assert.Equal(1, batch.Inputs[1]);
            Assert.Equal(step < 3 ? 5 : 1, batch.Inputs[5]);
        }
    }

    [Fact]
    public void The_text_of_a_step_does_not_depend_on_how_it_is_cut_into_passes()
    {
        TokenFile file = TokenFile.Read(_folder.Path("train.tok"), TrainingFolder.Vocabulary, TrainingFolder.Bos, 16);
        TrainingPlan plan = new() { Sequences = 4 };
        TokenBatch whole = new(4, 16), half = new(2, 16);
        Windows.FillStep(file, null, plan, 7, 0, whole);
        Windows.FillStep(file, null, plan, 7, 2, half);
        Assert.Equal(whole.Inputs[32..], half.Inputs);
    }

    [Theory]
    [InlineData(new ushort[] { 1, 9, 2, 3, 4, 5 }, "token 0 is 1; expected 9")]
    [InlineData(new ushort[] { 9, 1, 2, 10, 4, 5 }, "token 3 is 10; expected less than 10")]
    [InlineData(new ushort[] { 9, 1, 2 }, "has 3 tokens; expected at least 6")]
    public void What_is_no_token_file_is_refused_with_its_place(ushort[] tokens, string problem) =>
        Assert.Contains(problem, Assert.Throws<InvalidDataException>(() => Read(tokens, length: 5)).Message, StringComparison.Ordinal);

    private TokenFile Read(ushort[] tokens, int length)
    {
        _folder.WriteTokens("small.tok", tokens);
        return TokenFile.Read(_folder.Path("small.tok"), vocabulary: 10, bos: 9, length);
    }
}
