using System.Text.Json;
using Quern.Engine.Sampling;

namespace Quern.Engine.Tests.Sampling;

public class SamplerTableTests
{
    public static TheoryData<string> OptionNames => [.. SamplerTable.Options.Select(option => option.Name)];

    [Theory]
    [MemberData(nameof(OptionNames))]
    public void An_option_reads_its_default_back(string name)
    {
        SamplerOption option = Option(name);
        Assert.NotEmpty(option.Help);
        Assert.NotEmpty(option.ValueName);
        if (option.IsRepeatable && name != "--samplers") return;
        SamplingOptions applied = option.Apply(SamplingOptions.Default, option.DefaultText);
        Assert.Equal(option.DefaultText, option.Text(applied));
        foreach (SamplerOption other in SamplerTable.Options) Assert.Equal(other.DefaultText, other.Text(applied));
    }

    [Fact]
    public void Names_are_unique()
    {
        string[] names = [.. SamplerTable.Options.SelectMany(option => option.Aliases.Append(option.Name))];
        Assert.Equal(names.Length, names.Distinct().Count());
        Assert.Equal(SamplerTable.Options.Count, SamplerTable.Options.Select(option => option.JsonName).Distinct().Count());
        char[] letters = [.. SamplerTable.Samplers.Where(sampler => sampler.IsOrdered).Select(sampler => sampler.Letter)];
        Assert.Equal(letters.Length, letters.Distinct().Count());
    }

    [Fact]
    public void The_defaults_are_llama_cpp_s()
    {
        Assert.Equal("penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature", Option("--samplers").DefaultText);
        Assert.Equal("edskypmxt", Option("--sampling-seq").DefaultText);
        Assert.Equal(SamplerTable.DefaultOrder, SamplerTable.Samplers.Where(sampler => sampler.IsOrdered).Select(sampler => sampler.Name));
        Assert.Equal(
            "40 0.95 0.05 0.8 1 64 0 1.75 5 -1",
            string.Join(' ', new[] { "--top-k", "--top-p", "--min-p", "--temp", "--repeat-penalty", "--repeat-last-n", "--dry-multiplier", "--dry-base", "--mirostat-ent", "--seed" }
                .Select(name => Option(name).DefaultText)));
        SamplingOptions.Default.Validate();
    }

    [Theory]
    [InlineData("--min-p", "1.5", "0 to 1")]
    [InlineData("--min-p", "NaN", "0 to 1")]
    [InlineData("--top-p", "-0.1", "0 to 1")]
    [InlineData("--top-p", "0,9", "0 to 1")]
    [InlineData("--top-k", "4.5", "whole number")]
    [InlineData("--repeat-last-n", "-2", "at least -1")]
    [InlineData("--repeat-penalty", "0", "more than 0")]
    [InlineData("--temp", "Infinity", "finite")]
    [InlineData("--dry-base", "0.9", "at least 1")]
    [InlineData("--mirostat", "3", "0 to 2")]
    [InlineData("--seed", "-2", "at least 0")]
    [InlineData("--samplers", "top_k;heat", "top_k, typ_p")]
    [InlineData("--sampling-seq", "kq", "k (top_k)")]
    [InlineData("--logit-bias", "15", "15043+1")]
    [InlineData("--logit-bias", "15+inf", "15043+1")]
    public void A_wrong_value_is_refused_by_name(string name, string text, string expected)
    {
        var error = Assert.Throws<ArgumentException>(() => Option(name).Apply(SamplingOptions.Default, text));
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.Contains($"'{text}'", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_property_is_refused_by_the_chain()
    {
        foreach (SamplingOptions options in new[]
        {
            new SamplingOptions { MinP = 2 },
            new SamplingOptions { Temperature = float.NaN },
            new SamplingOptions { MinKeep = -1 },
            new SamplingOptions { Samplers = ["heat"] },
            new SamplingOptions { LogitBias = new Dictionary<int, float> { [-1] = 1 } },
            new SamplingOptions { LogitBias = new Dictionary<int, float> { [1] = float.NaN } },
            new SamplingOptions { LogitBias = new Dictionary<int, float> { [8] = 1 } },
            new SamplingOptions { DrySequenceBreakers = [""] },
        }) Assert.Throws<ArgumentException>(() => new SamplerChain(options, 8, 8));
    }

    [Fact]
    public void Order_can_be_given_in_names_and_letters()
    {
        Assert.Equal(["top_k", "top_p", "typ_p", "temperature"], Option("--samplers").Apply(SamplingOptions.Default, "top-k;nucleus; typical;temp").Samplers);
        Assert.Equal(["top_k", "typ_p", "min_p"], Option("--sampling-seq").Apply(SamplingOptions.Default, "kym").Samplers);
        Assert.Empty(Option("--samplers").Apply(SamplingOptions.Default, "").Samplers);
        Assert.Null(SamplerTable.Find("mirostat"));
        Assert.Null(SamplerTable.Find(' '));
    }

    [Fact]
    public void Lists_replace_the_default()
    {
        SamplingOptions options = Option("--dry-sequence-breaker").Apply(SamplingOptions.Default, ["\\n", "x\\\\", "."]);
        Assert.Equal(["\n", "x\\", "."], options.DrySequenceBreakers);
        Assert.Equal("\\n x\\\\ .", Option("--dry-sequence-breaker").Text(options));
        Assert.Empty(Option("--dry-sequence-breaker").Apply(options, "none").DrySequenceBreakers);
        SamplingOptions biased = Option("--logit-bias").Apply(options, ["7+1.5", "8-inf", "9-2e1"]);
        Assert.Equal(new Dictionary<int, float> { [7] = 1.5f, [8] = float.NegativeInfinity, [9] = -20 }, biased.LogitBias);
        Assert.Throws<ArgumentException>(() => Option("--top-k").Apply(options, ["1", "2"]));
    }

    [Theory]
    [InlineData("min_p", "0.25", "0.25")]
    [InlineData("top_k", "12", "12")]
    [InlineData("temperature", "\"0.5\"", "0.5")]
    [InlineData("seed", "18446744073709551615", "18446744073709551615")]
    [InlineData("samplers", "[\"top_k\", \"xtc\"]", "top_k;xtc")]
    [InlineData("samplers", "\"kx\"", "top_k;xtc")]
    [InlineData("dry_sequence_breakers", "[\"\\n\", \"ab\"]", "\\n ab")]
    [InlineData("logit_bias", "{\"5\": -1.5, \"6\": 2}", "5-1.5 6+2")]
    [InlineData("logit_bias", "[[5, -1.5], [6, false]]", "5-1.5 6-inf")]
    [InlineData("top_p", "null", "0.95")]
    public void Json_sets_what_the_command_line_sets(string field, string json, string expected)
    {
        SamplerOption option = SamplerTable.Options.Single(option => option.JsonName == field);
        Assert.Equal(expected, option.Text(option.Apply(SamplingOptions.Default, JsonDocument.Parse(json).RootElement)));
    }

    [Theory]
    [InlineData("min_p", "true")]
    [InlineData("min_p", "[1, 0.5]")]
    [InlineData("top_k", "1.5")]
    [InlineData("logit_bias", "{\"a\": 1}")]
    [InlineData("logit_bias", "[[1]]")]
    [InlineData("samplers", "[[]]")]
    public void Wrong_json_is_refused_by_name(string field, string json)
    {
        SamplerOption option = SamplerTable.Options.Single(option => option.JsonName == field);
        var error = Assert.Throws<ArgumentException>(() => option.Apply(SamplingOptions.Default, JsonDocument.Parse(json).RootElement));
        Assert.True(error.Message.Contains(field, StringComparison.Ordinal) || error.Message.Contains(option.Name, StringComparison.Ordinal));
    }

    private static SamplerOption Option(string name) => SamplerTable.Options.Single(option => option.Name == name);
}
