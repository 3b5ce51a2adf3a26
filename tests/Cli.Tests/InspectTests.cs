using System.Text.Json;
using Quern.Engine;

namespace Quern.Cli.Tests;

public sealed class InspectTests : IDisposable
{
    private readonly TinyModel _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public void A_file_is_shown_with_metadata_and_types()
    {
        QuernProcess quern = QuernProcess.Run("inspect", _file.Path);
        Assert.Equal((0, ""), (quern.ExitCode, quern.Error));
        Assert.Contains("architecture  llama", quern.Out, StringComparison.Ordinal);
        Assert.Contains("32.00 bits per weight", quern.Out, StringComparison.Ordinal);
        Assert.Matches("llama.block_count +u32 +2\r?\n", quern.Out);
        Assert.Matches("tokenizer.ggml.tokens +arr\\[str,275\\] +\\[\"<unk>\", \"<s>\", .*, …\\]\r?\n", quern.Out);
        Assert.Matches("F32 +21 ", quern.Out);
        Assert.DoesNotContain("blk.0.attn_q.weight", quern.Out, StringComparison.Ordinal);
        Assert.Matches("blk.0.attn_k.weight +F32 +64 x 32 +8.0 KiB", QuernProcess.Run("inspect", _file.Path, "--tensors").Out);
    }

    [Fact]
    public void Json_has_all_of_it()
    {
        JsonElement json = QuernProcess.Run("inspect", _file.Path, "--json", "--tensors").Json();
        Assert.Equal("llama", json.GetProperty("architecture").GetString());
        Assert.Equal("tiny", json.GetProperty("name").GetString());
        Assert.Equal(3, json.GetProperty("version").GetInt32());
        Assert.Equal(21, json.GetProperty("tensors").GetArrayLength());
        Assert.Equal(json.GetProperty("tensor_bytes").GetInt64(), json.GetProperty("tensors").EnumerateArray().Sum(tensor => tensor.GetProperty("bytes").GetInt64()));
        Assert.Equal(32, json.GetProperty("bits_per_weight").GetDouble());
        JsonElement type = Assert.Single(json.GetProperty("types").EnumerateArray());
        Assert.Equal(("F32", 21), (type.GetProperty("type").GetString(), type.GetProperty("tensors").GetInt32()));
        JsonElement tokens = json.GetProperty("metadata").EnumerateArray().Single(entry => entry.GetProperty("key").GetString() == "tokenizer.ggml.tokens");
        Assert.Equal((275, 64), (tokens.GetProperty("count").GetInt32(), tokens.GetProperty("value").GetArrayLength()));
        JsonElement whole = QuernProcess.Run("inspect", _file.Path, "--json", "--full").Json();
        Assert.False(whole.TryGetProperty("tensors", out _));
        tokens = whole.GetProperty("metadata").EnumerateArray().Single(entry => entry.GetProperty("key").GetString() == "tokenizer.ggml.tokens");
        Assert.Equal(275, tokens.GetProperty("value").GetArrayLength());
    }

    [Fact]
    public void Architectures_are_listed_with_the_variants_that_are_tested()
    {
        QuernProcess quern = QuernProcess.Run("inspect", "--architectures");
        Assert.Equal((0, ""), (quern.ExitCode, quern.Error));
        Assert.Equal(1 + Models.ArchitectureTable.All.Count, quern.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Matches("\nbaichuan +Baichuan 1 and 2 +baichuan-7b, baichuan-13b\r?\n", quern.Out);
        JsonElement json = QuernProcess.Run("inspect", "--architectures", "--json").Json();
        Assert.Equal(Models.ArchitectureTable.All.Select(entry => entry.Name), json.EnumerateArray().Select(entry => entry.GetProperty("name").GetString()));
        Assert.All(json.EnumerateArray(), entry => Assert.NotEqual(0, entry.GetProperty("tested").GetArrayLength()));
    }

    [Fact]
    public void No_control_character_of_a_file_reaches_the_screen()
    {
        string path = Path.Combine(Path.GetTempPath(), $"quern-escape-{Guid.NewGuid():N}.gguf");
        try
        {
            Gguf.GgufWriter writer = new();
            writer.Set("general.architecture", "\u001b[31mred");
            writer.Set("evil\u001bkey", "a\u001b]0;title\u0007b\nc");
            writer.Write(path);
            QuernProcess quern = QuernProcess.Run("inspect", path);
            Assert.Equal(0, quern.ExitCode);
            Assert.DoesNotContain(quern.Out, c => char.IsControl(c) && c is not ('\n' or '\r'));
            Assert.Contains("\\u001b]0;title\\u0007b\\nc", quern.Out, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void The_machine_is_shown()
    {
        JsonElement json = QuernProcess.Run("inspect", "--machine", "--json").Json();
        Assert.Equal(Environment.ProcessorCount, json.GetProperty("logical_processors").GetInt32());
        Assert.Equal(MachineInfo.CoreCount, json.GetProperty("default_threads").GetInt32());
        Assert.Equal(Kernels.Cpu.Isa.Name, json.GetProperty("instruction_set").GetString());
        QuernProcess text = QuernProcess.Run("inspect", "--machine");
        Assert.Equal(0, text.ExitCode);
        Assert.Contains(json.GetProperty("processor").GetString()!, text.Out, StringComparison.Ordinal);
    }
}
