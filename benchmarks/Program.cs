using System.Globalization;
using BenchmarkDotNet.Running;
using Quern.Benchmarks.Limits;

if (args is ["limits", ..]) return MachineLimits.Print(args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : Environment.ProcessorCount);
if (args is ["kernels"]) return Quern.Benchmarks.Kernels.InterleavedRates.Print();
BenchmarkSwitcher.FromAssembly(typeof(MachineLimits).Assembly).Run(args);
return 0;
