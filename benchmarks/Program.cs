using System.Globalization;
using BenchmarkDotNet.Running;
using Quern.Benchmarks.Kernels;
using Quern.Benchmarks.Limits;
using Quern.Benchmarks.Serving;

if (args is ["limits", ..]) return MachineLimits.Print(args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : Environment.ProcessorCount);
if (args is ["kernels", ..]) return InterleavedRates.Print(Names());
if (args is ["int8", ..]) return BytePanelRates.Print(Names("Q4_0", "Q8_0", "Q4_K", "Q6_K"));
if (args is ["tiles"]) return TileRates.Print();
if (args is ["layers", ..]) return LinearLayers.Print(Names("Q4_0", "Q4_K", "Q6_K", "Q8_0", "F16"), Environment.ProcessorCount);
if (args is ["prompts", ..]) return Prompts.Print(Names("Q4_0", "Q4_K", "Q6_K", "Q8_0", "F16", "BF16"), Environment.ProcessorCount);
if (args is ["serving", var model]) return await EngineNumbers.Print(model);
if (args is ["speculation", var spoken]) return await SpeculationNumbers.Print(spoken);
if (args is ["speculation", var target, var draft]) return await SpeculationPair.Print(target, draft);
if (args is ["pages"]) return ScatteredPages.Print(Environment.ProcessorCount);
if (args is ["roofline", ..]) return Roofline.Write(args.Length > 1 ? args[1] : "roofline.svg", ["Q4_0", "Q4_K", "Q6_K", "Q8_0", "F16"], Environment.ProcessorCount);
if (args is ["gpu", ..])
{
#if GPU
    return Quern.Benchmarks.Gpu.GpuNumbers.Print(args[1..]);
#else
    Console.Error.WriteLine("built without the GPU room: dotnet run -c Release -p:Gpu=true --project benchmarks -- gpu");
    return 1;
#endif
}

BenchmarkSwitcher.FromAssembly(typeof(MachineLimits).Assembly).Run(args);
return 0;

// The formats behind the first argument, with commas or spaces between, or the usual ones.
string[] Names(params string[] usual) => args.Length > 1 ? [.. args.Skip(1).SelectMany(arg => arg.Split(','))] : usual;
