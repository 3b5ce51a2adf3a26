using ILGPU;

namespace Quern.Kernels.Gpu.Selection;

/// <summary>
/// The largest keys that a warp has seen, in order: lane i holds number i and number 32 + i. A key is a value and its column in one integer that is larger for a larger value and, among
/// equal ones, for a lower column, so that no two are equal; 0 is none. Every lane calls everything.
/// </summary>
internal struct LargestKeys
{
    private readonly int _k;
    private ulong _first, _second, _least;

    /// <param name="k">How many are kept, up to 64.</param>
    public LargestKeys(int k)
    {
        _k = k;
        _first = 0;
        _second = 0;
        _least = 0;
    }

    /// <summary>The largest key.</summary>
    public readonly ulong Largest => Warp.Shuffle(_first, 0);

    /// <summary>The key of a value: NaN is more than +∞, −0 is 0.</summary>
    public static ulong Key(float value, int column)
    {
        uint bits = Interop.FloatAsInt(value);
        if ((bits & 0x7fffffff) > 0x7f800000) bits = 0x7fc00000;
        if (bits == 0x80000000) bits = 0;
        uint ascending = (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
        return ((ulong)ascending << 32) | ~(uint)column;
    }

    /// <summary>The value of a key.</summary>
    public static float Value(ulong key)
    {
        uint ascending = (uint)(key >> 32);
        return Interop.IntAsFloat((ascending & 0x80000000) != 0 ? ascending & 0x7fffffff : ~ascending);
    }

    /// <summary>The column of a key.</summary>
    public static int Column(ulong key) => (int)~(uint)key;

    /// <summary>Takes a key of each lane.</summary>
    /// <returns>Whether one of them was large enough to be kept.</returns>
    public bool Take(ulong key)
    {
        uint passing = Lane.Ballot(key > _least);
        for (uint left = passing; left != 0; left &= left - 1)
        {
            ulong next = Warp.Shuffle(key, IntrinsicMath.BitOperations.TrailingZeroCount(left));
            if (next > _least) Insert(next);
        }

        return passing != 0;
    }

    /// <summary>Takes lists of k keys each, in order, one after the other.</summary>
    /// <param name="keys">[count, k].</param>
    /// <param name="first">The first list; a lane takes one, and they take up to 32.</param>
    /// <param name="count">Number of lists.</param>
    public void TakeLists(ArrayView<ulong> keys, int first, int count)
    {
        int list = first + (Group.IdxX % GpuDevice.WarpThreads);

        // What comes later in a list is smaller: where no list has any more, none will.
        for (int i = 0; i < _k; i++)
            if (!Take(list < count ? keys[(list * _k) + i] : 0UL)) break;
    }

    /// <summary>Writes the keys, in order.</summary>
    /// <param name="keys">[k] from <paramref name="place"/> on.</param>
    /// <param name="place">Index of the first one.</param>
    public readonly void Store(ArrayView<ulong> keys, long place)
    {
        int lane = Group.IdxX % GpuDevice.WarpThreads;
        if (lane < _k) keys[place + lane] = _first;
        if (lane + GpuDevice.WarpThreads < _k) keys[place + lane + GpuDevice.WarpThreads] = _second;
    }

    /// <summary>Writes values and columns, in order: k values, and behind them k columns as numbers.</summary>
    public readonly void Store(ArrayView<float> floats, long place)
    {
        int lane = Group.IdxX % GpuDevice.WarpThreads;
        if (lane < _k) Store(floats, place + lane, _first);
        if (lane + GpuDevice.WarpThreads < _k) Store(floats, place + lane + GpuDevice.WarpThreads, _second);
    }

    private readonly void Store(ArrayView<float> floats, long place, ulong key)
    {
        floats[place] = Value(key);
        floats[place + _k] = Column(key);
    }

    // Behind those that are larger; what is smaller moves on by one lane.
    private void Insert(ulong key)
    {
        int lane = Group.IdxX % GpuDevice.WarpThreads;
        ulong before = Warp.ShuffleUp(_first, 1);
        if (_k > GpuDevice.WarpThreads)
        {
            ulong beforeSecond = Warp.ShuffleUp(_second, 1), last = Warp.Shuffle(_first, GpuDevice.WarpThreads - 1);
            if (lane == 0) beforeSecond = last;
            if (_second < key) _second = beforeSecond > key ? key : beforeSecond;
        }

        if (_first < key) _first = lane == 0 || before > key ? key : before;
        _least = Warp.Shuffle(_k > GpuDevice.WarpThreads ? _second : _first, (_k - 1) % GpuDevice.WarpThreads);
    }
}
