namespace Quern.Kernels.Gpu.Tests.OpenCl;

/// <summary>What is changed in the package's OpenCL C: text as it writes it.</summary>
public sealed class ClSourceTests
{
    [Theory]
    [InlineData("(int) 2 != (int) 1", "L_5")]
    [InlineData("(int) 1 != (int) 1", "L_4")]
    [InlineData("(int) 2 == (int) 1", "L_4")]
    [InlineData("(int) 7 == (int) 7", "L_5")]
    public void ABranchThatIsDecidedGoes(string comparison, string place)
    {
        string text = ClSource.Fit($"\tL_1: ;\n\tvar8 = {comparison};\n\tvar9 = 3;\n\tif (var8)\n\t\t goto L_5;\n\t goto L_4;\n");
        Assert.Equal($"\tL_1: ;\n\tvar8 = {comparison};\n\tvar9 = 3;\n\t goto {place};\n", text);
    }

    [Fact]
    public void AVariableIsSetOnTheWayToTheBlockThatFindsItSet()
    {
        // A loop of which block 2 is the head: var3 is what it was while block 4 runs.
        string text = ClSource.Fit(
            "\tL_1: ;\n\tvar3 = 0;\n\t goto L_2;\n" +
            "\tL_2: ;\n\tvar6 = (int)((int) var3 +  (int)1);\n\tvar7 = (int) var6 < (int) 9;\n\tvar3 = var6;\n\tif (var7)\n\t\t goto L_4;\n\t goto L_2;\n" +
            "\tL_4: ;\n\t *  var8 =  var3;\n\tvar9 = (int) var6 < (int) 5;\n\tvar3 = -1;\n\tif (var9)\n\t\t goto L_2;\n\t goto L_5;\n" +
            "\tL_5: ;\n\t return ;\n");
        Assert.Equal(
            "\tL_1: ;\n\tvar3 = 0;\n\t goto L_2;\n" +
            "\tL_2: ;\n\tvar6 = (int)((int) var3 +  (int)1);\n\tvar7 = (int) var6 < (int) 9;\n\tif (var7) {\n\t goto L_4; }\n\tvar3 = var6;\n\t goto L_2;\n" +
            "\tL_4: ;\n\t *  var8 =  var3;\n\tvar9 = (int) var6 < (int) 5;\n\tif (var9) {\n\tvar3 = -1;\n\t goto L_2; }\n\t goto L_5;\n" +
            "\tL_5: ;\n\t return ;\n",
            text);
    }

    [Fact]
    public void AVariableThatBothWaysFindIsSetBeforeThem()
    {
        const string Text = "\tL_1: ;\n\tvar3 = var2;\n\tif (var1)\n\t\t goto L_2;\n\t goto L_3;\n\tL_2: ;\n\t goto L_3;\n\tL_3: ;\n\t return ;\n";
        Assert.Equal(Text.Replace("if (var1)\n\t\t goto L_2;", "if (var1) {\n\t goto L_2; }", StringComparison.Ordinal), ClSource.Fit(Text));
    }

    [Fact]
    public void BarriersOrderLocalMemoryAndFencesAreNone()
    {
        string text = ClSource.Fit("\t work_group_barrier ( CLK_GLOBAL_MEM_FENCE );\n\t work_group_barrier ( CLK_GLOBAL_MEM_FENCE ,  memory_scope_device );\n");
        Assert.Equal(
            "\t work_group_barrier ( CLK_GLOBAL_MEM_FENCE | CLK_LOCAL_MEM_FENCE );\n\t atomic_work_item_fence ( CLK_GLOBAL_MEM_FENCE, memory_order_acq_rel, memory_scope_device );\n", text);
    }
}
