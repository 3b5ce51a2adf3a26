using System.Globalization;
using System.Text.RegularExpressions;

namespace Quern.Kernels.Gpu.Tests.Machine;

/// <summary>What an operand is.</summary>
internal enum OperandKind
{
    Register,
    Number,
    Special,
    Address,
    Vector,
    Label,
}

/// <summary>An operand: a register by number, bits, a special register by name, an address (register or −1, and an offset), or several of them in braces.</summary>
internal sealed record Operand(OperandKind Kind, int Register = -1, ulong Bits = 0, string Name = "", Operand[]? Parts = null);

/// <summary>An instruction, its name taken apart at the points.</summary>
internal sealed record Instruction(string[] Name, Operand[] Operands, int Guard, bool GuardNegated, string Text)
{
    public string Head => Name[0];

    /// <summary>Its last type.</summary>
    public string Type { get; } = Name.LastOrDefault(PtxProgram.IsType) ?? "";

    /// <summary>Where a branch goes.</summary>
    public int Target { get; set; } = -1;
}

/// <summary>The PTX of one kernel, read. Source: NVIDIA, "Parallel Thread Execution ISA" 8.4, chapters 4 and 5.</summary>
internal sealed partial class PtxProgram
{
    /// <summary>What a group may ask for at launch on a Hopper card.</summary>
    private const int MostShared = 227 << 10;

    private static readonly char[] Between = ['{', '}', ' ', '\n', '\r', '\t'];
    private readonly Dictionary<string, int> _registers = [];
    private readonly Dictionary<string, ulong> _shared = [];
    private readonly List<string> _parameters = [];
    private readonly Dictionary<string, int> _labels = [];

    public PtxProgram(string ptx)
    {
        int begin = ptx.IndexOf(".entry", StringComparison.Ordinal), body = ptx.IndexOf('{', begin);
        foreach (Match match in Parameter().Matches(ptx[begin..body])) _parameters.Add(match.Groups[1].Value);
        foreach (Match match in LargeVariable().Matches(ptx[..begin])) (_shared[match.Groups[1].Value], SharedBytes) = (0, MostShared);
        string text = Comment().Replace(ptx[(body + 1)..ptx.LastIndexOf('}')], "");
        List<Instruction> instructions = [];
        foreach (string part in text.Split(';'))
        {
            string statement = part.TrimStart(Between).TrimEnd();
            for (Match label = Label().Match(statement); label.Success; label = Label().Match(statement))
            {
                _labels[label.Groups[1].Value] = instructions.Count;
                statement = statement[label.Length..].TrimStart(Between);
            }

            if (statement.Length == 0 || statement.StartsWith(".reg", StringComparison.Ordinal) || statement.StartsWith(".pragma", StringComparison.Ordinal)) continue;
            if (SharedVariable().Match(statement) is { Success: true } shared) Reserve(shared);
            else if (statement[0] == '.') Assert.Fail("not known to the machine: " + statement);
            else instructions.Add(Read(statement));
        }

        Instructions = [.. instructions];
        foreach (Instruction instruction in Instructions)
            if (instruction.Head == "bra") instruction.Target = _labels[instruction.Operands[0].Name];
    }

    public Instruction[] Instructions { get; }

    public int RegisterCount => _registers.Count;

    public int SharedBytes { get; private set; }

    public static bool IsType(string name) => TypeName().IsMatch(name);

    private void Reserve(Match shared)
    {
        int alignment = int.Parse(shared.Groups[1].Value, CultureInfo.InvariantCulture);
        SharedBytes = (SharedBytes + alignment - 1) / alignment * alignment;
        _shared[shared.Groups[2].Value] = (ulong)SharedBytes;
        SharedBytes += int.Parse(shared.Groups[3].Value, CultureInfo.InvariantCulture);
    }

    private Instruction Read(string statement)
    {
        int guard = -1;
        bool negated = false;
        if (statement[0] == '@')
        {
            string name = statement[1..statement.IndexOfAny([' ', '\t'])];
            negated = name[0] == '!';
            guard = Register(name.TrimStart('!'));
            statement = statement[(name.Length + 1)..].Trim();
        }

        int space = statement.IndexOfAny([' ', '\t']);
        string head = space < 0 ? statement : statement[..space], rest = space < 0 ? "" : statement[space..];
        return new Instruction(head.Split('.'), [.. Split(rest).Select(ReadOperand)], guard, negated, statement);
    }

    private static IEnumerable<string> Split(string text)
    {
        int depth = 0, begin = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] is '{' or '[') depth++;
            else if (i < text.Length && text[i] is '}' or ']') depth--;
            else if (i == text.Length || (text[i] == ',' && depth == 0))
            {
                if (text[begin..i].Trim() is { Length: > 0 } part) yield return part;
                begin = i + 1;
            }
        }
    }

    private Operand ReadOperand(string text)
    {
        if (text[0] == '{') return new Operand(OperandKind.Vector, Parts: [.. Split(text[1..^1]).Select(ReadOperand)]);
        if (text[0] == '[')
        {
            string[] sum = text[1..^1].Trim().Split('+');
            ulong offset = sum.Length > 1 ? ulong.Parse(sum[1].Trim(), CultureInfo.InvariantCulture) : 0;
            string place = sum[0].Trim();
            if (_parameters.IndexOf(place) is >= 0 and int index) return new Operand(OperandKind.Address, -2 - index, offset);
            return _shared.TryGetValue(place, out ulong variable) ? new Operand(OperandKind.Address, -1, variable + offset) : new Operand(OperandKind.Address, Register(place), offset);
        }

        if (text.StartsWith("0f", StringComparison.Ordinal)) return new Operand(OperandKind.Number, Bits: uint.Parse(text[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        if (text.StartsWith("0d", StringComparison.Ordinal)) return new Operand(OperandKind.Number, Bits: ulong.Parse(text[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        if (char.IsAsciiDigit(text[0]) || text[0] == '-')
            return new Operand(OperandKind.Number, Bits: text[0] == '-' ? (ulong)long.Parse(text, CultureInfo.InvariantCulture) : ulong.Parse(text, CultureInfo.InvariantCulture));
        if (_shared.TryGetValue(text, out ulong address)) return new Operand(OperandKind.Number, Bits: address);
        if (text[0] == '%' && text.Contains('.')) return new Operand(OperandKind.Special, Name: text);
        return text.StartsWith("L_", StringComparison.Ordinal) ? new Operand(OperandKind.Label, Name: text) : new Operand(OperandKind.Register, Register(text));
    }

    private int Register(string name)
    {
        if (!_registers.TryGetValue(name, out int index)) _registers[name] = index = _registers.Count;
        return index;
    }

    [GeneratedRegex(@"\.param[^,\n]*?\s(\w+)(?:\[\d+\])?\s*(?:,|\n|\))")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"//[^\n]*")]
    private static partial Regex Comment();

    [GeneratedRegex(@"^(\w+):")]
    private static partial Regex Label();

    [GeneratedRegex(@"^\.shared \.align (\d+) \.b8 (\w+)\[(\d+)\]$")]
    private static partial Regex SharedVariable();

    [GeneratedRegex(@"\.extern \.shared \.align \d+ \.b8 (\w+)\[\];")]
    private static partial Regex LargeVariable();

    [GeneratedRegex(@"^([busf](8|16|32|64)|bf16|bf16x2|f16x2|pred)$")]
    private static partial Regex TypeName();
}
