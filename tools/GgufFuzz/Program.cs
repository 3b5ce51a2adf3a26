using System.CommandLine;
using System.Diagnostics;
using Quern.GgufFuzz;

Option<int> count = new("--count", "-n") { Description = "How many damaged files to open.", DefaultValueFactory = _ => 1_000_000 };
Option<int> seed = new("--seed") { Description = "The same seed makes the same files.", DefaultValueFactory = _ => 1 };
RootCommand command = new("Damages GGUF headers and opens them: every one is read or refused with one clear error, within bounded time and memory.");
command.Options.Add(count);
command.Options.Add(seed);
command.SetAction(parsed => Run(parsed.GetValue(count), parsed.GetValue(seed)));
return command.Parse(args).Invoke();

static int Run(int count, int seed)
{
    const int Chunk = 20_000;
    const double MostBytesPerByte = 64;
    TimeSpan mostTime = TimeSpan.FromSeconds(1);

    using MutationRun run = new(seed);
    Stopwatch watch = Stopwatch.StartNew();
    try
    {
        for (int done = 0; done < count;)
        {
            int step = Math.Min(Chunk, count - done);
            run.Step(step);
            done += step;
            Console.Error.Write($"\r{done:N0} of {count:N0}, {done / watch.Elapsed.TotalSeconds:N0}/s ");
        }
    }
    catch (MutationException error)
    {
        string path = $"gguf-fuzz-{seed}.gguf";
        File.WriteAllBytes(path, error.Image);
        Console.Error.WriteLine($"\n{error.Message}\nthe file is kept as {path}\n{error.InnerException}");
        return 1;
    }

    Console.Error.WriteLine();
    Console.WriteLine($"seed {seed}: {count:N0} damaged files in {watch.Elapsed.TotalSeconds:F1} s");
    Console.WriteLine($"accepted {run.Accepted:N0}, refused {run.Refused.Values.Sum():N0}, other exceptions 0");
    Console.WriteLine($"most managed memory for one file {run.MostAllocatedBytes:N0} bytes, {run.MostAllocatedPerByte:F1} for a byte of the file above 16 KiB");
    Console.WriteLine($"longest time for one file {run.Longest.TotalMilliseconds:F2} ms");
    foreach ((string kind, long times) in run.Refused.OrderByDescending(pair => pair.Value)) Console.WriteLine($"{times,9:N0}  {kind}");

    if (run.MostAllocatedPerByte <= MostBytesPerByte && run.Longest <= mostTime) return 0;
    Console.Error.WriteLine($"a file took more than {MostBytesPerByte} bytes of memory for each of its own, or more than {mostTime.TotalSeconds} s");
    return 1;
}
