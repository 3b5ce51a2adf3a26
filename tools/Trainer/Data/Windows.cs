using Quern.Trainer.Runs;

namespace Quern.Trainer.Data;

/// <summary>Which part of a file each sequence of a run shows. It follows from seed and step, so that a run that resumes goes on with the same text.</summary>
internal static class Windows
{
    /// <summary>Writes the sequences <paramref name="first"/> and following of a step into a batch.</summary>
    public static void FillStep(TokenFile file, TrainingPlan plan, int step, int first, TokenBatch batch)
    {
        for (int i = 0; i < batch.Sequences; i++)
        {
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
