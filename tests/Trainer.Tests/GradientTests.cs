using Quern.Trainer.Data;
using Quern.Trainer.Model;
using Quern.Trainer.Operations;
using Quern.Trainer.Products;

namespace Quern.Trainer.Tests;

/// <summary>
/// The backward pass against central differences in double precision, tensor by tensor: some entries of each, and the direction of the whole tensor.
/// </summary>
public sealed unsafe class GradientTests
{
    private const double Step = 1e-5, Tolerance = 1e-5;
    private const int EntriesPerTensor = 6;

    // Longer than a block of queries, with rests everywhere.
    private static LlamaShape Shape(bool tied) => new()
    {
        Width = 12,
        Layers = 2,
        Heads = 4,
        KvHeads = 2,
        HeadLength = 6,
        Hidden = 20,
        Vocabulary = 23,
        Context = 70,
        TiedOutput = tied,
    };

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void Every_tensor_has_the_gradient_of_the_loss(bool tied, bool taught)
    {
        using Crew crew = new(2);
        using Network<double> network = Random(Shape(tied), crew, 3), teacher = Random(Shape(tied), crew, 4);
        TokenBatch batch = Batch(2, 70);
        using Activations<double> a = new(network.Shape, batch.Tokens, forBackward: true), b = new(network.Shape, batch.Tokens, forBackward: false);
        CrossEntropy form = new(0.4, 1.7);
        double Loss(bool backward)
        {
            double* logits = null;
            if (taught)
            {
                teacher.Forward(batch, b);
                logits = b.Logits.First;
            }

            network.Forward(batch, a);
            double loss = network.LossGradient(batch, a, form, logits, 1 / batch.TotalWeight) / batch.TotalWeight;
            if (backward) network.Backward(batch, a);
            return loss;
        }

        Loss(backward: true);
        double[] gradient = network.Gradients.All.ToArray();
        foreach (ParameterTensor tensor in network.Layout.Tensors)
        {
            double* values = network.Parameters.First + tensor.Offset;
            ReadOnlySpan<double> found = gradient.AsSpan((int)tensor.Offset, tensor.Count);
            double error = 0, size = 0;
            CountedRandom random = new((ulong)tensor.Offset, 9);
            for (int n = 0; n < EntriesPerTensor; n++)
            {
                int i = random.NextInt(tensor.Count);
                double difference = Difference(() => Loss(backward: false), step => values[i] += step);
                (error, size) = (error + Square(difference - found[i]), size + Square(difference));
            }

            Assert.True(Math.Sqrt(error) <= (Tolerance * Math.Sqrt(size)) + 1e-9, $"{tensor.Name}: the gradient is {Math.Sqrt(error / size):g3} off in {EntriesPerTensor} of its entries");

            // One direction reaches every entry, also where a wrong one was not drawn.
            double[] direction = [.. Enumerable.Range(0, tensor.Count).Select(_ => random.NextNormal())];
            double expected = 0;
            for (int i = 0; i < tensor.Count; i++) expected += direction[i] * found[i];
            double along = Difference(() => Loss(backward: false), step =>
            {
                for (int i = 0; i < tensor.Count; i++) values[i] += step * direction[i];
            });
            Assert.True(Math.Abs(along - expected) <= (Tolerance * Math.Abs(along)) + 1e-8, $"{tensor.Name}: along a random direction the loss rises by {along:g8}; the gradient says {expected:g8}");
        }
    }

    [Fact]
    public void Gradients_in_binary32_are_those_in_binary64_to_their_digits()
    {
        using Crew crew = new(2);
        using Network<double> wide = Random(Shape(true), crew, 3);
        using Network<float> narrow = new(Shape(true), crew);
        for (int i = 0; i < wide.Layout.Count; i++) narrow.Parameters.First[i] = (float)(wide.Parameters.First[i] = (float)wide.Parameters.First[i]);
        TokenBatch batch = Batch(2, 70);
        double[] expected = Gradient(wide, batch);
        double[] found = [.. Gradient(narrow, batch).Select(value => (double)value)];
        double error = Math.Sqrt(expected.Zip(found, (p, q) => Square(p - q)).Sum() / expected.Sum(Square));
        Assert.InRange(error, 0, 2e-5);
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        float[][] gradients = [.. new[] { 1, 2, 5 }.Select(threads =>
        {
            using Crew crew = new(threads);
            using Network<float> network = Random<float>(Shape(true), crew, 3);
            return Gradient(network, Batch(3, 70));
        })];
        Assert.Equal(gradients[0], gradients[1]);
        Assert.Equal(gradients[0], gradients[2]);
    }

    [Fact]
    public void A_document_does_not_see_the_one_before_it()
    {
        using Crew crew = new(1);
        using Network<double> network = Random(Shape(true), crew, 3);
        using Activations<double> a = new(network.Shape, 70, forBackward: false);
        TokenBatch whole = new(1, 70), alone = new(1, 30);
        TokenBatch source = Batch(1, 70);
        for (int i = 0; i < 70; i++) (whole.Inputs[i], whole.FirstKeys[i]) = (source.Inputs[i], i < 40 ? 0 : 40);
        for (int i = 0; i < 30; i++) alone.Inputs[i] = source.Inputs[40 + i];
        network.Forward(whole, a);
        double[] expected = a.Logits.Span(40 * network.Shape.Vocabulary, 30 * network.Shape.Vocabulary).ToArray();
        network.Forward(alone, a);
        double[] found = a.Logits.Span(0, expected.Length).ToArray();
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], found[i], 1e-10);
    }

    private static T[] Gradient<T>(Network<T> network, TokenBatch batch)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        using Activations<T> a = new(network.Shape, batch.Tokens, forBackward: true);
        network.Forward(batch, a);
        network.LossGradient(batch, a, default, null, 1 / batch.TotalWeight);
        network.Backward(batch, a);
        return network.Gradients.All.ToArray();
    }

    private static double Difference(Func<double> loss, Action<double> move)
    {
        move(Step);
        double above = loss();
        move(-2 * Step);
        double below = loss();
        move(Step);
        return (above - below) / (2 * Step);
    }

    private static double Square(double x) => x * x;

    private static Network<double> Random(LlamaShape shape, Crew crew, ulong seed) => Random<double>(shape, crew, seed);

    // Larger weights than training begins with, so that attention and gates are far from linear; gains are no ones.
    private static Network<T> Random<T>(LlamaShape shape, Crew crew, ulong seed)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        Network<T> network = new(shape, crew);
        CountedRandom random = new(seed, 0);
        foreach (ParameterTensor tensor in network.Layout.Tensors)
            for (int i = 0; i < tensor.Count; i++)
                network.Parameters.First[tensor.Offset + i] = T.CreateChecked(tensor.IsMatrix ? 0.5 * random.NextNormal() : 1 + (0.3 * random.NextNormal()));
        return network;
    }

    // Two documents in each sequence, some targets masked or weighted.
    private static TokenBatch Batch(int sequences, int length)
    {
        TokenBatch batch = new(sequences, length);
        CountedRandom random = new(7, 7);
        for (int i = 0; i < batch.Tokens; i++)
        {
            batch.Inputs[i] = random.NextInt(23);
            batch.Targets[i] = random.NextInt(23);
            batch.Weights[i] = i % 5 == 3 ? 0 : i % 7 == 0 ? 0.5f : 1;
            batch.FirstKeys[i] = i % length < 33 + (i / length) ? 0 : 33 + (i / length);
        }

        return batch;
    }
}
