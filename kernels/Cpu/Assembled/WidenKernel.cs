using System.Runtime.InteropServices;
using static Iced.Intel.AssemblerRegisters;
using static Quern.Kernels.Cpu.Assembled.KernelAssembler;

namespace Quern.Kernels.Cpu.Assembled;

/// <summary>
/// Assembles the widening of binary16 to binary32, sixteen values an instruction: <see cref="Float16.Widen"/>, for AVX-512. Infinities and NaN are kept.
/// Source: Intel 64 and IA-32 Software Developer's Manual, volume 2, VCVTPH2PS.
/// </summary>
internal static unsafe class WidenKernel
{
    private static readonly delegate* unmanaged<Arguments*, void> Kernel = (delegate* unmanaged<Arguments*, void>)ExecutableMemory.Keep(Write());

    /// <summary>Widens values.</summary>
    /// <param name="source">binary16 values.</param>
    /// <param name="count">How many; a multiple of 16.</param>
    /// <param name="target">Destination.</param>
    public static void Run(ushort* source, int count, float* target)
    {
        if (count == 0) return;
        Arguments arguments = new() { Source = source, Target = target, Vectors = count / 16 };
        Kernel(&arguments);
    }

    private static byte[] Write()
    {
        KernelAssembler kernel = new();
        kernel.Begin();
        kernel.Load(rax, 0);
        kernel.Load(rdx, 8);
        kernel.Load(rcx, 16);
        kernel.Repeat(rcx, () =>
        {
            kernel.Asm.vcvtph2ps(Z(0), __ymmword_ptr[rax]);
            kernel.Asm.vmovups(__zmmword_ptr[rdx], Z(0));
            kernel.Asm.add(rax, 32);
            kernel.Asm.add(rdx, 64);
        });
        kernel.End();
        return kernel.ToBytes();
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public ushort* Source;
        public float* Target;
        public long Vectors;
    }
}
