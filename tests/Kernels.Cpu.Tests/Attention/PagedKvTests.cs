using Quern.Kernels.Cpu.Attention;

namespace Quern.Kernels.Cpu.Tests.Attention;

/// <summary>Where pages lie, and what of them is given back to the system.</summary>
public sealed class PagedKvTests
{
    private const int Pages = 5;

    private static readonly KvLayer[] Layers = [new(2, 64, 64), new(3, 40, 56), new(1, 128, 32), new(4, 64, 64)];

    public static TheoryData<bool[]?> Windows => [null, new[] { false, false, false, false }, new[] { true, true, true, true }, new[] { true, false, true, false }, new[] { false, false, false, true }];

    [Theory]
    [MemberData(nameof(Windows))]
    public void No_page_of_a_layer_lies_in_another(bool[]? windowed)
    {
        using PagedKv cache = new(new KvLayout(Layers, KvType.F16, KvType.F32, Pages) { Windowed = windowed });
        byte[][] contents = Fill(cache);
        for (int page = 0; page < Pages; page++) Assert.Equal(contents[page], Read(cache, page));
        cache.CopyPage(1, 3);
        Assert.Equal(contents[1], Read(cache, 3));
        Assert.Equal(contents[4], Read(cache, 4));
    }

    [Theory]
    [MemberData(nameof(Windows))]
    public void Layers_with_a_window_are_given_back_alone(bool[]? windowed)
    {
        using PagedKv cache = new(new KvLayout(Layers, KvType.F16, KvType.F32, Pages) { Windowed = windowed });
        byte[][] contents = Fill(cache);
        if (!OperatingSystem.IsLinux() || windowed is null || !windowed.Contains(true) || !windowed.Contains(false))
        {
            Assert.Equal(0, cache.WindowedBytes);
            Assert.Throws<NotSupportedException>(() => cache.Free(2, windowedOnly: true));
            return;
        }

        cache.Free(2, windowedOnly: true);
        cache.Free(4, windowedOnly: false);
        byte[] left = Read(cache, 2);
        int offset = 0;
        long given = 0;
        for (int i = 0; i < Layers.Length; i++)
        {
            int bytes = (int)BytesOf(Layers[i]);
            Span<byte> expected = contents[2].AsSpan(offset, bytes), found = left.AsSpan(offset, bytes);
            if (windowed[i])
            {
                Assert.Equal(new byte[bytes], found.ToArray());
                given += bytes;
            }
            else
            {
                Assert.Equal(expected.ToArray(), found.ToArray());
            }

            offset += bytes;
        }

        Assert.Equal(given, cache.WindowedBytes);
        Assert.Equal(new byte[cache.PageBytes], Read(cache, 4));
        foreach (int page in new[] { 0, 1, 3 }) Assert.Equal(contents[page], Read(cache, page));
        cache.WritePage(2, contents[0]);
        Assert.Equal(contents[0], Read(cache, 2));
    }

    private static long BytesOf(KvLayer layer)
    {
        using PagedKv one = new(new KvLayout([layer], KvType.F16, KvType.F32, 1));
        return one.PageBytes;
    }

    private static byte[][] Fill(PagedKv cache)
    {
        Random random = new(4);
        byte[][] contents = [.. Enumerable.Range(0, Pages).Select(_ => new byte[cache.PageBytes])];
        foreach (byte[] page in contents) random.NextBytes(page);
        for (int page = 0; page < Pages; page++) cache.WritePage(page, contents[page]);
        return contents;
    }

    private static byte[] Read(PagedKv cache, int page)
    {
        byte[] bytes = new byte[cache.PageBytes];
        cache.ReadPage(page, bytes);
        return bytes;
    }
}
