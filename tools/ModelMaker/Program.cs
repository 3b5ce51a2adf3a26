using System.CommandLine;
using Quern.ModelMaker;

Argument<string> shapeArgument = new("shape") { Description = $"the shape: {string.Join(", ", PublishedShapes.All.Select(s => s.Name))}" };
Argument<string> typeArgument = new("type") { Description = $"the weight format or mix: {string.Join(", ", WeightTypes.Names)}" };
Argument<string> pathArgument = new("output") { Description = "the GGUF file to write" };
Option<int> seedOption = new("--seed") { Description = "seed of the random weights", DefaultValueFactory = _ => 1 };
RootCommand root = new("""
    Writes a GGUF file of a real model's shape with random weights and a working tokenizer, for benchmarks.

    Example: quern-model-maker Llama-3.2-1B Q4_K_M llama-1b-q4_k_m.gguf
    """)
{
    shapeArgument, typeArgument, pathArgument, seedOption,
};
root.SetAction(result =>
{
    string shapeName = result.GetRequiredValue(shapeArgument), typeName = result.GetRequiredValue(typeArgument);
    PublishedShape? shape = PublishedShapes.All.FirstOrDefault(s => s.Name.Equals(shapeName, StringComparison.OrdinalIgnoreCase));
    WeightTypes? types = WeightTypes.Find(typeName);
    if (shape is null || types is null)
    {
        Console.Error.WriteLine(shape is null
            ? $"quern-model-maker: unknown shape '{shapeName}'; known: {string.Join(", ", PublishedShapes.All.Select(s => s.Name))}"
            : $"quern-model-maker: unknown type '{typeName}'; known: {string.Join(", ", WeightTypes.Names)}");
        return 2;
    }

    string path = result.GetRequiredValue(pathArgument);
    bool terminal = !Console.IsErrorRedirected;
    new RandomModel(shape, types, result.GetValue(seedOption)).Write(path, name =>
    {
        if (terminal) Console.Error.Write($"\r\e[K{name}");
    });
    if (terminal) Console.Error.Write("\r\e[K");
    Console.Error.WriteLine($"{path}: {shape.Name} in {types.Name}, {new FileInfo(path).Length / 1e6:f0} MB");
    return 0;
});
return root.Parse(args).Invoke();
