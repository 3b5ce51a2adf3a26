using System.Numerics;
using Quern.Kernels.Cpu;

namespace Quern.Kernels.Gpu.Tests.Machine;

/// <summary>Instructions of a thread on its own. Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, section 9.7.</summary>
internal sealed unsafe partial class PtxMachine
{
    private void RunAlone(MachineThread thread, Instruction i)
    {
        // Until it has waited for the kernels before, a kernel may only read what none writes.
        Assert.True(thread.HasWaited || i.Head is not ("ld" or "st" or "atom" or "red") || !i.Name.Contains("global") || i.Name.Contains("nc"), $"before griddepcontrol.wait: {i.Text}");
        switch (i.Head)
        {
            case "ld" or "st":
                Move(thread, i);
                break;
            case "cp":
                Copy(thread, i);
                break;
            case "atom":
                int* counter = (int*)At(thread, i.Operands[1], i.Name.Contains("shared"), 4);
                Set(thread, i.Operands[0], (uint)*counter, 32);
                *counter += i.Name.Contains("add") ? (int)Value(thread, i.Operands[2]) : throw new NotSupportedException(i.Text);
                break;
            case "red":
                *(int*)At(thread, i.Operands[0], i.Name.Contains("shared"), 4) += i.Name.Contains("add") ? (int)Value(thread, i.Operands[1]) : throw new NotSupportedException(i.Text);
                break;
            case "membar" or "fence":
                break;
            case "griddepcontrol":
                thread.HasWaited |= i.Name.Contains("wait");
                break;
            case "prefetch":
                At(thread, i.Operands[0], false, 1);
                break;
            case "cvta":
                Set(thread, i.Operands[0], Value(thread, i.Operands[1]), 64);
                break;
            case "mov":
                if (i.Operands[1].Kind == OperandKind.Vector) Set(thread, i.Operands[0], (uint)Value(thread, i.Operands[1].Parts![0]) | (Value(thread, i.Operands[1].Parts![1]) << 32), 64);
                else Set(thread, i.Operands[0], Value(thread, i.Operands[1]), Bits(i.Type));
                break;
            case "setp":
                Set(thread, i.Operands[0], Compare(i.Name[1], i.Type, Value(thread, i.Operands[1]), Value(thread, i.Operands[2])) ? 1UL : 0, 1);
                break;
            case "selp":
                Set(thread, i.Operands[0], Value(thread, i.Operands[Value(thread, i.Operands[3]) != 0 ? 1 : 2]), Bits(i.Type));
                break;
            case "cvt":
                Set(thread, i.Operands[0], Convert(thread, i), 64);
                break;
            default:
                ulong a = Value(thread, i.Operands[1]), b = i.Operands.Length > 2 ? Value(thread, i.Operands[2]) : 0, c = i.Operands.Length > 3 ? Value(thread, i.Operands[3]) : 0;
                ulong result = i.Type switch
                {
                    "f32" => BitConverter.SingleToUInt32Bits(Float(i, Single(a), Single(b), Single(c))),
                    "f16x2" => Half(i, a, b, c) | (Half(i, a >> 16, b >> 16, c >> 16) << 16),
                    _ => Whole(i, a, b, c),
                };
                Set(thread, i.Operands[0], result, i.Name.Contains("wide") ? 64 : Bits(i.Type));
                break;
        }
    }

    private void Copy(MachineThread thread, Instruction i)
    {
        if (i.Name[^1] == "commit_group")
        {
            thread.Copies.Add([]);
            return;
        }

        if (i.Name[^1] is "wait_group" or "wait_all")
        {
            // The open batch is none of those that a wait may leave.
            int left = i.Name[^1] == "wait_all" ? 0 : (int)i.Operands[0].Bits + 1;
            while (thread.Copies.Count > left)
            {
                foreach ((nint source, nint target) in thread.Copies[0]) Buffer.MemoryCopy((void*)source, (void*)target, 16, 16);
                thread.Copies.RemoveAt(0);
            }

            if (left == 0) thread.Copies.Add([]);
            return;
        }

        byte* from = At(thread, i.Operands[1], false, 16), to = At(thread, i.Operands[0], true, 16);
        Assert.True(thread.HasWaited || AreWeights(from, 16), $"before griddepcontrol.wait: {i.Text}");
        if (_copies++ % 2 == 0) Buffer.MemoryCopy(from, to, 16, 16);
        else thread.Copies[^1].Add(((nint)from, (nint)to));
    }

    private bool AreWeights(byte* place, int bytes) => (ulong)place >= _weights.Start && (ulong)place + (ulong)bytes <= _weights.End;

    private void Move(MachineThread thread, Instruction i)
    {
        bool isLoad = i.Head == "ld";
        Operand address = i.Operands[isLoad ? 0 + 1 : 0], values = i.Operands[isLoad ? 0 : 1];
        Operand[] parts = values.Parts ?? [values];
        int bytes = Bits(i.Type) / 8;
        byte* place = At(thread, address, i.Name.Contains("shared"), bytes * parts.Length);
        if (i.Name.Contains("nc")) Assert.True(AreWeights(place, bytes * parts.Length), $"not of weights: {i.Text}");
        for (int p = 0; p < parts.Length; p++, place += bytes)
        {
            if (!isLoad)
            {
                ulong value = Value(thread, parts[p]);
                new ReadOnlySpan<byte>(&value, bytes).CopyTo(new Span<byte>(place, bytes));
                continue;
            }

            ulong loaded = 0;
            new ReadOnlySpan<byte>(place, bytes).CopyTo(new Span<byte>(&loaded, 8));
            Set(thread, parts[p], i.Type[0] == 's' ? (ulong)Signed(loaded, i.Type) : loaded, 64);
        }
    }

    private static void Set(MachineThread thread, Operand target, ulong value, int bits) =>
        thread.Registers[target.Register] = bits switch { 64 => value, 32 => (uint)value, 16 => (ushort)value, 8 => (byte)value, _ => value & 1 };

    private static int Bits(string type) => type switch { "pred" => 1, "bf16x2" or "f16x2" => 32, _ => int.Parse(type.AsSpan(type.AsSpan().IndexOfAnyInRange('0', '9')), System.Globalization.CultureInfo.InvariantCulture) };

    private static float Single(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    private static long Signed(ulong bits, string type) => Bits(type) switch { 64 => (long)bits, 32 => (int)bits, 16 => (short)bits, _ => (sbyte)bits };

    private static ulong Unsigned(ulong bits, string type) => Bits(type) switch { 64 => bits, 32 => (uint)bits, 16 => (ushort)bits, _ => (byte)bits };

    private static bool Compare(string relation, string type, ulong a, ulong b)
    {
        if (type == "f32")
        {
            (float x, float y) = (Single(a), Single(b));
            return relation switch
            {
                "lt" => x < y,
                "le" => x <= y,
                "gt" => x > y,
                "ge" => x >= y,
                "eq" => x == y,
                "ne" => x < y || x > y,
                "ltu" => !(x >= y),
                "leu" => !(x > y),
                "gtu" => !(x <= y),
                "geu" => !(x < y),
                "neu" => x != y,
                "equ" => !(x < y || x > y),
                _ => throw new NotSupportedException(relation),
            };
        }

        int order = type[0] == 's' ? Signed(a, type).CompareTo(Signed(b, type)) : Unsigned(a, type).CompareTo(Unsigned(b, type));
        return relation switch { "lt" or "lo" => order < 0, "le" or "ls" => order <= 0, "gt" or "hi" => order > 0, "ge" or "hs" => order >= 0, "eq" => order == 0, _ => order != 0 };
    }

    private static float Float(Instruction i, float a, float b, float c) => i.Head switch
    {
        "add" => a + b,
        "sub" => a - b,
        "mul" => a * b,
        "div" => a / b,
        "fma" or "mad" => (a * b) + c,
        "neg" => -a,
        "abs" => MathF.Abs(a),
        "max" => MathF.Max(a, b),
        "min" => MathF.Min(a, b),
        "rcp" => 1 / a,
        "sqrt" => MathF.Sqrt(a),
        "rsqrt" => 1 / MathF.Sqrt(a),
        "ex2" => MathF.Pow(2, a),
        "lg2" => MathF.Log2(a),
        "sin" => MathF.Sin(a),
        "cos" => MathF.Cos(a),
        _ => throw new NotSupportedException(i.Text),
    };

    private static ulong Half(Instruction i, ulong a, ulong b, ulong c) => Float16.FromSingle(Float(i, Float16.ToSingle((ushort)a), Float16.ToSingle((ushort)b), Float16.ToSingle((ushort)c)));

    private static ulong Whole(Instruction i, ulong a, ulong b, ulong c)
    {
        bool isSigned = i.Type[0] == 's', isWide = i.Name.Contains("wide");
        int bits = i.Type == "pred" ? 1 : Bits(i.Type), shift = (int)Math.Min((uint)b, 64u);
        (long x, long y) = bits == 1 ? ((long)a, (long)b) : isSigned ? (Signed(a, i.Type), Signed(b, i.Type)) : ((long)Unsigned(a, i.Type), (long)Unsigned(b, i.Type));
        return i.Head switch
        {
            "add" => a + b,
            "sub" => a - b,
            "neg" => 0 - a,
            "and" => a & b,
            "or" => a | b,
            "xor" => a ^ b,
            "not" => ~a,
            "mul" => i.Name.Contains("hi") ? (ulong)((BigInteger)x * y >> bits & ulong.MaxValue) : (ulong)(x * y),
            "mad" => (ulong)(x * y) + c,
            "div" => isSigned ? (ulong)(x / y) : (ulong)x / (ulong)y,
            "rem" => isSigned ? (ulong)(x % y) : (ulong)x % (ulong)y,
            "min" => isSigned ? (ulong)Math.Min(x, y) : Math.Min((ulong)x, (ulong)y),
            "max" => isSigned ? (ulong)Math.Max(x, y) : Math.Max((ulong)x, (ulong)y),
            "abs" => (ulong)Math.Abs(x),
            "shl" => shift >= bits ? 0 : a << shift,
            "shr" => isSigned ? (ulong)(x >> Math.Min(shift, 63)) : shift >= bits ? 0 : (ulong)x >> shift,
            "popc" => (ulong)BitOperations.PopCount(Unsigned(a, i.Type)),
            "clz" => (ulong)(BitOperations.LeadingZeroCount(Unsigned(a, i.Type)) - 64 + bits),
            "brev" => Reversed(Unsigned(a, i.Type), bits),
            "prmt" => Pick((uint)a, (uint)b, (uint)c),
            "dp4a" => (ulong)ByteProducts(i.Name.Contains("u32"), (uint)a, (uint)b, (int)c),
            _ => throw new NotSupportedException($"{i.Text} ({isWide})"),
        };
    }

    private static ulong Reversed(ulong value, int bits)
    {
        ulong reversed = 0;
        for (int i = 0; i < bits; i++) reversed |= ((value >> i) & 1) << (bits - 1 - i);
        return reversed;
    }

    private static uint Pick(uint a, uint b, uint selector)
    {
        ulong both = a | ((ulong)b << 32);
        uint picked = 0;
        for (int i = 0; i < 4; i++) picked |= ((uint)(both >> (int)(((selector >> (4 * i)) & 7) * 8)) & 255) << (8 * i);
        return picked;
    }

    private static int ByteProducts(bool isUnsigned, uint a, uint b, int sum)
    {
        for (int i = 0; i < 32; i += 8) sum += (isUnsigned ? (byte)(a >> i) : (sbyte)(a >> i)) * (sbyte)(b >> i);
        return sum;
    }

    private ulong Convert(MachineThread thread, Instruction i)
    {
        string from = i.Type, to = i.Name.First(PtxProgram.IsType);
        ulong a = Value(thread, i.Operands[1]);
        if (from == "f32" && to is "bf16x2" or "f16x2")
        {
            float high = Single(a), low = Single(Value(thread, i.Operands[2]));
            return to == "f16x2" ? Float16.FromSingle(low) | ((uint)Float16.FromSingle(high) << 16) : Brain(low) | (Brain(high) << 16);
        }

        double number = from switch { "f32" => Single(a), "f16" => Float16.ToSingle((ushort)a), "f64" => BitConverter.UInt64BitsToDouble(a), _ => from[0] == 's' ? Signed(a, from) : Unsigned(a, from) };
        if (to == "f32") return BitConverter.SingleToUInt32Bits((float)number);
        if (to == "f16") return Float16.FromSingle(Single(a));
        if (to == "f64") return BitConverter.DoubleToUInt64Bits(number);
        if (from[0] == 'f') return (ulong)(long)(i.Name.Contains("rni") ? Math.Round(number) : i.Name.Contains("rmi") ? Math.Floor(number) : Math.Truncate(number)) & Mask(to);
        return (from[0] == 's' ? (ulong)Signed(a, from) : Unsigned(a, from)) & Mask(to);
    }

    private static ulong Mask(string type) => Bits(type) == 64 ? ulong.MaxValue : (1UL << Bits(type)) - 1;

    private static uint Brain(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    }
}
