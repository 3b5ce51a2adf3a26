using BenchmarkDotNet.Attributes;
using Quern.Gguf;
using Quern.Text;

namespace Quern.Benchmarks.Text;

/// <summary>
/// Encoding and decoding of one megabyte. Operations per second are megabytes per second. Needs the vocabularies of
/// <c>shared/tokenizers</c> beside the checkout, or their folder in QUERN_TOKENIZERS.
/// </summary>
[MemoryDiagnoser]
public class TokenizerBenchmarks
{
    private const int TextBytes = 1_000_000;
    private readonly List<int> _ids = [];
    private Tokenizer _tokenizer = null!;
    private Detokenizer _detokenizer = null!;
    private string _text = "";

    [Params("gpt-2", "llama-bpe-split", "starcoder", "deepseek-coder", "llama-spm", "bert-bge")]
    public string Vocabulary { get; set; } = "";

    /// <summary>English prose, the same with every word changed so that nearly none is a token, or source text.</summary>
    [Params("english", "rare words", "code")]
    public string Text { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        string folder = Environment.GetEnvironmentVariable("QUERN_TOKENIZERS") ?? Find();
        bool otherSplit = Vocabulary == "llama-bpe-split";
        using GgufFile file = GgufFile.Open(Path.Combine(folder, $"ggml-vocab-{(otherSplit ? "gpt-2" : Vocabulary)}.gguf"));
        _tokenizer = Tokenizer.Create(Quern.Text.Vocabulary.Read(file.Metadata.Find, otherSplit ? "llama-bpe" : null));
        _detokenizer = _tokenizer.CreateDetokenizer();
        _text = BenchmarkTexts.Make(Text, TextBytes);
        Encode();
    }

    [Benchmark]
    public int Encode()
    {
        _ids.Clear();
        return _tokenizer.Encode(_text, _ids);
    }

    [Benchmark]
    public int Decode()
    {
        int characters = 0;
        foreach (int id in _ids) characters += _detokenizer.Append(id).Length;
        return characters;
    }

    private static string Find()
    {
        for (DirectoryInfo? d = new(AppContext.BaseDirectory); d is not null; d = d.Parent)
        {
            string candidate = Path.Combine(d.FullName, "shared", "tokenizers");
            if (Directory.Exists(candidate)) return candidate;
        }

        throw new DirectoryNotFoundException("shared/tokenizers is not beside the checkout; set QUERN_TOKENIZERS");
    }
}
