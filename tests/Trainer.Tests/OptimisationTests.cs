using Quern.Trainer.Data;
using Quern.Trainer.Model;
using Quern.Trainer.Optimisation;
using Quern.Trainer.Products;
using Quern.Trainer.Runs;

namespace Quern.Trainer.Tests;

public sealed unsafe class OptimisationTests
{
    [Fact]
    public void AdamW_is_its_formula_in_double_precision()
    {
        using Crew crew = new(2);
        using Network<float> network = new(TrainingFolder.Shape, crew);
        network.Initialise(3);
        TrainingPlan plan = new() { LearningRate = 0.01, WarmupSteps = 2, Steps = 10, WeightDecay = 0.3 };
        using AdamW adam = new(network, plan, crew);
        int count = (int)network.Layout.Count;
        double[] w = [.. network.Parameters.All.ToArray().Select(value => (double)value)], m = new double[count], v = new double[count];
        bool[] decays = [.. network.Layout.Tensors.SelectMany(tensor => Enumerable.Repeat(tensor.IsMatrix, tensor.Count))];
        CountedRandom random = new(1, 1);
        for (int step = 0; step < 4; step++)
        {
            double squares = 0, rate = plan.LearningRateOf(step);
            for (int i = 0; i < count; i++)
            {
                float g = (float)(random.NextNormal() * 0.1);
                network.Gradients.First[i] = g;
                squares += (double)g * g;
                m[i] = (0.9 * m[i]) + (0.1 * g * 0.5);
                v[i] = (0.95 * v[i]) + (0.05 * g * 0.5 * g * 0.5);
                double mean = m[i] / (1 - Math.Pow(0.9, step + 1)), square = v[i] / (1 - Math.Pow(0.95, step + 1));
                w[i] -= rate * ((mean / (Math.Sqrt(square) + 1e-8)) + (decays[i] ? 0.3 * w[i] : 0));
            }

            Assert.Equal(Math.Sqrt(squares), adam.GradientNorm(), 1e-9);
            adam.Step(step, 0.5);
        }

        for (int i = 0; i < count; i++) Assert.Equal(w[i], network.Parameters.First[i], 2e-6);
    }

    [Fact]
    public void The_learning_rate_rises_in_a_line_and_falls_in_half_a_cosine()
    {
        TrainingPlan plan = new() { Steps = 111, WarmupSteps = 10, LearningRate = 1, FinalLearningRate = 0.2 };
        Assert.Equal(0.1, plan.LearningRateOf(0), 1e-12);
        Assert.Equal(1, plan.LearningRateOf(9), 1e-12);
        Assert.Equal(1, plan.LearningRateOf(10), 1e-12);
        Assert.Equal(0.6, plan.LearningRateOf(60), 1e-12);
        Assert.Equal(0.2, plan.LearningRateOf(110), 1e-12);
    }

    [Fact]
    public void First_weights_have_the_deviation_of_their_tensor()
    {
        using Crew crew = new(1);
        using Network<float> network = new(TrainerConfig.Presets["target"].Model, crew);
        network.Initialise(1);
        foreach (ParameterTensor tensor in network.Layout.Tensors)
        {
            float[] values = network.Parameters.Span(tensor.Offset, tensor.Count).ToArray();
            if (!tensor.IsMatrix) Assert.All(values, value => Assert.Equal(1, value));
            else Assert.InRange(Math.Sqrt(values.Average(value => (double)value * value)) / tensor.Deviation, 0.98, 1.02);
        }
    }

    [Fact]
    public void The_presets_have_the_sizes_that_ship()
    {
        Assert.InRange(new ParameterLayout(TrainerConfig.Presets["target"].Model).Count, 3_500_000, 4_600_000);
        Assert.InRange(new ParameterLayout(TrainerConfig.Presets["draft"].Model).Count, 350_000, 450_000);
        Assert.All(new ParameterLayout(TrainerConfig.Presets["target"].Model).Tensors, tensor => Assert.Equal(0, tensor.Cols % 256));
        Assert.All(TrainerConfig.Presets.Values, preset => Assert.Equal(preset, TrainerConfig.Parse(preset.ToJson(), "preset")));
    }
}
