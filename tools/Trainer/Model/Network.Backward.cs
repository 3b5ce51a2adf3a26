using Quern.Trainer.Data;
using Quern.Trainer.Operations;
using Quern.Trainer.Products;

namespace Quern.Trainer.Model;

/// <summary>The loss and the way back.</summary>
internal sealed unsafe partial class Network<T>
{
    /// <summary>The weighted sum of the losses behind a <see cref="Forward"/>, in nats; the logits stay.</summary>
    public double Loss(TokenBatch batch, Activations<T> a)
    {
        double[] losses = new double[batch.Tokens];
        int vocabulary = Shape.Vocabulary;
        T* logits = a.Logits.First;
        using Values<T> scratch = new((long)_crew.Threads * vocabulary);
        T* free = scratch.First;
        _crew.For(batch.Tokens, (t, worker) =>
        {
            if (batch.Weights[t] == 0) return;
            losses[t] = batch.Weights[t] * CrossEntropy.Loss(logits + ((nint)t * vocabulary), vocabulary, batch.Targets[t], free + ((nint)worker * vocabulary));
        });
        return losses.Sum();
    }

    /// <summary>The same, and the gradient of the loss in place of the logits.</summary>
    /// <param name="batch">The batch of the last <see cref="Forward"/>.</param>
    /// <param name="a">Its activations.</param>
    /// <param name="form">Shares of targets and teacher.</param>
    /// <param name="teacher">[tokens, vocabulary] logits of a teacher, spoilt by the call; or null.</param>
    /// <param name="factor">Factor on the gradient: one over the weight of all tokens of the step.</param>
    public double LossGradient(TokenBatch batch, Activations<T> a, CrossEntropy form, T* teacher, double factor)
    {
        double[] losses = new double[batch.Tokens];
        int vocabulary = Shape.Vocabulary;
        T* logits = a.Logits.First;
        using Values<T> scratch = new(2L * _crew.Threads * vocabulary);
        T* free = scratch.First;
        _crew.For(batch.Tokens, (t, worker) =>
        {
            T* z = logits + ((nint)t * vocabulary);
            float weight = batch.Weights[t];
            if (weight == 0) new Span<T>(z, vocabulary).Clear();
            else
                losses[t] = weight * form.Gradient(
                    z, teacher == null ? null : teacher + ((nint)t * vocabulary), vocabulary, batch.Targets[t], weight * factor, free + ((nint)worker * 2 * vocabulary));
        });
        return losses.Sum();
    }

    /// <summary>Adds to <see cref="Gradients"/> what follows from the gradient of the logits that <see cref="LossGradient"/> left.</summary>
    public void Backward(TokenBatch batch, Activations<T> a)
    {
        if (a.Stream is null || a.Branch is null || a.Wide is null || a.Inner is null)
            throw new ArgumentException("these activations were taken for forward passes only", nameof(a));
        int tokens = batch.Tokens, width = Shape.Width, heads = _attentionShape.Width, hidden = Shape.Hidden;
        T* stream = a.Stream.First, branch = a.Branch.First, wide = a.Wide.First, inner = a.Inner.First;
        _products.WeightGradient(a.Logits.First, a.FinalNormed.First, tokens, Shape.Vocabulary, width, Gradient(Layout.Output));
        _products.InputGradient(a.Logits.First, Weights(Layout.Output), tokens, Shape.Vocabulary, width, branch);
        _crew.ForRanges(tokens, TokensPerRange, (from, to) => new Span<T>(stream + ((nint)from * width), (to - from) * width).Clear());
        NormBackward(branch, a.Final.First, Layout.OutputNorm, a.FinalScale.First, tokens, stream);
        for (int i = Shape.Layers - 1; i >= 0; i--)
        {
            LayerActivations<T> l = a.Layer(i);
            LayerParameters p = Layout.Layers[i];
            _products.WeightGradient(stream, l.Gated.First, tokens, width, hidden, Gradient(p.Down));
            _products.InputGradient(stream, Weights(p.Down), tokens, width, hidden, inner);
            GateBackward(inner, l.GateUp.First, tokens, wide);
            _products.WeightGradient(wide, l.MiddleNormed.First, tokens, 2 * hidden, width, Gradient(p.Gate));
            _products.InputGradient(wide, Weights(p.Gate), tokens, 2 * hidden, width, branch);
            NormBackward(branch, l.Middle.First, p.FeedForwardNorm, l.MiddleScale.First, tokens, stream);

            _products.WeightGradient(stream, l.Attended.First, tokens, width, heads, Gradient(p.AttentionOutput));
            _products.InputGradient(stream, Weights(p.AttentionOutput), tokens, width, heads, inner);
            AttendBackward(inner, l, batch, wide);
            Turn(wide, batch, back: true);
            _products.WeightGradient(wide, l.Normed.First, tokens, _attentionShape.QkvWidth, width, Gradient(p.Query));
            _products.InputGradient(wide, Weights(p.Query), tokens, _attentionShape.QkvWidth, width, branch);
            NormBackward(branch, l.X.First, p.AttentionNorm, l.Scale.First, tokens, stream);
        }

        EmbeddingGradient(batch, stream);
    }

    private T* Gradient(ParameterTensor tensor) => Gradients.First + tensor.Offset;

    private void NormBackward(T* dy, T* x, ParameterTensor gain, T* scales, int tokens, T* dx)
    {
        T* gains = Weights(gain), gradient = Gradient(gain);
        int width = Shape.Width;
        _crew.ForRanges(width, ColumnsPerRange, (from, to) => RmsNorm.GainGradient(dy, x, scales, tokens, width, from, to, gradient));
        _crew.ForRanges(tokens, TokensPerRange, (from, to) =>
        {
            for (int t = from; t < to; t++) RmsNorm.Backward(dy + ((nint)t * width), x + ((nint)t * width), gains, scales[t], width, dx + ((nint)t * width));
        });
    }

    private void GateBackward(T* dy, T* both, int tokens, T* dboth)
    {
        int hidden = Shape.Hidden;
        _crew.ForRanges(tokens, TokensPerRange, (from, to) =>
        {
            for (int t = from; t < to; t++)
            {
                nint at = (nint)t * 2 * hidden;
                SwiGlu.Backward(dy + ((nint)t * hidden), both + at, both + at + hidden, hidden, dboth + at, dboth + at + hidden);
            }
        });
    }

    private void AttendBackward(T* dy, LayerActivations<T> l, TokenBatch batch, T* dqkv)
    {
        T* qkv = l.Qkv.First, sums = l.LogSums.First;
        AttentionShape shape = _attentionShape;
        _crew.For(batch.Sequences * shape.KvHeads, (item, worker) =>
        {
            int first = item / shape.KvHeads * shape.Length;
            _attentions[worker]!.Backward(
                dy + ((nint)first * shape.Width), qkv + ((nint)first * shape.QkvWidth), batch.FirstKeys.AsSpan(first, shape.Length), item % shape.KvHeads,
                sums + ((nint)first * shape.Heads), dqkv + ((nint)first * shape.QkvWidth));
        });
    }

    // A token may occur often: threads share out the columns, and each goes through all tokens in order.
    private void EmbeddingGradient(TokenBatch batch, T* dx)
    {
        T* gradient = Gradient(Layout.Embedding);
        int width = Shape.Width;
        _crew.ForRanges(width, ColumnsPerRange, (from, to) =>
        {
            for (int t = 0; t < batch.Tokens; t++)
                Rows.Add(dx + ((nint)t * width) + from, to - from, gradient + ((nint)batch.Inputs[t] * width) + from);
        });
    }
}
