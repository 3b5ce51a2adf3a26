using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>
/// What a warp does for sixteen queries of a head with the tensor cores, in PTX with registers and shared memory named once a kernel (<see cref="Declare"/>): queries in <c>q</c>, scores of
/// 32 keys in <c>s</c>, weights in <c>p</c>, sums of values in <c>o</c>. Rows of shared memory are binary16, their pieces of 16 bytes exchanged by the row number. A tile of 16 by 8 is four
/// registers of a lane: two neighbouring columns of row lane / 4, then of the row eight below.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, sections 9.7.14.4.8 (fragments of m16n8k16) and 9.7.14.4.15 (ldmatrix).
/// </summary>
internal static class FlashTile
{
    private const string Mma = "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 ", Load = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 ";
    private const string LoadTurned = "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 ", Zero = ", 0f00000000; ";
    private const string S0 = "{s0, s1, s2, s3}", S1 = "{s4, s5, s6, s7}", S2 = "{s8, s9, s10, s11}", S3 = "{s12, s13, s14, s15}";
    private const string P0 = ", {p0, p1, p2, p3}, ", P1 = ", {p4, p5, p6, p7}, ";

    private const string Q0 = ", {q0, q1, q2, q3}, ";
    private const string Q1 = ", {q4, q5, q6, q7}, ";
    private const string Q2 = ", {q8, q9, q10, q11}, ";
    private const string Q3 = ", {q12, q13, q14, q15}, ";
    private const string Q4 = ", {q16, q17, q18, q19}, ";
    private const string Q5 = ", {q20, q21, q22, q23}, ";
    private const string Q6 = ", {q24, q25, q26, q27}, ";
    private const string Q7 = ", {q28, q29, q30, q31}, ";
    private const string Keys = Load + "{kv0, kv1, kv2, kv3}, [%0]; " + Load + "{kv4, kv5, kv6, kv7}, [%1]; ";

    private const string Scores0 =
        Keys + Mma + S0 + Q0 + "{kv0, kv1}, " + S0 + "; " + Mma + S1 + Q0 + "{kv2, kv3}, " + S1 + "; " + Mma + S2 + Q0 + "{kv4, kv5}, " + S2 + "; " + Mma + S3 + Q0 + "{kv6, kv7}, " + S3 + ";";

    private const string Scores1 =
        Keys + Mma + S0 + Q1 + "{kv0, kv1}, " + S0 + "; " + Mma + S1 + Q1 + "{kv2, kv3}, " + S1 + "; " + Mma + S2 + Q1 + "{kv4, kv5}, " + S2 + "; " + Mma + S3 + Q1 + "{kv6, kv7}, " + S3 + ";";

    private const string Scores2 =
        Keys + Mma + S0 + Q2 + "{kv0, kv1}, " + S0 + "; " + Mma + S1 + Q2 + "{kv2, kv3}, " + S1 + "; " + Mma + S2 + Q2 + "{kv4, kv5}, " + S2 + "; " + Mma + S3 + Q2 + "{kv6, kv7}, " + S3 + ";";

    private const string Scores3 =
        Keys + Mma + S0 + Q3 + "{kv0, kv1}, " + S0 + "; " + Mma + S1 + Q3 + "{kv2, kv3}, " + S1 + "; " + Mma + S2 + Q3 + "{kv4, kv5}, " + S2 + "; " + Mma + S3 + Q3 + "{kv6, kv7}, " + S3 + ";";

    private const string Scores4 =
        Keys + Mma + S0 + Q4 + "{kv0, kv1}, " + S0 + "; " + Mma + S1 + Q4 + "{kv2, kv3}, " + S1 + "; " + Mma + S2 + Q4 + "{kv4, kv5}, " + S2 + "; " + Mma + S3 + Q4 + "{kv6, kv7}, " + S3 + ";";

    private const string Scores5 =
        Keys + Mma + S0 + Q5 + "{kv0, kv1}, " + S0 + "; " + Mma + S1 + Q5 + "{kv2, kv3}, " + S1 + "; " + Mma + S2 + Q5 + "{kv4, kv5}, " + S2 + "; " + Mma + S3 + Q5 + "{kv6, kv7}, " + S3 + ";";

    private const string Scores6 =
        Keys + Mma + S0 + Q6 + "{kv0, kv1}, " + S0 + "; " + Mma + S1 + Q6 + "{kv2, kv3}, " + S1 + "; " + Mma + S2 + Q6 + "{kv4, kv5}, " + S2 + "; " + Mma + S3 + Q6 + "{kv6, kv7}, " + S3 + ";";

    private const string Scores7 =
        Keys + Mma + S0 + Q7 + "{kv0, kv1}, " + S0 + "; " + Mma + S1 + Q7 + "{kv2, kv3}, " + S1 + "; " + Mma + S2 + Q7 + "{kv4, kv5}, " + S2 + "; " + Mma + S3 + Q7 + "{kv6, kv7}, " + S3 + ";";

    private const string Sums0 =
        LoadTurned + "{kv0, kv1, kv2, kv3}, [%0]; " + Mma + "{o0, o1, o2, o3}" + P0 + "{kv0, kv1}, {o0, o1, o2, o3}; " + Mma + "{o4, o5, o6, o7}" + P0 + "{kv2, kv3}, {o4, o5, o6, o7}; " +
        LoadTurned + "{kv4, kv5, kv6, kv7}, [%1]; " + Mma + "{o0, o1, o2, o3}" + P1 + "{kv4, kv5}, {o0, o1, o2, o3}; " + Mma + "{o4, o5, o6, o7}" + P1 + "{kv6, kv7}, {o4, o5, o6, o7};";

    private const string Sums1 =
        LoadTurned + "{kv0, kv1, kv2, kv3}, [%0]; " + Mma + "{o8, o9, o10, o11}" + P0 + "{kv0, kv1}, {o8, o9, o10, o11}; " + Mma + "{o12, o13, o14, o15}" + P0 + "{kv2, kv3}, {o12, o13, o14, o15}; " +
        LoadTurned + "{kv4, kv5, kv6, kv7}, [%1]; " + Mma + "{o8, o9, o10, o11}" + P1 + "{kv4, kv5}, {o8, o9, o10, o11}; " + Mma + "{o12, o13, o14, o15}" + P1 + "{kv6, kv7}, {o12, o13, o14, o15};";

    private const string Sums2 =
        LoadTurned + "{kv0, kv1, kv2, kv3}, [%0]; " + Mma + "{o16, o17, o18, o19}" + P0 + "{kv0, kv1}, {o16, o17, o18, o19}; " + Mma + "{o20, o21, o22, o23}" + P0 + "{kv2, kv3}, {o20, o21, o22, o23}; " +
        LoadTurned + "{kv4, kv5, kv6, kv7}, [%1]; " + Mma + "{o16, o17, o18, o19}" + P1 + "{kv4, kv5}, {o16, o17, o18, o19}; " + Mma + "{o20, o21, o22, o23}" + P1 + "{kv6, kv7}, {o20, o21, o22, o23};";

    private const string Sums3 =
        LoadTurned + "{kv0, kv1, kv2, kv3}, [%0]; " + Mma + "{o24, o25, o26, o27}" + P0 + "{kv0, kv1}, {o24, o25, o26, o27}; " + Mma + "{o28, o29, o30, o31}" + P0 + "{kv2, kv3}, {o28, o29, o30, o31}; " +
        LoadTurned + "{kv4, kv5, kv6, kv7}, [%1]; " + Mma + "{o24, o25, o26, o27}" + P1 + "{kv4, kv5}, {o24, o25, o26, o27}; " + Mma + "{o28, o29, o30, o31}" + P1 + "{kv6, kv7}, {o28, o29, o30, o31};";

    private const string Sums4 =
        LoadTurned + "{kv0, kv1, kv2, kv3}, [%0]; " + Mma + "{o32, o33, o34, o35}" + P0 + "{kv0, kv1}, {o32, o33, o34, o35}; " + Mma + "{o36, o37, o38, o39}" + P0 + "{kv2, kv3}, {o36, o37, o38, o39}; " +
        LoadTurned + "{kv4, kv5, kv6, kv7}, [%1]; " + Mma + "{o32, o33, o34, o35}" + P1 + "{kv4, kv5}, {o32, o33, o34, o35}; " + Mma + "{o36, o37, o38, o39}" + P1 + "{kv6, kv7}, {o36, o37, o38, o39};";

    private const string Sums5 =
        LoadTurned + "{kv0, kv1, kv2, kv3}, [%0]; " + Mma + "{o40, o41, o42, o43}" + P0 + "{kv0, kv1}, {o40, o41, o42, o43}; " + Mma + "{o44, o45, o46, o47}" + P0 + "{kv2, kv3}, {o44, o45, o46, o47}; " +
        LoadTurned + "{kv4, kv5, kv6, kv7}, [%1]; " + Mma + "{o40, o41, o42, o43}" + P1 + "{kv4, kv5}, {o40, o41, o42, o43}; " + Mma + "{o44, o45, o46, o47}" + P1 + "{kv6, kv7}, {o44, o45, o46, o47};";

    private const string Sums6 =
        LoadTurned + "{kv0, kv1, kv2, kv3}, [%0]; " + Mma + "{o48, o49, o50, o51}" + P0 + "{kv0, kv1}, {o48, o49, o50, o51}; " + Mma + "{o52, o53, o54, o55}" + P0 + "{kv2, kv3}, {o52, o53, o54, o55}; " +
        LoadTurned + "{kv4, kv5, kv6, kv7}, [%1]; " + Mma + "{o48, o49, o50, o51}" + P1 + "{kv4, kv5}, {o48, o49, o50, o51}; " + Mma + "{o52, o53, o54, o55}" + P1 + "{kv6, kv7}, {o52, o53, o54, o55};";

    private const string Sums7 =
        LoadTurned + "{kv0, kv1, kv2, kv3}, [%0]; " + Mma + "{o56, o57, o58, o59}" + P0 + "{kv0, kv1}, {o56, o57, o58, o59}; " + Mma + "{o60, o61, o62, o63}" + P0 + "{kv2, kv3}, {o60, o61, o62, o63}; " +
        LoadTurned + "{kv4, kv5, kv6, kv7}, [%1]; " + Mma + "{o56, o57, o58, o59}" + P1 + "{kv4, kv5}, {o56, o57, o58, o59}; " + Mma + "{o60, o61, o62, o63}" + P1 + "{kv6, kv7}, {o60, o61, o62, o63};";

    private const string Clear =
        "mov.f32 o0" + Zero + "mov.f32 o1" + Zero + "mov.f32 o2" + Zero + "mov.f32 o3" + Zero + "mov.f32 o4" + Zero + "mov.f32 o5" + Zero + "mov.f32 o6" + Zero + "mov.f32 o7" + Zero +
        "mov.f32 o8" + Zero + "mov.f32 o9" + Zero + "mov.f32 o10" + Zero + "mov.f32 o11" + Zero + "mov.f32 o12" + Zero + "mov.f32 o13" + Zero + "mov.f32 o14" + Zero + "mov.f32 o15" + Zero +
        "mov.f32 o16" + Zero + "mov.f32 o17" + Zero + "mov.f32 o18" + Zero + "mov.f32 o19" + Zero + "mov.f32 o20" + Zero + "mov.f32 o21" + Zero + "mov.f32 o22" + Zero + "mov.f32 o23" + Zero +
        "mov.f32 o24" + Zero + "mov.f32 o25" + Zero + "mov.f32 o26" + Zero + "mov.f32 o27" + Zero + "mov.f32 o28" + Zero + "mov.f32 o29" + Zero + "mov.f32 o30" + Zero + "mov.f32 o31" + Zero +
        "mov.f32 o32" + Zero + "mov.f32 o33" + Zero + "mov.f32 o34" + Zero + "mov.f32 o35" + Zero + "mov.f32 o36" + Zero + "mov.f32 o37" + Zero + "mov.f32 o38" + Zero + "mov.f32 o39" + Zero +
        "mov.f32 o40" + Zero + "mov.f32 o41" + Zero + "mov.f32 o42" + Zero + "mov.f32 o43" + Zero + "mov.f32 o44" + Zero + "mov.f32 o45" + Zero + "mov.f32 o46" + Zero + "mov.f32 o47" + Zero +
        "mov.f32 o48" + Zero + "mov.f32 o49" + Zero + "mov.f32 o50" + Zero + "mov.f32 o51" + Zero + "mov.f32 o52" + Zero + "mov.f32 o53" + Zero + "mov.f32 o54" + Zero + "mov.f32 o55" + Zero +
        "mov.f32 o56" + Zero + "mov.f32 o57" + Zero + "mov.f32 o58" + Zero + "mov.f32 o59" + Zero + "mov.f32 o60" + Zero + "mov.f32 o61" + Zero + "mov.f32 o62" + Zero + "mov.f32 o63" + Zero;

    private const string ClearScores =
        "mov.f32 s0" + Zero + "mov.f32 s1" + Zero + "mov.f32 s2" + Zero + "mov.f32 s3" + Zero + "mov.f32 s4" + Zero + "mov.f32 s5" + Zero + "mov.f32 s6" + Zero + "mov.f32 s7" + Zero +
        "mov.f32 s8" + Zero + "mov.f32 s9" + Zero + "mov.f32 s10" + Zero + "mov.f32 s11" + Zero + "mov.f32 s12" + Zero + "mov.f32 s13" + Zero + "mov.f32 s14" + Zero + "mov.f32 s15" + Zero;

    private const string Fading =
        "mul.f32 o0, o0, %0; " + "mul.f32 o1, o1, %0; " + "mul.f32 o2, o2, %1; " + "mul.f32 o3, o3, %1; " + "mul.f32 o4, o4, %0; " +
        "mul.f32 o5, o5, %0; " + "mul.f32 o6, o6, %1; " + "mul.f32 o7, o7, %1; " + "mul.f32 o8, o8, %0; " + "mul.f32 o9, o9, %0; " +
        "mul.f32 o10, o10, %1; " + "mul.f32 o11, o11, %1; " + "mul.f32 o12, o12, %0; " + "mul.f32 o13, o13, %0; " + "mul.f32 o14, o14, %1; " +
        "mul.f32 o15, o15, %1; " + "mul.f32 o16, o16, %0; " + "mul.f32 o17, o17, %0; " + "mul.f32 o18, o18, %1; " + "mul.f32 o19, o19, %1; " +
        "mul.f32 o20, o20, %0; " + "mul.f32 o21, o21, %0; " + "mul.f32 o22, o22, %1; " + "mul.f32 o23, o23, %1; " + "mul.f32 o24, o24, %0; " +
        "mul.f32 o25, o25, %0; " + "mul.f32 o26, o26, %1; " + "mul.f32 o27, o27, %1; " + "mul.f32 o28, o28, %0; " + "mul.f32 o29, o29, %0; " +
        "mul.f32 o30, o30, %1; " + "mul.f32 o31, o31, %1; " + "mul.f32 o32, o32, %0; " + "mul.f32 o33, o33, %0; " + "mul.f32 o34, o34, %1; " +
        "mul.f32 o35, o35, %1; " + "mul.f32 o36, o36, %0; " + "mul.f32 o37, o37, %0; " + "mul.f32 o38, o38, %1; " + "mul.f32 o39, o39, %1; " +
        "mul.f32 o40, o40, %0; " + "mul.f32 o41, o41, %0; " + "mul.f32 o42, o42, %1; " + "mul.f32 o43, o43, %1; " + "mul.f32 o44, o44, %0; " +
        "mul.f32 o45, o45, %0; " + "mul.f32 o46, o46, %1; " + "mul.f32 o47, o47, %1; " + "mul.f32 o48, o48, %0; " + "mul.f32 o49, o49, %0; " +
        "mul.f32 o50, o50, %1; " + "mul.f32 o51, o51, %1; " + "mul.f32 o52, o52, %0; " + "mul.f32 o53, o53, %0; " + "mul.f32 o54, o54, %1; " +
        "mul.f32 o55, o55, %1; " + "mul.f32 o56, o56, %0; " + "mul.f32 o57, o57, %0; " + "mul.f32 o58, o58, %1; " + "mul.f32 o59, o59, %1; " +
        "mul.f32 o60, o60, %0; " + "mul.f32 o61, o61, %0; " + "mul.f32 o62, o62, %1; " + "mul.f32 o63, o63, %1; ";

    private const string Address = "{ .reg .b64 a; mov.b64 a, {%0, %1}; ";
    private const string StoreUpper =
        "st.global.v2.f32 [a+0], {o0, o1}; " + "st.global.v2.f32 [a+32], {o4, o5}; " + "st.global.v2.f32 [a+64], {o8, o9}; " +
        "st.global.v2.f32 [a+96], {o12, o13}; " + "st.global.v2.f32 [a+128], {o16, o17}; " + "st.global.v2.f32 [a+160], {o20, o21}; " +
        "st.global.v2.f32 [a+192], {o24, o25}; " + "st.global.v2.f32 [a+224], {o28, o29}; ";

    private const string StoreUpperRest =
        "st.global.v2.f32 [a+256], {o32, o33}; " + "st.global.v2.f32 [a+288], {o36, o37}; " + "st.global.v2.f32 [a+320], {o40, o41}; " +
        "st.global.v2.f32 [a+352], {o44, o45}; " + "st.global.v2.f32 [a+384], {o48, o49}; " + "st.global.v2.f32 [a+416], {o52, o53}; " +
        "st.global.v2.f32 [a+448], {o56, o57}; " + "st.global.v2.f32 [a+480], {o60, o61}; ";

    private const string StoreLower =
        "st.global.v2.f32 [a+0], {o2, o3}; " + "st.global.v2.f32 [a+32], {o6, o7}; " + "st.global.v2.f32 [a+64], {o10, o11}; " +
        "st.global.v2.f32 [a+96], {o14, o15}; " + "st.global.v2.f32 [a+128], {o18, o19}; " + "st.global.v2.f32 [a+160], {o22, o23}; " +
        "st.global.v2.f32 [a+192], {o26, o27}; " + "st.global.v2.f32 [a+224], {o30, o31}; ";

    private const string StoreLowerRest =
        "st.global.v2.f32 [a+256], {o34, o35}; " + "st.global.v2.f32 [a+288], {o38, o39}; " + "st.global.v2.f32 [a+320], {o42, o43}; " +
        "st.global.v2.f32 [a+352], {o46, o47}; " + "st.global.v2.f32 [a+384], {o50, o51}; " + "st.global.v2.f32 [a+416], {o54, o55}; " +
        "st.global.v2.f32 [a+448], {o58, o59}; " + "st.global.v2.f32 [a+480], {o62, o63}; ";

    /// <summary>Names the registers and the shared memory and makes the sums zero; once, first.</summary>
    /// <returns>Address of the shared memory, a multiple of 128.</returns>
    public static uint Declare()
    {
        CudaAsm.Emit(".reg .f32 o<64>; .reg .f32 s<16>; .reg .b32 q<32>; .reg .b32 p<8>; .reg .b32 kv<8>; .shared .align 128 .b8 tiles[32768];");
        CudaAsm.Emit(Clear);
        CudaAsm.Emit("mov.u32 %0, tiles;", out uint address);
        return address;
    }

    /// <summary>Makes the scores zero.</summary>
    public static void Begin() => CudaAsm.Emit(ClearScores);

    /// <summary>Brings sixteen of the inner dimension of the queries from shared memory to registers.</summary>
    public static void LoadQueries(int step, uint place)
    {
        if (step == 0) CudaAsm.Emit(Load + "{q0, q1, q2, q3}, [%0];", place);
        else if (step == 1) CudaAsm.Emit(Load + "{q4, q5, q6, q7}, [%0];", place);
        else if (step == 2) CudaAsm.Emit(Load + "{q8, q9, q10, q11}, [%0];", place);
        else if (step == 3) CudaAsm.Emit(Load + "{q12, q13, q14, q15}, [%0];", place);
        else if (step == 4) CudaAsm.Emit(Load + "{q16, q17, q18, q19}, [%0];", place);
        else if (step == 5) CudaAsm.Emit(Load + "{q20, q21, q22, q23}, [%0];", place);
        else if (step == 6) CudaAsm.Emit(Load + "{q24, q25, q26, q27}, [%0];", place);
        else CudaAsm.Emit(Load + "{q28, q29, q30, q31}, [%0];", place);
    }

    /// <summary>Adds the products of sixteen of the inner dimension to the scores.</summary>
    /// <param name="step">Which sixteen.</param>
    /// <param name="keys">Where the lane's row of the first sixteen keys is.</param>
    /// <param name="more">And of the last.</param>
    public static void Score(int step, uint keys, uint more)
    {
        if (step == 0) CudaAsm.Emit(Scores0, keys, more);
        else if (step == 1) CudaAsm.Emit(Scores1, keys, more);
        else if (step == 2) CudaAsm.Emit(Scores2, keys, more);
        else if (step == 3) CudaAsm.Emit(Scores3, keys, more);
        else if (step == 4) CudaAsm.Emit(Scores4, keys, more);
        else if (step == 5) CudaAsm.Emit(Scores5, keys, more);
        else if (step == 6) CudaAsm.Emit(Scores6, keys, more);
        else CudaAsm.Emit(Scores7, keys, more);
    }

    /// <summary>Adds weighed values to sixteen columns of the sums.</summary>
    /// <param name="step">Which sixteen.</param>
    /// <param name="values">Where the lane's row of the first sixteen values is.</param>
    /// <param name="more">And of the last.</param>
    public static void Sum(int step, uint values, uint more)
    {
        if (step == 0) CudaAsm.Emit(Sums0, values, more);
        else if (step == 1) CudaAsm.Emit(Sums1, values, more);
        else if (step == 2) CudaAsm.Emit(Sums2, values, more);
        else if (step == 3) CudaAsm.Emit(Sums3, values, more);
        else if (step == 4) CudaAsm.Emit(Sums4, values, more);
        else if (step == 5) CudaAsm.Emit(Sums5, values, more);
        else if (step == 6) CudaAsm.Emit(Sums6, values, more);
        else CudaAsm.Emit(Sums7, values, more);
    }

    /// <summary>A lane's scores: tile n in V(2n) and V(2n + 1), of its upper row or its lower one.</summary>
    public static Weights.Float8 Scores(bool lower) => lower ? LowerScores() : UpperScores();

    private static Weights.Float8 UpperScores()
    {
        CudaAsm.Emit("mov.f32 %0, s0;", out float v0);
        CudaAsm.Emit("mov.f32 %0, s1;", out float v1);
        CudaAsm.Emit("mov.f32 %0, s4;", out float v2);
        CudaAsm.Emit("mov.f32 %0, s5;", out float v3);
        CudaAsm.Emit("mov.f32 %0, s8;", out float v4);
        CudaAsm.Emit("mov.f32 %0, s9;", out float v5);
        CudaAsm.Emit("mov.f32 %0, s12;", out float v6);
        CudaAsm.Emit("mov.f32 %0, s13;", out float v7);
        return new Weights.Float8 { V0 = v0, V1 = v1, V2 = v2, V3 = v3, V4 = v4, V5 = v5, V6 = v6, V7 = v7 };
    }

    private static Weights.Float8 LowerScores()
    {
        CudaAsm.Emit("mov.f32 %0, s2;", out float v0);
        CudaAsm.Emit("mov.f32 %0, s3;", out float v1);
        CudaAsm.Emit("mov.f32 %0, s6;", out float v2);
        CudaAsm.Emit("mov.f32 %0, s7;", out float v3);
        CudaAsm.Emit("mov.f32 %0, s10;", out float v4);
        CudaAsm.Emit("mov.f32 %0, s11;", out float v5);
        CudaAsm.Emit("mov.f32 %0, s14;", out float v6);
        CudaAsm.Emit("mov.f32 %0, s15;", out float v7);
        return new Weights.Float8 { V0 = v0, V1 = v1, V2 = v2, V3 = v3, V4 = v4, V5 = v5, V6 = v6, V7 = v7 };
    }

    /// <summary>Sets the weights: those of tiles 0 to 3 of the upper row and of the lower one, two in a word.</summary>
    public static void SetWeights(Uint4 upper, Uint4 lower)
    {
        CudaAsm.Emit("mov.b32 p0, %0; mov.b32 p1, %1; mov.b32 p2, %2; mov.b32 p3, %3;", upper.X, lower.X, upper.Y, lower.Y);
        CudaAsm.Emit("mov.b32 p4, %0; mov.b32 p5, %1; mov.b32 p6, %2; mov.b32 p7, %3;", upper.Z, lower.Z, upper.W, lower.W);
    }

    /// <summary>Multiplies the sums of the upper row and of the lower one.</summary>
    public static void Fade(float upper, float lower) => CudaAsm.Emit(Fading, upper, lower);

    /// <summary>Writes the sums of a row to memory, two neighbouring columns of every eight.</summary>
    /// <param name="lower">Which row.</param>
    /// <param name="wide">Whether there are 128 columns and not 64.</param>
    /// <param name="address">Where the lane's first two go; a multiple of 8.</param>
    public static void Store(bool lower, bool wide, ulong address)
    {
        uint low = (uint)address, high = (uint)(address >> 32);
        if (lower && wide) CudaAsm.Emit(Address + StoreLower + StoreLowerRest + "}", low, high);
        else if (lower) CudaAsm.Emit(Address + StoreLower + "}", low, high);
        else if (wide) CudaAsm.Emit(Address + StoreUpper + StoreUpperRest + "}", low, high);
        else CudaAsm.Emit(Address + StoreUpper + "}", low, high);
    }
}
