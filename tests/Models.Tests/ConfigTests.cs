using Quern.Gguf;

namespace Quern.Models.Tests;

/// <summary>The configuration as files spell it.</summary>
public class ConfigTests
{
    [Fact]
    public void SizesAreThoseOfTheFile()
    {
        TinyModel tiny = new("qwen3moe");
        tiny.Metadata["general.name"] = "tiny";
        ModelConfig config = Read(tiny);
        Assert.Equal(("qwen3moe", "tiny"), (config.Architecture, config.Name));
        Assert.Equal((TinyModel.Vocabulary, TinyModel.Width, TinyModel.Layers), (config.VocabularySize, config.Width, config.LayerCount));
        Assert.Equal((TinyModel.Heads, TinyModel.HeadLength, TinyModel.HeadLength), (config.HeadCount, config.KeyLength, config.ValueLength));
        Assert.Equal([2, 2, 2], config.KvHeadCounts);
        Assert.Equal((TinyModel.Experts, TinyModel.ExpertsUsed), (config.Experts?.Count, config.Experts?.UsedCount));
        Assert.Equal(TinyModel.ExpertFeedForward, config.Experts?.FeedForwardLength);
        Assert.Equal((TinyModel.Context, 1e-5f), (config.ContextLength, config.NormEpsilon));
        Assert.Equal((RopeScaling.None, 10000f, 8), (config.Rope.Scaling, config.Rope.Base, config.Rope.Dimensions));
    }

    [Fact]
    public void HeadsWithoutACountOfTheirOwnAreAllHeads()
    {
        TinyModel tiny = new("llama");
        tiny.Metadata.Remove("llama.attention.head_count_kv");
        Assert.Equal([4, 4, 4], Read(tiny).KvHeadCounts);
    }

    [Fact]
    public void AWindowPatternIsAPeriodOrAnArray()
    {
        TinyModel tiny = new("gemma3");
        Assert.Null(Read(tiny).WindowedLayers);
        tiny.Set("attention.sliding_window_pattern", 3u);
        Assert.Equal([true, true, false], Read(tiny).WindowedLayers);
        tiny.Set("attention.sliding_window_pattern", new[] { false, true, true });
        Assert.Equal([false, true, true], Read(tiny).WindowedLayers);
        tiny.Set("attention.sliding_window_pattern", new[] { 1, 0, 1 });
        Assert.Equal([true, false, true], Read(tiny).WindowedLayers);
        tiny.Set("attention.sliding_window_pattern", new[] { true });
        Assert.Throws<ModelFormatException>(() => Read(tiny));
    }

    [Theory]
    [InlineData(null, 4f, RopeScaling.Linear, 4f)]
    [InlineData("none", 4f, RopeScaling.None, 1f)]
    [InlineData("linear", 4f, RopeScaling.Linear, 4f)]
    [InlineData("yarn", 4f, RopeScaling.Yarn, 4f)]
    [InlineData("longrope", 4f, RopeScaling.LongRope, 1f)]
    [InlineData("linear", 0f, RopeScaling.Linear, 1f)]
    public void RopeScalingIsNamedOrLinear(string? type, float factor, RopeScaling scaling, float expected)
    {
        TinyModel tiny = new("llama");
        if (type is not null) tiny.Set("rope.scaling.type", type);
        tiny.Set("rope.scaling.factor", factor);
        Assert.Equal((scaling, expected), (Read(tiny).Rope.Scaling, Read(tiny).Rope.Factor));
    }

    private static ModelConfig Read(TinyModel tiny)
    {
        using GgufFile file = tiny.Open();
        return ModelConfig.Read(file);
    }
}
