using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu.Gemm;

/// <summary>
/// What a group of 256 threads does with the tensor cores, in PTX with registers and shared memory named once a kernel (<see cref="Declare"/>). A warp holds 64, 32 or 16 tokens by 32 rows
/// of the result in <c>acc</c>: tile (m, n) of 16 by 8 in acc(16m + 4n) to acc(16m + 4n + 3). Operands are bfloat16 or binary16, 64 of the inner dimension at a time, a row of 128 bytes whose pieces
/// of 16 bytes are exchanged by the row number, so that neither stores nor loads of matrices meet in a bank.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, sections 9.7.9.25 (cp.async), 9.7.14.4.8 (fragments of m16n8k16) and 9.7.14.4.15 (ldmatrix).
/// </summary>
internal static class TensorTile
{
    /// <summary>Bytes of shared memory: two tiles of activations and one of weights.</summary>
    public const int SharedBytes = 3 * TileBytes;

    /// <summary>128 rows of 64 bfloat16.</summary>
    public const int TileBytes = 128 * 128;

    /// <summary>Binary32 values from token to token of the result in shared memory: of eight tokens none meet in a bank.</summary>
    public const int ResultStride = 136;

    private const string Mma = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 ", HalfMma = "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 ", Load = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 ";
    private const string A0 = ", {fa0, fa1, fa2, fa3}, ", A1 = ", {fa4, fa5, fa6, fa7}, ", A2 = ", {fa8, fa9, fa10, fa11}, ", A3 = ", {fa12, fa13, fa14, fa15}, ";
    private const string B0 = "{fb0, fb1}, ", B1 = "{fb2, fb3}, ", B2 = "{fb4, fb5}, ", B3 = "{fb6, fb7}, ";
    private const string C00 = "{acc0, acc1, acc2, acc3}", C01 = "{acc4, acc5, acc6, acc7}", C02 = "{acc8, acc9, acc10, acc11}", C03 = "{acc12, acc13, acc14, acc15}";
    private const string C10 = "{acc16, acc17, acc18, acc19}", C11 = "{acc20, acc21, acc22, acc23}", C12 = "{acc24, acc25, acc26, acc27}", C13 = "{acc28, acc29, acc30, acc31}";
    private const string C20 = "{acc32, acc33, acc34, acc35}", C21 = "{acc36, acc37, acc38, acc39}", C22 = "{acc40, acc41, acc42, acc43}", C23 = "{acc44, acc45, acc46, acc47}";
    private const string C30 = "{acc48, acc49, acc50, acc51}", C31 = "{acc52, acc53, acc54, acc55}", C32 = "{acc56, acc57, acc58, acc59}", C33 = "{acc60, acc61, acc62, acc63}";

    private const string Rows = Load + "{fb0, fb1, fb2, fb3}, [%1]; " + Load + "{fb4, fb5, fb6, fb7}, [%1+2048]; ";
    private const string Tokens0 = Load + "{fa0, fa1, fa2, fa3}, [%0]; ", Tokens1 = Load + "{fa4, fa5, fa6, fa7}, [%0+2048]; ";
    private const string Tokens2 = Load + "{fa8, fa9, fa10, fa11}, [%0+4096]; ", Tokens3 = Load + "{fa12, fa13, fa14, fa15}, [%0+6144]; ";
    private const string Products0 = Mma + C00 + A0 + B0 + C00 + "; " + Mma + C01 + A0 + B1 + C01 + "; " + Mma + C02 + A0 + B2 + C02 + "; " + Mma + C03 + A0 + B3 + C03 + "; ";
    private const string Products1 = Mma + C10 + A1 + B0 + C10 + "; " + Mma + C11 + A1 + B1 + C11 + "; " + Mma + C12 + A1 + B2 + C12 + "; " + Mma + C13 + A1 + B3 + C13 + "; ";
    private const string Products2 = Mma + C20 + A2 + B0 + C20 + "; " + Mma + C21 + A2 + B1 + C21 + "; " + Mma + C22 + A2 + B2 + C22 + "; " + Mma + C23 + A2 + B3 + C23 + "; ";
    private const string Products3 = Mma + C30 + A3 + B0 + C30 + "; " + Mma + C31 + A3 + B1 + C31 + "; " + Mma + C32 + A3 + B2 + C32 + "; " + Mma + C33 + A3 + B3 + C33 + "; ";
    private const string HalfProducts0 = HalfMma + C00 + A0 + B0 + C00 + "; " + HalfMma + C01 + A0 + B1 + C01 + "; " + HalfMma + C02 + A0 + B2 + C02 + "; " + HalfMma + C03 + A0 + B3 + C03 + "; ";
    private const string HalfProducts1 = HalfMma + C10 + A1 + B0 + C10 + "; " + HalfMma + C11 + A1 + B1 + C11 + "; " + HalfMma + C12 + A1 + B2 + C12 + "; " + HalfMma + C13 + A1 + B3 + C13 + "; ";
    private const string HalfProducts2 = HalfMma + C20 + A2 + B0 + C20 + "; " + HalfMma + C21 + A2 + B1 + C21 + "; " + HalfMma + C22 + A2 + B2 + C22 + "; " + HalfMma + C23 + A2 + B3 + C23 + "; ";
    private const string HalfProducts3 = HalfMma + C30 + A3 + B0 + C30 + "; " + HalfMma + C31 + A3 + B1 + C31 + "; " + HalfMma + C32 + A3 + B2 + C32 + "; " + HalfMma + C33 + A3 + B3 + C33 + "; ";
    private const string Zero = ", 0f00000000; ";

    private const string Clear0 =
        "mov.f32 acc0" + Zero + "mov.f32 acc1" + Zero + "mov.f32 acc2" + Zero + "mov.f32 acc3" + Zero + "mov.f32 acc4" + Zero + "mov.f32 acc5" + Zero + "mov.f32 acc6" + Zero +
        "mov.f32 acc7" + Zero + "mov.f32 acc8" + Zero + "mov.f32 acc9" + Zero + "mov.f32 acc10" + Zero + "mov.f32 acc11" + Zero + "mov.f32 acc12" + Zero + "mov.f32 acc13" + Zero +
        "mov.f32 acc14" + Zero + "mov.f32 acc15" + Zero + "mov.f32 acc16" + Zero + "mov.f32 acc17" + Zero + "mov.f32 acc18" + Zero + "mov.f32 acc19" + Zero + "mov.f32 acc20" + Zero +
        "mov.f32 acc21" + Zero + "mov.f32 acc22" + Zero + "mov.f32 acc23" + Zero + "mov.f32 acc24" + Zero + "mov.f32 acc25" + Zero + "mov.f32 acc26" + Zero + "mov.f32 acc27" + Zero +
        "mov.f32 acc28" + Zero + "mov.f32 acc29" + Zero + "mov.f32 acc30" + Zero + "mov.f32 acc31" + Zero;

    private const string Clear1 =
        "mov.f32 acc32" + Zero + "mov.f32 acc33" + Zero + "mov.f32 acc34" + Zero + "mov.f32 acc35" + Zero + "mov.f32 acc36" + Zero + "mov.f32 acc37" + Zero + "mov.f32 acc38" + Zero +
        "mov.f32 acc39" + Zero + "mov.f32 acc40" + Zero + "mov.f32 acc41" + Zero + "mov.f32 acc42" + Zero + "mov.f32 acc43" + Zero + "mov.f32 acc44" + Zero + "mov.f32 acc45" + Zero +
        "mov.f32 acc46" + Zero + "mov.f32 acc47" + Zero + "mov.f32 acc48" + Zero + "mov.f32 acc49" + Zero + "mov.f32 acc50" + Zero + "mov.f32 acc51" + Zero + "mov.f32 acc52" + Zero +
        "mov.f32 acc53" + Zero + "mov.f32 acc54" + Zero + "mov.f32 acc55" + Zero + "mov.f32 acc56" + Zero + "mov.f32 acc57" + Zero + "mov.f32 acc58" + Zero + "mov.f32 acc59" + Zero +
        "mov.f32 acc60" + Zero + "mov.f32 acc61" + Zero + "mov.f32 acc62" + Zero + "mov.f32 acc63" + Zero;

    // A lane has two neighbouring rows of a token and of the one eight behind it, 8 · 544 = 4,352 bytes apart; tiles of tokens are 8,704 bytes apart.
    private const string Put0 =
        "st.shared.v2.f32 [%0], {acc0, acc1}; st.shared.v2.f32 [%0+4352], {acc2, acc3}; st.shared.v2.f32 [%0+32], {acc4, acc5}; st.shared.v2.f32 [%0+4384], {acc6, acc7}; " +
        "st.shared.v2.f32 [%0+64], {acc8, acc9}; st.shared.v2.f32 [%0+4416], {acc10, acc11}; st.shared.v2.f32 [%0+96], {acc12, acc13}; st.shared.v2.f32 [%0+4448], {acc14, acc15}; " +
        "st.shared.v2.f32 [%0+8704], {acc16, acc17}; st.shared.v2.f32 [%0+13056], {acc18, acc19}; st.shared.v2.f32 [%0+8736], {acc20, acc21}; " +
        "st.shared.v2.f32 [%0+13088], {acc22, acc23}; st.shared.v2.f32 [%0+8768], {acc24, acc25}; st.shared.v2.f32 [%0+13120], {acc26, acc27}; " +
        "st.shared.v2.f32 [%0+8800], {acc28, acc29}; st.shared.v2.f32 [%0+13152], {acc30, acc31};";

    private const string Put1 =
        "st.shared.v2.f32 [%0], {acc32, acc33}; st.shared.v2.f32 [%0+4352], {acc34, acc35}; st.shared.v2.f32 [%0+32], {acc36, acc37}; st.shared.v2.f32 [%0+4384], {acc38, acc39}; " +
        "st.shared.v2.f32 [%0+64], {acc40, acc41}; st.shared.v2.f32 [%0+4416], {acc42, acc43}; st.shared.v2.f32 [%0+96], {acc44, acc45}; st.shared.v2.f32 [%0+4448], {acc46, acc47}; " +
        "st.shared.v2.f32 [%0+8704], {acc48, acc49}; st.shared.v2.f32 [%0+13056], {acc50, acc51}; st.shared.v2.f32 [%0+8736], {acc52, acc53}; " +
        "st.shared.v2.f32 [%0+13088], {acc54, acc55}; st.shared.v2.f32 [%0+8768], {acc56, acc57}; st.shared.v2.f32 [%0+13120], {acc58, acc59}; " +
        "st.shared.v2.f32 [%0+8800], {acc60, acc61}; st.shared.v2.f32 [%0+13152], {acc62, acc63};";

    /// <summary>Names the registers and the shared memory and makes the sums zero; once, first.</summary>
    /// <returns>Address of the shared memory, a multiple of 128.</returns>
    public static uint Declare()
    {
        CudaAsm.Emit(".reg .f32 acc<64>; .reg .b32 fa<16>; .reg .b32 fb<8>; .shared .align 128 .b8 tiles[49152];");
        CudaAsm.Emit(Clear0);
        CudaAsm.Emit(Clear1);
        CudaAsm.Emit("mov.u32 %0, tiles;", out uint address);
        return address;
    }

    /// <summary>Adds the products of 16 of the inner dimension.</summary>
    /// <param name="isHalf">Whether they are binary16; bfloat16 otherwise.</param>
    /// <param name="tiles">Tiles of 16 tokens of a warp: 4, 2 or 1.</param>
    /// <param name="tokens">Where the lane's row of the first tile of tokens is.</param>
    /// <param name="rows">Where the lane's row of the first tile of weights is.</param>
    public static void Multiply(bool isHalf, int tiles, uint tokens, uint rows)
    {
        if (isHalf && tiles == 4) CudaAsm.Emit(Rows + Tokens0 + Tokens1 + Tokens2 + Tokens3 + HalfProducts0 + HalfProducts1 + HalfProducts2 + HalfProducts3, tokens, rows);
        else if (isHalf && tiles == 2) CudaAsm.Emit(Rows + Tokens0 + Tokens1 + HalfProducts0 + HalfProducts1, tokens, rows);
        else if (isHalf) CudaAsm.Emit(Rows + Tokens0 + HalfProducts0, tokens, rows);
        else if (tiles == 4) CudaAsm.Emit(Rows + Tokens0 + Tokens1 + Tokens2 + Tokens3 + Products0 + Products1 + Products2 + Products3, tokens, rows);
        else if (tiles == 2) CudaAsm.Emit(Rows + Tokens0 + Tokens1 + Products0 + Products1, tokens, rows);
        else CudaAsm.Emit(Rows + Tokens0 + Products0, tokens, rows);
    }

    /// <summary>Sets the operands to ones, for <see cref="MultiplyRegisters"/>.</summary>
    public static void FillOperands() => CudaAsm.Emit(
        "mov.b32 fa0, 1065369472; mov.b32 fa1, fa0; mov.b32 fa2, fa0; mov.b32 fa3, fa0; mov.b32 fa4, fa0; mov.b32 fa5, fa0; mov.b32 fa6, fa0; mov.b32 fa7, fa0; mov.b32 fa8, fa0; " +
        "mov.b32 fa9, fa0; mov.b32 fa10, fa0; mov.b32 fa11, fa0; mov.b32 fa12, fa0; mov.b32 fa13, fa0; mov.b32 fa14, fa0; mov.b32 fa15, fa0; mov.b32 fb0, fa0; mov.b32 fb1, fa0; " +
        "mov.b32 fb2, fa0; mov.b32 fb3, fa0; mov.b32 fb4, fa0; mov.b32 fb5, fa0; mov.b32 fb6, fa0; mov.b32 fb7, fa0;");

    /// <summary>The sixteen products of <see cref="Multiply"/> without loading anything.</summary>
    public static void MultiplyRegisters() => CudaAsm.Emit(Products0 + Products1 + Products2 + Products3);

    /// <summary>Leaves two tiles of tokens of the sums in shared memory, <see cref="ResultStride"/> apart.</summary>
    /// <param name="half">0: the first two; 1: the last.</param>
    /// <param name="place">Where the lane's first value goes.</param>
    public static void Put(int half, uint place)
    {
        if (half == 0) CudaAsm.Emit(Put0, place);
        else CudaAsm.Emit(Put1, place);
    }

    /// <summary>Starts a copy of 16 bytes to shared memory that no thread waits for yet.</summary>
    public static void CopyLater(uint place, ulong address)
    {
        uint lower = (uint)address, upper = (uint)(address >> 32);
        CudaAsm.Emit("{ .reg .b64 a; mov.b64 a, {%1, %2}; cp.async.cg.shared.global [%0], [a], 16; }", place, lower, upper);
    }

    /// <summary>Waits for this thread's copies.</summary>
    public static void WaitForCopies() => CudaAsm.Emit("cp.async.wait_all;");

    /// <summary>16 bytes to shared memory.</summary>
    public static void Put(uint place, Uint4 v) => CudaAsm.Emit("st.shared.v4.b32 [%0], {%1, %2, %3, %4};", place, v.X, v.Y, v.Z, v.W);

    /// <summary>A value from shared memory.</summary>
    public static float Get(uint place)
    {
        CudaAsm.Emit("ld.shared.f32 %0, [%1];", out float value, place);
        return value;
    }
}
