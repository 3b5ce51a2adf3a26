using System.Numerics;
using Quern.Trainer.Products;

namespace Quern.Trainer.Operations;

/// <summary>
/// The loss of one token's logits z and its gradient, in nats:
/// <code>
/// L  = (1 − α) (log Σ e^z − z[target])  +  α τ² KL(softmax(t/τ) ‖ softmax(z/τ))
/// dL/dz = (1 − α) (softmax(z) − onehot)  +  α τ (softmax(z/τ) − softmax(t/τ))
/// </code>
/// t are a teacher's logits. Source: Hinton, Vinyals and Dean 2015, arXiv 1503.02531.
/// </summary>
/// <param name="Alpha">Share of the teacher, 0 to 1.</param>
/// <param name="Temperature">τ.</param>
internal readonly record struct CrossEntropy(double Alpha, double Temperature)
{
    /// <summary>The loss without its gradient, and without a teacher.</summary>
    public static unsafe double Loss<T>(T* z, int count, int target, T* scratch)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T max = Rows.Max(z, count);
        return LogOfSum(max, Rows.Exp(z, T.One, max, count, scratch)) - double.CreateChecked(z[target]);
    }

    /// <summary>Returns the loss, and writes its gradient times <paramref name="weight"/> over the logits.</summary>
    /// <param name="z">[vocabulary], logits, then the gradient.</param>
    /// <param name="teacher">[vocabulary] logits of the teacher, spoilt by the call; or null.</param>
    /// <param name="count">Vocabulary.</param>
    /// <param name="target">The token that came.</param>
    /// <param name="weight">Factor on the gradient.</param>
    /// <param name="scratch">[2, vocabulary].</param>
    public unsafe double Gradient<T>(T* z, T* teacher, int count, int target, double weight, T* scratch)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (teacher == null) return Plain(z, count, target, weight, scratch);
        T inverse = T.CreateChecked(1 / Temperature), softMax = Rows.Max(z, count) * inverse, teacherMax = Rows.Max(teacher, count) * inverse;
        T* soft = scratch, taught = scratch + count;
        T softSum = Rows.Exp(z, inverse, softMax, count, soft), teacherSum = Rows.Exp(teacher, inverse, teacherMax, count, taught);

        // KL = Σ p (ln p − ln q), where ln p and ln q are t/τ and z/τ but for the logarithms of their sums.
        Rows.AddScaled(z, -T.One, count, teacher);
        double apart = double.CreateChecked(Rows.Dot(taught, teacher, count)) / (double.CreateChecked(teacherSum) * Temperature);
        double divergence = apart + LogOfSum(softMax, softSum) - LogOfSum(teacherMax, teacherSum);

        T factor = T.CreateChecked(Alpha * Temperature * weight);
        Rows.Scale(soft, factor / softSum, count);
        Rows.AddScaled(taught, -factor / teacherSum, count, soft);
        double plain = Plain(z, count, target, (1 - Alpha) * weight, taught);
        Rows.AddScaled(soft, T.One, count, z);
        return ((1 - Alpha) * plain) + (Alpha * Temperature * Temperature * divergence);
    }

    private static unsafe double Plain<T>(T* z, int count, int target, double weight, T* scratch)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T max = Rows.Max(z, count), sum = Rows.Exp(z, T.One, max, count, scratch);
        double loss = LogOfSum(max, sum) - double.CreateChecked(z[target]);
        new ReadOnlySpan<T>(scratch, count).CopyTo(new Span<T>(z, count));
        Rows.Scale(z, T.CreateChecked(weight) / sum, count);
        z[target] -= T.CreateChecked(weight);
        return loss;
    }

    private static double LogOfSum<T>(T max, T sum)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> => double.CreateChecked(max) + Math.Log(double.CreateChecked(sum));
}
