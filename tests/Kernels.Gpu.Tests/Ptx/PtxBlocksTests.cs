namespace Quern.Kernels.Gpu.Tests.Ptx;

/// <summary>What is left of branches around pieces of PTX.</summary>
public sealed class PtxBlocksTests
{
    private const string Kernel = """
        .visible .entry k(
        	.param .u64 a
        )
        {
        	.reg .pred %p<9>;
        	mov.b32	%r1, 0;

        	L_1:
        	setp.ge.s32	%p1, %r1, 9;
        	@%p1 bra.uni	L_5;

        	mov.pred	%p2, 1;
        	@%p2 bra.uni	L_4;

        	plain.code	%r2;
        	bra.uni	L_3;

        	L_3:
        	add.s32	%r1, %r1, 1;
        	bra.uni	L_1;

        	L_4:
        	piece.of	%r2;
        	bra.uni	L_3;

        	L_5:
        	ret;
        }
        """;

    [Fact]
    public void PiecesAreJoinedAndPlainCodeIsGone()
    {
        string joined = PtxBlocks.Join(Kernel.ReplaceLineEndings("\n"));
        string[] lines = [.. joined.Split('\n').Select(line => line.Trim().Replace('\t', ' ')).Where(line => line.Length != 0).SkipWhile(line => line != "{")];
        Assert.Equal(
            ["{", ".reg .pred %p<9>;", "mov.b32 %r1, 0;", "bra.uni L_1;", "L_1:", "setp.ge.s32 %p1, %r1, 9;", "@%p1 bra.uni L_5;", "piece.of %r2;", "add.s32 %r1, %r1, 1;", "bra.uni L_1;", "L_5:", "ret;", "}"],
            lines);
    }
}
