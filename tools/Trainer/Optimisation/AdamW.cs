using Quern.Trainer.Model;
using Quern.Trainer.Products;
using Quern.Trainer.Runs;

namespace Quern.Trainer.Optimisation;

/// <summary>
/// Adam with decoupled weight decay, on matrices only:
/// <code>
/// m = β₁ m + (1 − β₁) g      v = β₂ v + (1 − β₂) g²
/// w = w − η (m̂ / (√v̂ + ε) + λ w)
/// </code>
/// Source: Loshchilov and Hutter 2019, arXiv 1711.05101.
/// </summary>
internal sealed unsafe class AdamW(Network<float> network, TrainingPlan plan, Crew crew) : IDisposable
{
    private const int ValuesPerRange = 1 << 14;

    /// <summary>m of every parameter.</summary>
    public Values<float> Mean { get; } = new(network.Layout.Count);

    /// <summary>v of every parameter.</summary>
    public Values<float> Square { get; } = new(network.Layout.Count);

    /// <summary>The norm of the gradient.</summary>
    public double GradientNorm()
    {
        int count = checked((int)network.Layout.Count), ranges = (count + ValuesPerRange - 1) / ValuesPerRange;
        double[] sums = new double[ranges];
        float* gradient = network.Gradients.First;
        crew.For(ranges, (range, _) =>
        {
            double sum = 0;
            for (int i = range * ValuesPerRange; i < Math.Min(count, (range + 1) * ValuesPerRange); i++) sum += (double)gradient[i] * gradient[i];
            sums[range] = sum;
        });
        return Math.Sqrt(sums.Sum());
    }

    /// <summary>One step.</summary>
    /// <param name="step">Counted from 0.</param>
    /// <param name="factor">Factor on the gradient: less than 1 where it was too long.</param>
    public void Step(int step, double factor)
    {
        double rate = plan.LearningRateOf(step);
        Update update = new()
        {
            Factor = (float)factor,
            Beta1 = (float)plan.Beta1,
            Beta2 = (float)plan.Beta2,
            Rate = (float)(rate / (1 - Math.Pow(plan.Beta1, step + 1))),
            SquareScale = (float)(1 / (1 - Math.Pow(plan.Beta2, step + 1))),
            Epsilon = (float)plan.Epsilon,
        };
        float* w = network.Parameters.First, g = network.Gradients.First, m = Mean.First, v = Square.First;
        foreach (ParameterTensor tensor in network.Layout.Tensors)
        {
            Update own = update with { Kept = (float)(1 - (tensor.IsMatrix ? rate * plan.WeightDecay : 0)) };
            int start = (int)tensor.Offset;
            crew.ForRanges(tensor.Count, ValuesPerRange, (from, to) => own.Apply(start + from, start + to, g, m, v, w));
        }
    }

    public void Dispose()
    {
        Mean.Dispose();
        Square.Dispose();
    }

    private readonly record struct Update
    {
        public float Factor { get; init; }

        public float Beta1 { get; init; }

        public float Beta2 { get; init; }

        public float Rate { get; init; }

        public float SquareScale { get; init; }

        public float Epsilon { get; init; }

        public float Kept { get; init; }

        public void Apply(int from, int to, float* g, float* m, float* v, float* w)
        {
            float keepMean = Beta1, keepSquare = Beta2, newMean = 1 - keepMean, newSquare = 1 - keepSquare;
            for (int i = from; i < to; i++)
            {
                float gradient = g[i] * Factor;
                float mean = (keepMean * m[i]) + (newMean * gradient), square = (keepSquare * v[i]) + (newSquare * gradient * gradient);
                (m[i], v[i]) = (mean, square);
                w[i] = (w[i] * Kept) - (Rate * mean / (MathF.Sqrt(square * SquareScale) + Epsilon));
            }
        }
    }
}
