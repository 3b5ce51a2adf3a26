namespace Quern.Kernels.Gpu.Tests.Ptx;

/// <summary>Which shared memory a kernel keeps.</summary>
public sealed class PtxSharedTests
{
    private const string Kernel = """
        .visible .entry k(
        	.param .u64 a
        )
        {
        	.shared .align 4 .b8 __shared_alloca0[512];
        	.shared .align 4 .b8 __shared_alloca1[128];
        	.shared .align 4 .b8 __shared_alloca2[256];
        	mov.b64	%rd1, __shared_alloca0;
        	mov.b64	%rd2, __shared_alloca1;
        	mov.b64	%rd3, __shared_alloca2;
        	mov.pred	%p1, 1;
        	@%p1 bra.uni	L_1;

        	add.u64	%rd10, %rd1, %rd4;
        	st.shared.f32	[%rd3], %f1;

        	L_1:
        	st.shared.f32	[%rd2], %f1;
        	@%p2 bra.uni	L_2;

        	ld.shared.f32	%f2, [%rd3];

        	L_2:
        	ret;
        }
        """;

    [Fact]
    public void WhatOnlyPlainCodeTouchesIsGone()
    {
        string left = PtxShared.LeaveOutUnused(Kernel);
        Assert.DoesNotContain("__shared_alloca0", left, StringComparison.Ordinal);
        Assert.Contains("mov.b64\t%rd1, 0;", left, StringComparison.Ordinal);
        Assert.Contains(".b8 __shared_alloca1[128];", left, StringComparison.Ordinal);
        Assert.Contains("mov.b64\t%rd2, __shared_alloca1;", left, StringComparison.Ordinal);

        // Code behind a condition that may be false runs, perhaps.
        Assert.Contains(".b8 __shared_alloca2[256];", left, StringComparison.Ordinal);
    }
}
