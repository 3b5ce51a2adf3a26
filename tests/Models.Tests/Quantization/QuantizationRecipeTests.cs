using Quern.Kernels.Cpu.Formats;
using Quern.Models.Quantization;

namespace Quern.Models.Tests.Quantization;

public sealed class QuantizationRecipeTests
{
    private static readonly ModelShape Llama8B = new("llama", 32, 32, 8, 0, TiedOutput: false);
    private static readonly ModelShape Mixtral = new("llama", 32, 32, 8, 8, TiedOutput: false);
    private static readonly ModelShape Llama70B = new("llama", 80, 64, 8, 0, TiedOutput: false);

    public static TheoryData<string> Mixes => [.. QuantizationTable.All.Select(mix => mix.Name)];

    [Fact]
    public void Q4_K_M_spends_more_bits_where_it_is_published_to()
    {
        // Source: tensor listings of published Q4_K_M files of Llama 3 8B.
        int[] more = [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31];
        for (int block = 0; block < 32; block++)
        {
            string expected = more.Contains(block) ? "Q6_K" : "Q4_K";
            Assert.Equal(expected, Choose("Q4_K_M", Llama8B, $"blk.{block}.attn_v.weight"));
            Assert.Equal(expected, Choose("Q4_K_M", Llama8B, $"blk.{block}.ffn_down.weight"));
            Assert.Equal("Q4_K", Choose("Q4_K_M", Llama8B, $"blk.{block}.attn_q.weight"));
            Assert.Equal("Q4_K", Choose("Q4_K_M", Llama8B, $"blk.{block}.attn_output.weight"));
            Assert.Equal("Q4_K", Choose("Q4_K_M", Llama8B, $"blk.{block}.ffn_up.weight"));
        }

        Assert.Equal("Q6_K", Choose("Q4_K_M", Llama8B, "output.weight"));
        Assert.Equal("Q4_K", Choose("Q4_K_M", Llama8B, "token_embd.weight"));
    }

    [Theory]
    [InlineData("Q2_K", "attn_v", 5, "Q4_K")]
    [InlineData("Q2_K", "ffn_down", 5, "Q3_K")]
    [InlineData("Q2_K", "attn_output", 5, "Q3_K")]
    [InlineData("Q2_K_S", "ffn_down", 3, "Q4_K")]
    [InlineData("Q2_K_S", "ffn_down", 4, "Q2_K")]
    [InlineData("Q3_K_S", "attn_v", 0, "Q3_K")]
    [InlineData("Q3_K_M", "attn_v", 1, "Q5_K")]
    [InlineData("Q3_K_M", "attn_v", 2, "Q4_K")]
    [InlineData("Q3_K_M", "ffn_down", 1, "Q5_K")]
    [InlineData("Q3_K_M", "ffn_down", 2, "Q4_K")]
    [InlineData("Q3_K_L", "attn_output", 9, "Q5_K")]
    [InlineData("Q4_K_S", "attn_v", 3, "Q5_K")]
    [InlineData("Q4_K_S", "attn_v", 4, "Q4_K")]
    [InlineData("Q4_K_S", "ffn_down", 3, "Q5_K")]
    [InlineData("Q5_K_M", "ffn_down", 0, "Q6_K")]
    [InlineData("Q5_K_M", "ffn_down", 4, "Q5_K")]
    [InlineData("IQ4_XS", "attn_v", 9, "Q5_K")]
    [InlineData("IQ4_XS", "ffn_down", 9, "IQ4_XS")]
    [InlineData("Q4_0", "ffn_down", 0, "Q4_0")]
    [InlineData("F16", "attn_q", 0, "F16")]
    public void A_mix_of_an_8B_model_chooses(string mix, string tensor, int block, string expected) =>
        Assert.Equal(expected, Choose(mix, Llama8B, $"blk.{block}.{tensor}.weight"));

    [Fact]
    public void Eight_experts_and_eighty_blocks_have_rules_of_their_own()
    {
        Assert.Equal("Q8_0", Choose("Q4_K_M", Mixtral, "blk.5.attn_v.weight"));
        Assert.Equal("Q8_0", Choose("Q4_K_M", Mixtral, "blk.5.attn_k.weight"));
        Assert.Equal("Q5_K", Choose("Q4_K_M", Mixtral, "blk.5.attn_output.weight"));
        Assert.Equal("F32", Choose("Q4_K_M", Mixtral, "blk.5.ffn_gate_inp.weight"));
        Assert.Equal("Q6_K", Choose("Q4_K_M", Mixtral, "blk.2.ffn_down_exps.weight"));
        Assert.Equal("Q5_K", Choose("Q4_K_S", Llama70B, "blk.40.attn_v.weight"));
        Assert.Equal("Q5_K", Choose("Q4_K_M", Llama70B, "blk.11.attn_v.weight"));
    }

    [Theory]
    [MemberData(nameof(Mixes))]
    public void Every_mix_names_formats_and_leaves_vectors_and_norms_alone(string mix)
    {
        string[] tensors = ["attn_q", "attn_k", "attn_v", "attn_qkv", "attn_output", "ffn_gate", "ffn_up", "ffn_down"];
        foreach (ModelShape shape in new[] { Llama8B, Mixtral, Llama70B, new ModelShape("falcon", 32, 71, 1, 0, true) })
        {
            for (int block = 0; block < shape.Blocks; block++)
                Assert.All(tensors, tensor => Assert.NotNull(FormatTable.Find(Choose(mix, shape, $"blk.{block}.{tensor}.weight"))));
            Assert.NotNull(FormatTable.Find(Choose(mix, shape, "token_embd.weight")));
            Assert.Equal("F32", Recipe(mix, shape).Choose("blk.0.attn_norm.weight", "F32", [4096]).Type);
            Assert.Equal("F32", Recipe(mix, shape).Choose("blk.0.attn_q_norm.weight", "F32", [128, 32]).Type);
            Assert.Equal("F32", Recipe(mix, shape).Choose("blk.0.attn_q.bias", "F32", [4096]).Type);
            Assert.Equal("F32", Recipe(mix, shape).Choose("blk.0.channel_mix_lerp_k.weight", "F32", [4096, 1, 1]).Type);
        }

        Assert.Equal(mix, QuantizationTable.Find(QuantizationTable.Find(mix)!.FileType)!.Name);
    }

    [Theory]
    [InlineData("Q4_K_M", 96, "Q5_0", "Q4_K")]
    [InlineData("Q5_K_S", 96, "Q5_1", "Q5_K")]
    [InlineData("Q6_K", 96, "Q8_0", "Q6_K")]
    [InlineData("Q3_K_S", 96, "Q4_0", "Q3_K")]
    [InlineData("IQ4_XS", 96, "IQ4_NL", "IQ4_XS")]
    [InlineData("Q8_0", 172, "F16", "Q8_0")]
    [InlineData("Q4_K_M", 172, "F16", "Q4_K")]
    public void Rows_that_a_block_does_not_divide_get_another_type_which_is_told(string mix, int cols, string expected, string wanted) =>
        Assert.Equal(new TensorChoice(expected, wanted), Recipe(mix, Llama8B).Choose("blk.5.ffn_up.weight", "F32", [cols, 512]));

    [Fact]
    public void A_tied_output_gets_the_bits_of_an_output()
    {
        ModelShape tied = Llama8B with { TiedOutput = true };
        Assert.Equal("Q6_K", Choose("Q4_0", tied, "token_embd.weight"));
        Assert.Equal("Q8_0", Choose("Q8_0", tied, "token_embd.weight"));
        Assert.Equal("Q8_0", Recipe("Q4_K_M", tied).Choose("token_embd.weight", "F32", [96, 512]).Type);
    }

    [Fact]
    public void The_caller_has_the_last_word()
    {
        QuantizationRecipe pure = new(QuantizationTable.Find("Q4_K_M")!, Llama8B, Names(Llama8B)) { Pure = true, OutputType = "F16", EmbeddingType = "Q8_0" };
        Assert.Equal("Q4_K", pure.Choose("blk.0.attn_v.weight", "F32", [4096, 1024]).Type);
        Assert.Equal("F16", pure.Choose("output.weight", "F32", [4096, 1024]).Type);
        Assert.Equal("Q8_0", pure.Choose("token_embd.weight", "F32", [4096, 1024]).Type);
    }

    [Fact]
    public void Short_names_are_the_medium_mixes()
    {
        Assert.Equal("Q4_K_M", QuantizationTable.Find("q4_k")!.Name);
        Assert.Null(QuantizationTable.Find("Q9_K"));
        Assert.Null(QuantizationTable.Find(9999));
    }

    private static string Choose(string mix, ModelShape shape, string tensor) => Recipe(mix, shape).Choose(tensor, "F32", [4096, 4096]).Type;

    private static QuantizationRecipe Recipe(string mix, ModelShape shape) => new(QuantizationTable.Find(mix)!, shape, Names(shape));

    private static IEnumerable<string> Names(ModelShape shape) => Enumerable.Range(0, shape.Blocks).Select(block => $"blk.{block}.attn_v.weight");
}
