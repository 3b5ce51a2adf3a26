using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quern.Kernels.Gpu.Graphs;

/// <summary>A kernel that can be launched from a list.</summary>
internal interface IListedKernel
{
    /// <summary>Launches with arguments that <see cref="LaunchList.Add"/> took as bytes.</summary>
    void Launch(in DeviceMemory memory, LaunchShape shape, ReadOnlySpan<byte> arguments);
}

/// <summary>The groups of a launch along x and y, and the threads of each.</summary>
internal readonly record struct LaunchShape(int Groups, int Rows, int Threads);

/// <summary>
/// Launches that were put off, in order: which kernels, of which shapes, with which arguments, as bytes. Two lists with the same bytes do the same to the card's memory, so the bytes are
/// the signature of a step. Adding allocates nothing while the capacities hold.
/// </summary>
internal sealed class LaunchList
{
    private readonly List<(IListedKernel Kernel, LaunchShape Shape, int Start, int Length)> _launches = [];
    private byte[] _bytes = new byte[1 << 16];
    private int _used;

    /// <summary>Number of launches.</summary>
    public int Count => _launches.Count;

    /// <summary>The arena that all launches get.</summary>
    public DeviceMemory Memory { get; private set; }

    /// <summary>The bytes of all arguments.</summary>
    private ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _used);

    /// <summary>Adds a launch.</summary>
    public void Add<T>(IListedKernel kernel, in DeviceMemory memory, LaunchShape shape, in T arguments)
        where T : unmanaged
    {
        int length = Unsafe.SizeOf<T>();
        if (_used + length > _bytes.Length) Array.Resize(ref _bytes, 2 * _bytes.Length);
        MemoryMarshal.Write(_bytes.AsSpan(_used), in arguments);
        foreach (int gap in Gaps<T>.Places) _bytes[_used + gap] = 0;
        _launches.Add((kernel, shape, _used, length));
        _used += length;
        Memory = memory;
    }

    /// <summary>The arguments of the last launch, if it is one of that kernel with so many rows of groups.</summary>
    public bool TryLast<T>(IListedKernel kernel, int rows, out T arguments, out int groups)
        where T : unmanaged
    {
        (arguments, groups) = (default, 0);
        if (_launches.Count == 0) return false;
        (IListedKernel last, LaunchShape shape, int start, _) = _launches[^1];
        if (!ReferenceEquals(last, kernel) || shape.Rows != rows) return false;
        (arguments, groups) = (MemoryMarshal.Read<T>(_bytes.AsSpan(start)), shape.Groups);
        return true;
    }

    /// <summary>Takes the last launch off.</summary>
    public void RemoveLast()
    {
        _used = _launches[^1].Start;
        _launches.RemoveAt(_launches.Count - 1);
    }

    /// <summary>Launches everything.</summary>
    public void Run()
    {
        for (int i = 0; i < _launches.Count; i++) Run(i);
    }

    /// <summary>Launches one of them.</summary>
    public void Run(int index)
    {
        (IListedKernel kernel, LaunchShape shape, int start, int length) = _launches[index];
        kernel.Launch(Memory, shape, _bytes.AsSpan(start, length));
    }

    /// <summary>Takes everything out.</summary>
    public void Clear()
    {
        _launches.Clear();
        _used = 0;
    }

    /// <summary>A number that equal lists share.</summary>
    public ulong Hash()
    {
        // FNV-1a over words. Source: Fowler, Noll and Vo, "The FNV non-cryptographic hash algorithm".
        ulong hash = 14695981039346656037;
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(Bytes)) hash = (hash ^ word) * 1099511628211;
        foreach ((IListedKernel kernel, LaunchShape shape, _, _) in _launches) hash = (hash ^ (uint)RuntimeHelpers.GetHashCode(kernel) ^ ((ulong)shape.Groups << 32) ^ (uint)shape.Rows) * 1099511628211;
        return hash;
    }

    /// <summary>Whether another list does the same.</summary>
    public bool IsSame(LaunchList other)
    {
        if (other.Count != Count || !other.Bytes.SequenceEqual(Bytes)) return false;
        for (int i = 0; i < Count; i++)
            if (!ReferenceEquals(_launches[i].Kernel, other._launches[i].Kernel) || _launches[i].Shape != other._launches[i].Shape) return false;
        return true;
    }

    /// <summary>A list of its own with the same launches.</summary>
    public LaunchList Copy()
    {
        LaunchList copy = new() { _bytes = Bytes.ToArray(), _used = _used, Memory = Memory };
        copy._launches.AddRange(_launches);
        return copy;
    }

    /// <summary>The bytes of a struct that no field has, which hold whatever was on the stack.</summary>
    private static class Gaps<T>
        where T : unmanaged
    {
        public static readonly int[] Places = Find();

        private static int[] Find()
        {
            bool[] isUsed = new bool[Unsafe.SizeOf<T>()];
            Mark(typeof(T), 0, isUsed);
            return [.. Enumerable.Range(0, isUsed.Length).Where(i => !isUsed[i])];
        }

        private static void Mark(Type type, int at, bool[] isUsed)
        {
            if (type.IsPrimitive || type.IsEnum)
            {
                isUsed.AsSpan(at, Marshal.SizeOf(type.IsEnum ? Enum.GetUnderlyingType(type) : type)).Fill(true);
                return;
            }

            foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
                Mark(field.FieldType, at + (int)Marshal.OffsetOf(type, field.Name), isUsed);
        }
    }
}
