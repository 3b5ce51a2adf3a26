using Quern.Gguf;

namespace Quern.Cli.Tests;

public sealed class QuantizeTests : IDisposable
{
    private readonly TinyModel _file = new(width: 256, hidden: 96);
    private readonly string _folder = Directory.CreateTempSubdirectory("quern-quantize-").FullName;

    public void Dispose()
    {
        _file.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string Out => Path.Combine(_folder, "out.gguf");

    [Fact]
    public void A_quantised_model_runs_and_what_could_not_be_is_told()
    {
        QuernProcess quern = QuernProcess.Run("quantize", _file.Path, Out, "q4_k_m");
        Assert.Equal((0, ""), (quern.ExitCode, quern.Out));
        Assert.Contains("warning: blk.0.ffn_down.weight", quern.Error, StringComparison.Ordinal);
        Assert.Contains("rows of 96 values are no multiple of a Q", quern.Error, StringComparison.Ordinal);
        Assert.Contains("32.00 bits per weight", quern.Error, StringComparison.Ordinal);
        using (GgufFile file = GgufFile.Open(Out))
        {
            Assert.Equal(15u, file.Metadata.GetUInt32("general.file_type"));
            Assert.Equal(2u, file.Metadata.GetUInt32("general.quantization_version"));
            Assert.Equal("Q4_K", file.Tensors.Single(tensor => tensor.Name == "blk.1.attn_q.weight").TypeName);
        }

        QuernProcess run = QuernProcess.Run("run", "-m", Out, "-n", "4", "--temp", "0", "--ignore-eos", "--json", "once");
        Assert.Equal(4, run.Json().GetProperty("tokens").GetArrayLength());
        QuernProcess.Run("quantize", Out, Path.Combine(_folder, "again.gguf"), "Q8_0").AssertFails(1, "already", "--allow-requantize");
    }

    [Fact]
    public void A_dry_run_shows_the_plan_and_writes_nothing()
    {
        QuernProcess quern = QuernProcess.Run("quantize", _file.Path, Out, "Q8_0", "--dry-run", "--output-type", "f16");
        Assert.Equal(0, quern.ExitCode);
        Assert.False(File.Exists(Out));
        Assert.Matches("output.weight +256 x 275 +F32 +F16 ", quern.Out);
        Assert.Matches("blk.0.attn_q.weight +256 x 256 +F32 +Q8_0 ", quern.Out);
        Assert.Matches("output_norm.weight +256 +F32 +F32 ", quern.Out);
    }

    [Fact]
    public void Wrong_uses_are_told()
    {
        QuernProcess.Run("quantize", _file.Path, Out, "Q9_9").AssertFails(2, "no type 'Q9_9'", "Q4_K_M");
        QuernProcess.Run("quantize", _file.Path, Out, "Q8_0", "--output-type", "Q9").AssertFails(2, "no type 'Q9'");
        QuernProcess.Run("quantize", _file.Path, _file.Path, "Q8_0").AssertFails(2, "same file");
        QuernProcess.Run("quantize", _file.Path).AssertFails(2, "quantize");
    }
}
