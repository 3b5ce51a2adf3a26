using ILGPU.Runtime.Cuda;

namespace Quern.Kernels.Gpu.Gemm;

/// <summary>
/// What a group of two warpgroups does with Hopper's tensor cores, in PTX with registers and shared memory named once a kernel (<see cref="Declare"/>). A warpgroup holds 64 rows by 256, 128
/// or 64 tokens of the result in <c>acc</c>: acc(4n) to acc(4n + 3) of a lane are rows lane / 4 and, in the last two, 8 more, by tokens 8n + 2 (lane mod 4) and the next one; a warp has 16
/// rows. Weights come from registers, activations from shared memory: tiles of 64 of the inner dimension, a row of 128 bytes a token whose pieces of 16 bytes are exchanged by its number.
/// Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, sections 9.7.15 (wgmma: fragments, matrix descriptors with the swizzle of 128 bytes) and 9.7.12.4 (fence.proxy.async).
/// </summary>
internal static class WarpgroupTile
{
    /// <summary>Binary32 values from token to token of the result in shared memory: of a warp none meet in a bank.</summary>
    public const int ResultStride = 132;

    // A descriptor's upper half: 1,024 bytes from eight tokens to the next, the swizzle of 128 bytes.
    private const string Open = "{ .reg .b64 d; .reg .pred p; mov.b64 d, {%4, 1073741888}; setp.eq.b32 p, 0, 0; wgmma.mma_async.sync.aligned.m64n";
    private const string Types = "k16.f32.bf16.bf16 {", HalfTypes = "k16.f32.f16.f16 {", Close = "}, {%0, %1, %2, %3}, d, p, 1, 1, 0; }";

    private const string Sums64 =
        "acc0, acc1, acc2, acc3, acc4, acc5, acc6, acc7, acc8, acc9, acc10, acc11, acc12, acc13, acc14, acc15, acc16, acc17, acc18, acc19, acc20, acc21, acc22, acc23, acc24, " +
        "acc25, acc26, acc27, acc28, acc29, acc30, acc31";

    private const string Next64 =
        "acc32, acc33, acc34, acc35, acc36, acc37, acc38, acc39, acc40, acc41, acc42, acc43, acc44, acc45, acc46, acc47, acc48, acc49, acc50, acc51, acc52, acc53, acc54, " +
        "acc55, acc56, acc57, acc58, acc59, acc60, acc61, acc62, acc63";

    private const string Next128 =
        "acc64, acc65, acc66, acc67, acc68, acc69, acc70, acc71, acc72, acc73, acc74, acc75, acc76, acc77, acc78, acc79, acc80, acc81, acc82, acc83, acc84, acc85, acc86, " +
        "acc87, acc88, acc89, acc90, acc91, acc92, acc93, acc94, acc95, acc96, acc97, acc98, acc99, acc100, acc101, acc102, acc103, acc104, acc105, acc106, acc107, acc108, " +
        "acc109, acc110, acc111, acc112, acc113, acc114, acc115, acc116, acc117, acc118, acc119, acc120, acc121, acc122, acc123, acc124, acc125, acc126, acc127";

    private const string Put64 =
        "st.shared.f32 [%0+0], acc0; st.shared.f32 [%0+528], acc1; st.shared.f32 [%0+32], acc2; st.shared.f32 [%0+560], acc3; st.shared.f32 [%0+4224], acc4; " +
        "st.shared.f32 [%0+4752], acc5; st.shared.f32 [%0+4256], acc6; st.shared.f32 [%0+4784], acc7; st.shared.f32 [%0+8448], acc8; st.shared.f32 [%0+8976], acc9; " +
        "st.shared.f32 [%0+8480], acc10; st.shared.f32 [%0+9008], acc11; st.shared.f32 [%0+12672], acc12; st.shared.f32 [%0+13200], acc13; st.shared.f32 [%0+12704], acc14; " +
        "st.shared.f32 [%0+13232], acc15; st.shared.f32 [%0+16896], acc16; st.shared.f32 [%0+17424], acc17; st.shared.f32 [%0+16928], acc18; st.shared.f32 [%0+17456], acc19; " +
        "st.shared.f32 [%0+21120], acc20; st.shared.f32 [%0+21648], acc21; st.shared.f32 [%0+21152], acc22; st.shared.f32 [%0+21680], acc23; st.shared.f32 [%0+25344], acc24; " +
        "st.shared.f32 [%0+25872], acc25; st.shared.f32 [%0+25376], acc26; st.shared.f32 [%0+25904], acc27; st.shared.f32 [%0+29568], acc28; st.shared.f32 [%0+30096], acc29; " +
        "st.shared.f32 [%0+29600], acc30; st.shared.f32 [%0+30128], acc31; ";

    private const string PutNext64 =
        "st.shared.f32 [%0+33792], acc32; st.shared.f32 [%0+34320], acc33; st.shared.f32 [%0+33824], acc34; st.shared.f32 [%0+34352], acc35; st.shared.f32 [%0+38016], acc36; " +
        "st.shared.f32 [%0+38544], acc37; st.shared.f32 [%0+38048], acc38; st.shared.f32 [%0+38576], acc39; st.shared.f32 [%0+42240], acc40; st.shared.f32 [%0+42768], acc41; " +
        "st.shared.f32 [%0+42272], acc42; st.shared.f32 [%0+42800], acc43; st.shared.f32 [%0+46464], acc44; st.shared.f32 [%0+46992], acc45; st.shared.f32 [%0+46496], acc46; " +
        "st.shared.f32 [%0+47024], acc47; st.shared.f32 [%0+50688], acc48; st.shared.f32 [%0+51216], acc49; st.shared.f32 [%0+50720], acc50; st.shared.f32 [%0+51248], acc51; " +
        "st.shared.f32 [%0+54912], acc52; st.shared.f32 [%0+55440], acc53; st.shared.f32 [%0+54944], acc54; st.shared.f32 [%0+55472], acc55; st.shared.f32 [%0+59136], acc56; " +
        "st.shared.f32 [%0+59664], acc57; st.shared.f32 [%0+59168], acc58; st.shared.f32 [%0+59696], acc59; st.shared.f32 [%0+63360], acc60; st.shared.f32 [%0+63888], acc61; " +
        "st.shared.f32 [%0+63392], acc62; st.shared.f32 [%0+63920], acc63; ";

    private const string PutNext128 =
        "st.shared.f32 [%0+67584], acc64; st.shared.f32 [%0+68112], acc65; st.shared.f32 [%0+67616], acc66; st.shared.f32 [%0+68144], acc67; st.shared.f32 [%0+71808], acc68; " +
        "st.shared.f32 [%0+72336], acc69; st.shared.f32 [%0+71840], acc70; st.shared.f32 [%0+72368], acc71; st.shared.f32 [%0+76032], acc72; st.shared.f32 [%0+76560], acc73; " +
        "st.shared.f32 [%0+76064], acc74; st.shared.f32 [%0+76592], acc75; st.shared.f32 [%0+80256], acc76; st.shared.f32 [%0+80784], acc77; st.shared.f32 [%0+80288], acc78; " +
        "st.shared.f32 [%0+80816], acc79; st.shared.f32 [%0+84480], acc80; st.shared.f32 [%0+85008], acc81; st.shared.f32 [%0+84512], acc82; st.shared.f32 [%0+85040], acc83; " +
        "st.shared.f32 [%0+88704], acc84; st.shared.f32 [%0+89232], acc85; st.shared.f32 [%0+88736], acc86; st.shared.f32 [%0+89264], acc87; st.shared.f32 [%0+92928], acc88; " +
        "st.shared.f32 [%0+93456], acc89; st.shared.f32 [%0+92960], acc90; st.shared.f32 [%0+93488], acc91; st.shared.f32 [%0+97152], acc92; st.shared.f32 [%0+97680], acc93; " +
        "st.shared.f32 [%0+97184], acc94; st.shared.f32 [%0+97712], acc95; st.shared.f32 [%0+101376], acc96; st.shared.f32 [%0+101904], acc97; " +
        "st.shared.f32 [%0+101408], acc98; st.shared.f32 [%0+101936], acc99; st.shared.f32 [%0+105600], acc100; st.shared.f32 [%0+106128], acc101; " +
        "st.shared.f32 [%0+105632], acc102; st.shared.f32 [%0+106160], acc103; st.shared.f32 [%0+109824], acc104; st.shared.f32 [%0+110352], acc105; " +
        "st.shared.f32 [%0+109856], acc106; st.shared.f32 [%0+110384], acc107; st.shared.f32 [%0+114048], acc108; st.shared.f32 [%0+114576], acc109; " +
        "st.shared.f32 [%0+114080], acc110; st.shared.f32 [%0+114608], acc111; st.shared.f32 [%0+118272], acc112; st.shared.f32 [%0+118800], acc113; " +
        "st.shared.f32 [%0+118304], acc114; st.shared.f32 [%0+118832], acc115; st.shared.f32 [%0+122496], acc116; st.shared.f32 [%0+123024], acc117; " +
        "st.shared.f32 [%0+122528], acc118; st.shared.f32 [%0+123056], acc119; st.shared.f32 [%0+126720], acc120; st.shared.f32 [%0+127248], acc121; " +
        "st.shared.f32 [%0+126752], acc122; st.shared.f32 [%0+127280], acc123; st.shared.f32 [%0+130944], acc124; st.shared.f32 [%0+131472], acc125; " +
        "st.shared.f32 [%0+130976], acc126; st.shared.f32 [%0+131504], acc127; ";

    private const string Copy64 =
        "{ .reg .b64 a; .reg .b64 s; mov.b64 a, {%1, %2}; cvt.u64.u32 s, %3; cp.async.cg.shared.global [%0], [a], 16; " +
        "add.s64 a, a, s; cp.async.cg.shared.global [%0+2048], [a], 16; add.s64 a, a, s; cp.async.cg.shared.global [%0+4096], [a], 16; " +
        "add.s64 a, a, s; cp.async.cg.shared.global [%0+6144], [a], 16; ";

    private const string CopyNext64 =
        "add.s64 a, a, s; cp.async.cg.shared.global [%0+8192], [a], 16; add.s64 a, a, s; cp.async.cg.shared.global [%0+10240], [a], 16; " +
        "add.s64 a, a, s; cp.async.cg.shared.global [%0+12288], [a], 16; add.s64 a, a, s; cp.async.cg.shared.global [%0+14336], [a], 16; ";

    private const string CopyNext128 =
        "add.s64 a, a, s; cp.async.cg.shared.global [%0+16384], [a], 16; add.s64 a, a, s; cp.async.cg.shared.global [%0+18432], [a], 16; " +
        "add.s64 a, a, s; cp.async.cg.shared.global [%0+20480], [a], 16; add.s64 a, a, s; cp.async.cg.shared.global [%0+22528], [a], 16; " +
        "add.s64 a, a, s; cp.async.cg.shared.global [%0+24576], [a], 16; add.s64 a, a, s; cp.async.cg.shared.global [%0+26624], [a], 16; " +
        "add.s64 a, a, s; cp.async.cg.shared.global [%0+28672], [a], 16; add.s64 a, a, s; cp.async.cg.shared.global [%0+30720], [a], 16; ";

    private const string Clear64 =
        "mov.b32 acc0, 0; mov.b32 acc1, 0; mov.b32 acc2, 0; mov.b32 acc3, 0; mov.b32 acc4, 0; mov.b32 acc5, 0; mov.b32 acc6, 0; mov.b32 acc7, 0; mov.b32 acc8, 0; " +
        "mov.b32 acc9, 0; mov.b32 acc10, 0; mov.b32 acc11, 0; mov.b32 acc12, 0; mov.b32 acc13, 0; mov.b32 acc14, 0; mov.b32 acc15, 0; mov.b32 acc16, 0; mov.b32 acc17, 0; " +
        "mov.b32 acc18, 0; mov.b32 acc19, 0; mov.b32 acc20, 0; mov.b32 acc21, 0; mov.b32 acc22, 0; mov.b32 acc23, 0; mov.b32 acc24, 0; mov.b32 acc25, 0; mov.b32 acc26, 0; " +
        "mov.b32 acc27, 0; mov.b32 acc28, 0; mov.b32 acc29, 0; mov.b32 acc30, 0; mov.b32 acc31, 0; ";

    private const string ClearNext64 =
        "mov.b32 acc32, 0; mov.b32 acc33, 0; mov.b32 acc34, 0; mov.b32 acc35, 0; mov.b32 acc36, 0; mov.b32 acc37, 0; mov.b32 acc38, 0; mov.b32 acc39, 0; mov.b32 acc40, 0; " +
        "mov.b32 acc41, 0; mov.b32 acc42, 0; mov.b32 acc43, 0; mov.b32 acc44, 0; mov.b32 acc45, 0; mov.b32 acc46, 0; mov.b32 acc47, 0; mov.b32 acc48, 0; mov.b32 acc49, 0; " +
        "mov.b32 acc50, 0; mov.b32 acc51, 0; mov.b32 acc52, 0; mov.b32 acc53, 0; mov.b32 acc54, 0; mov.b32 acc55, 0; mov.b32 acc56, 0; mov.b32 acc57, 0; mov.b32 acc58, 0; " +
        "mov.b32 acc59, 0; mov.b32 acc60, 0; mov.b32 acc61, 0; mov.b32 acc62, 0; mov.b32 acc63, 0; ";

    private const string ClearNext128 =
        "mov.b32 acc64, 0; mov.b32 acc65, 0; mov.b32 acc66, 0; mov.b32 acc67, 0; mov.b32 acc68, 0; mov.b32 acc69, 0; mov.b32 acc70, 0; mov.b32 acc71, 0; mov.b32 acc72, 0; " +
        "mov.b32 acc73, 0; mov.b32 acc74, 0; mov.b32 acc75, 0; mov.b32 acc76, 0; mov.b32 acc77, 0; mov.b32 acc78, 0; mov.b32 acc79, 0; mov.b32 acc80, 0; mov.b32 acc81, 0; " +
        "mov.b32 acc82, 0; mov.b32 acc83, 0; mov.b32 acc84, 0; mov.b32 acc85, 0; mov.b32 acc86, 0; mov.b32 acc87, 0; mov.b32 acc88, 0; mov.b32 acc89, 0; mov.b32 acc90, 0; " +
        "mov.b32 acc91, 0; mov.b32 acc92, 0; mov.b32 acc93, 0; mov.b32 acc94, 0; mov.b32 acc95, 0; mov.b32 acc96, 0; mov.b32 acc97, 0; mov.b32 acc98, 0; mov.b32 acc99, 0; " +
        "mov.b32 acc100, 0; mov.b32 acc101, 0; mov.b32 acc102, 0; mov.b32 acc103, 0; mov.b32 acc104, 0; mov.b32 acc105, 0; mov.b32 acc106, 0; mov.b32 acc107, 0; " +
        "mov.b32 acc108, 0; mov.b32 acc109, 0; mov.b32 acc110, 0; mov.b32 acc111, 0; mov.b32 acc112, 0; mov.b32 acc113, 0; mov.b32 acc114, 0; mov.b32 acc115, 0; " +
        "mov.b32 acc116, 0; mov.b32 acc117, 0; mov.b32 acc118, 0; mov.b32 acc119, 0; mov.b32 acc120, 0; mov.b32 acc121, 0; mov.b32 acc122, 0; mov.b32 acc123, 0; " +
        "mov.b32 acc124, 0; mov.b32 acc125, 0; mov.b32 acc126, 0; mov.b32 acc127, 0; ";

    /// <summary>Names the registers and the shared memory, three stages of tokens by 128 of the inner dimension, and makes the sums zero; once, first.</summary>
    /// <param name="tiles">Tokens of the group over 32: 8, 4 or 2.</param>
    /// <returns>Address of the shared memory, a multiple of 1,024.</returns>
    public static uint Declare(int tiles)
    {
        if (tiles == 8) CudaAsm.Emit(".reg .f32 acc<128>; .shared .align 1024 .b8 tiles[196608];");
        else if (tiles == 4) CudaAsm.Emit(".reg .f32 acc<64>; .shared .align 1024 .b8 tiles[98304];");
        else CudaAsm.Emit(".reg .f32 acc<32>; .shared .align 1024 .b8 tiles[49152];");
        CudaAsm.Emit(Clear64);
        if (tiles > 2) CudaAsm.Emit(ClearNext64);
        if (tiles > 4) CudaAsm.Emit(ClearNext128);
        CudaAsm.Emit("mov.u32 %0, tiles;", out uint address);
        return address;
    }

    /// <summary>Starts the products of 16 of the inner dimension.</summary>
    /// <param name="isHalf">Whether they are binary16; bfloat16 otherwise.</param>
    /// <param name="tiles">Tokens of the group over 32: 8, 4 or 2.</param>
    /// <param name="w0">Two weights of the lane's first row.</param>
    /// <param name="w1">Two weights of the row eight behind it.</param>
    /// <param name="w2">The first row's next two.</param>
    /// <param name="w3">The other row's next two.</param>
    /// <param name="tokens">Address of the tokens' values in units of 16 bytes.</param>
    public static void Multiply(bool isHalf, int tiles, uint w0, uint w1, uint w2, uint w3, uint tokens)
    {
        if (isHalf && tiles == 8) CudaAsm.Emit(Open + "256" + HalfTypes + Sums64 + ", " + Next64 + ", " + Next128 + Close, w0, w1, w2, w3, tokens);
        else if (isHalf && tiles == 4) CudaAsm.Emit(Open + "128" + HalfTypes + Sums64 + ", " + Next64 + Close, w0, w1, w2, w3, tokens);
        else if (isHalf) CudaAsm.Emit(Open + "64" + HalfTypes + Sums64 + Close, w0, w1, w2, w3, tokens);
        else if (tiles == 8) CudaAsm.Emit(Open + "256" + Types + Sums64 + ", " + Next64 + ", " + Next128 + Close, w0, w1, w2, w3, tokens);
        else if (tiles == 4) CudaAsm.Emit(Open + "128" + Types + Sums64 + ", " + Next64 + Close, w0, w1, w2, w3, tokens);
        else CudaAsm.Emit(Open + "64" + Types + Sums64 + Close, w0, w1, w2, w3, tokens);
    }

    /// <summary>Before products: registers and what others put into shared memory are as they were set.</summary>
    public static void Begin() => CudaAsm.Emit("wgmma.fence.sync.aligned;");

    /// <summary>Closes a batch of products and waits for the one before it.</summary>
    public static void EndAndWaitForPrevious()
    {
        CudaAsm.Emit("wgmma.commit_group.sync.aligned;");
        CudaAsm.Emit("wgmma.wait_group.sync.aligned 1;");
    }

    /// <summary>Waits for all products.</summary>
    public static void WaitForProducts() => CudaAsm.Emit("wgmma.wait_group.sync.aligned 0;");

    /// <summary>Waits for this thread's copies and lets the tensor cores see them.</summary>
    public static void WaitForCopies()
    {
        CudaAsm.Emit("cp.async.wait_all;");
        CudaAsm.Emit("fence.proxy.async.shared::cta;");
    }

    /// <summary>Starts copies of 16 bytes of every sixteenth token.</summary>
    /// <param name="tiles">Tokens of the group over 32: 8, 4 or 2.</param>
    /// <param name="place">Where the first goes; the next ones 2,048 bytes apart.</param>
    /// <param name="address">Where the first comes from.</param>
    /// <param name="stride">Bytes from one to the next.</param>
    public static void CopyLater(int tiles, uint place, ulong address, uint stride)
    {
        uint lower = (uint)address, upper = (uint)(address >> 32);
        if (tiles == 8) CudaAsm.Emit(Copy64 + CopyNext64 + CopyNext128 + "}", place, lower, upper, stride);
        else if (tiles == 4) CudaAsm.Emit(Copy64 + CopyNext64 + "}", place, lower, upper, stride);
        else CudaAsm.Emit(Copy64 + "}", place, lower, upper, stride);
    }

    /// <summary>Leaves the sums in shared memory, a token's rows <see cref="ResultStride"/> apart.</summary>
    /// <param name="tiles">Tokens of the group over 32: 8, 4 or 2.</param>
    /// <param name="place">Where the lane's first value goes.</param>
    public static void Put(int tiles, uint place)
    {
        CudaAsm.Emit(Put64, place);
        if (tiles > 2) CudaAsm.Emit(PutNext64, place);
        if (tiles > 4) CudaAsm.Emit(PutNext128, place);
    }
}
