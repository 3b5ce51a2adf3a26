using Quern.Trainer.Runs;

namespace Quern.Trainer.Data;

/// <summary>Which part of a file each sequence of a run shows. It follows from seed and step, so that a run that resumes goes on with the same text.</summary>
internal static class Windows
{
    /// <summary>Writes the sequences <paramref name="first"/> and following of a step into a batch.</summary>
    /// <param name="train">The text.</param>
    /// <param name="begin">What every second sequence of the first steps shows; null where the plan has no such steps.</param>
    /// <param name="plan">Seed and numbers.</param>
    /// <param name="step">The step, counted from 0.</param>
    /// <param name="first">Number of the first sequence in the step.</param>
    /// <param name="batch">Destination.</param>
    public static void FillStep(TokenFile train, TokenFile? begin, TrainingPlan plan, int step, int first, TokenBatch batch)
    {
        for (int i = 0; i < batch.Sequences; i++)
        {
            TokenFile file = begin is not null && step < plan.BeginSteps && (first + i) % 2 == 1 ? begin : train;
            CountedRandom random = new(plan.Seed, CountedRandom.Data + ((ulong)step * (ulong)plan.Sequences) + (ulong)(first + i));
            int start = plan.Windows == WindowStart.Documents
                ? file.Documents[random.NextInt(file.DocumentsBefore(batch.Length))]
                : random.NextInt(file.Count - batch.Length);
            file.Fill(start, batch, i);
        }
    }

    /// <summary>Writes sequences of an evaluation into a batch: spread over the file, always the same.</summary>
    /// <param name="file">The held-out text.</param>
    /// <param name="first">Number of the first sequence.</param>
    /// <param name="total">Sequences of the evaluation.</param>
    /// <param name="batch">Destination.</param>
    public static void FillEvaluation(TokenFile file, int first, int total, TokenBatch batch)
    {
        int documents = file.DocumentsBefore(batch.Length);
        for (int i = 0; i < batch.Sequences; i++) file.Fill(file.Documents[(int)((long)(first + i) * documents / total)], batch, i);
    }
}
