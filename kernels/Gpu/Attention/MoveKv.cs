using ILGPU;
using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu.Attention;

/// <summary>Arguments of <see cref="MoveKv"/>.</summary>
internal readonly struct MoveArguments(KvRows keys, KvRows values, int page, int token, int targetPage, int targetToken)
{
    public readonly KvRows Keys = keys;
    public readonly KvRows Values = values;
    public readonly int Page = page;
    public readonly int Token = token;
    public readonly int TargetPage = targetPage;
    public readonly int TargetToken = targetToken;
}

/// <summary>Copies a token's keys and values, as they are stored, to another token's place. Grid: heads.</summary>
internal static class MoveKv
{
    /// <param name="memory">The arena.</param>
    /// <param name="a">From where to where.</param>
    public static void Kernel(DeviceMemory memory, MoveArguments a)
    {
        Copy(memory, a.Keys, a);
        Copy(memory, a.Values, a);
    }

    private static void Copy(DeviceMemory memory, KvRows rows, MoveArguments a)
    {
        long source = rows.Head(a.Page, Grid.IdxX), target = rows.Head(a.TargetPage, Grid.IdxX);
        Copy(memory, rows.Row(source, a.Token), rows.Row(target, a.TargetToken), rows.RowBytes);
        int scales = (rows.HeadBytes / KvLayout.PageTokens) - rows.RowBytes;
        Copy(memory, rows.Scale(source, a.Token, 0), rows.Scale(target, a.TargetToken, 0), scales);
    }

    private static void Copy(DeviceMemory memory, long source, long target, int bytes)
    {
        for (int i = Group.IdxX; i < bytes >> 1; i += Group.DimX) memory.Halves[(target >> 1) + i] = memory.Halves[(source >> 1) + i];
    }
}
