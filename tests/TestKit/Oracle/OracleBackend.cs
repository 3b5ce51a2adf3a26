using System.Runtime.InteropServices;
using Quern.Kernels.Cpu;
using Quern.Kernels.Cpu.Formats;

namespace Quern.TestKit.Oracle;

/// <summary>
/// The operations as their formulas say, in double precision, one value after the other, rounded to binary32 where an operation stores its
/// result. Never made faster: everything else is compared with it. Tensors are taken full of NaN, so that a value nobody wrote is seen.
/// </summary>
public sealed unsafe partial class OracleBackend : Backend
{
    private readonly List<OracleTensorBuffer> _tensors = [];
    private readonly List<nint> _vectors = [];

    public override string Description => "oracle, double precision";

    public override ComputeMode Mode => ComputeMode.Exact;

    public override WeightMatrix BindMatrix(string name, WeightFormat format, int count, int rows, int cols, nint address, MatrixUse use = MatrixUse.Product) =>
        new(name, format, count, rows, cols, address);

    public override WeightVector BindVector(string name, WeightFormat format, int length, nint address)
    {
        float* values = (float*)NativeMemory.AlignedAlloc((nuint)length * sizeof(float), 64);
        _vectors.Add((nint)values);
        format.DecodeScalar((byte*)address, length / format.Info.BlockLength, values);
        return new WeightVector(name, length, (nint)values);
    }

    public override KvCache CreateKvCache(KvLayout layout) => new OracleKvCache(layout);

    public override TensorBuffer Allocate(int rows, int cols) => new OracleTensorBuffer(rows, cols);

    public override void BeginPass()
    {
        foreach (OracleTensorBuffer tensor in _tensors) tensor.Dispose();
        _tensors.Clear();
    }

    public override Tensor Take(int rows, int cols)
    {
        _tensors.Add(new OracleTensorBuffer(rows, cols));
        return _tensors[^1].Tensor;
    }

    public override void Embed(WeightMatrix table, ReadOnlySpan<int> tokens, Tensor y)
    {
        for (int i = 0; i < tokens.Length; i++) Decode(table, 0, tokens[i]).CopyTo(y.Row(i));
    }

    public override void MatMul(Tensor x, ReadOnlySpan<Product> products)
    {
        foreach (Product product in products) Multiply(x, product.Weights, product.Bias, product.Y);
    }

    private static void Multiply(Tensor x, WeightMatrix weights, WeightVector? bias, Tensor y)
    {
        for (int row = 0; row < weights.Rows; row++)
        {
            float[] w = Decode(weights, 0, row);
            for (int i = 0; i < x.Rows; i++) y.Row(i)[row] = (float)(Dot(x.Row(i), w) + (bias is null ? 0 : bias.AsSpan()[row]));
        }
    }

    /// <summary>Whether it says that results lie elsewhere, so that an engine asks for the largest logits.</summary>
    public bool IsElsewhere { get; init; }

    public override bool SelectsLargest => IsElsewhere;

    public override void Largest(Tensor x, int k, Tensor y)
    {
        for (int i = 0; i < x.Rows; i++)
        {
            float[] row = x.Row(i).ToArray();
            int[] order = [.. Enumerable.Range(0, row.Length).OrderByDescending(j => float.IsNaN(row[j])).ThenByDescending(j => row[j]).ThenBy(j => j).Take(k)];
            y.Row(i)[0] = (float)row.Sum(value => Math.Exp((double)value - row[order[0]]));
            for (int j = 0; j < k; j++) (y.Row(i)[1 + j], y.Row(i)[1 + k + j]) = (row[order[j]] + 0f, order[j]);
        }
    }

    public override void RmsNorm(Tensor x, WeightVector gain, float epsilon, Tensor y)
    {
        for (int i = 0; i < x.Rows; i++)
        {
            for (int first = 0; first < x.Cols; first += gain.Length)
            {
                Span<float> source = x.Row(i).Slice(first, gain.Length);
                double root = Math.Sqrt((Dot(source, source) / gain.Length) + epsilon);
                for (int j = 0; j < gain.Length; j++) y.Row(i)[first + j] = (float)(source[j] / root * gain.AsSpan()[j]);
            }
        }
    }

    public override void LayerNorm(Tensor x, int length, WeightVector? gain, WeightVector? bias, float epsilon, Tensor y)
    {
        for (int i = 0; i < x.Rows; i++)
        {
            for (int first = 0; first < x.Cols; first += length)
            {
                double[] source = [.. x.Row(i).Slice(first, length).ToArray().Select(value => (double)value)];
                double mean = source.Average();
                double root = Math.Sqrt(source.Average(value => (value - mean) * (value - mean)) + epsilon);
                for (int j = 0; j < length; j++)
                {
                    double g = gain is null ? 1 : gain.AsSpan()[(first + j) % gain.Length], b = bias is null ? 0 : bias.AsSpan()[(first + j) % bias.Length];
                    y.Row(i)[first + j] = (float)(((source[j] - mean) / root * g) + b);
                }
            }
        }
    }

    public override void RopeAngles(RopeTable table, ReadOnlySpan<int> positions, Tensor angles)
    {
        for (int i = 0; i < positions.Length; i++)
        {
            for (int pair = 0; pair < table.Pairs; pair++)
            {
                double angle = (double)positions[i] * table.Frequencies[pair];
                angles.Row(i)[pair] = (float)(Math.Cos(angle) * table.Magnitude);
                angles.Row(i)[table.Pairs + pair] = (float)(Math.Sin(angle) * table.Magnitude);
            }
        }
    }

    public override void Rope(Tensor x, int headLength, Tensor angles, RopePairing pairing)
    {
        int pairs = angles.Cols / 2;
        for (int i = 0; i < x.Rows; i++)
        {
            for (int head = 0; head < x.Cols; head += headLength)
            {
                for (int pair = 0; pair < pairs; pair++)
                {
                    int first = head + (pairing == RopePairing.Interleaved ? 2 * pair : pair);
                    int second = pairing == RopePairing.Interleaved ? first + 1 : first + pairs;
                    double cos = angles.Row(i)[pair], sin = angles.Row(i)[pairs + pair];
                    double a = x.Row(i)[first], b = x.Row(i)[second];
                    x.Row(i)[first] = (float)((a * cos) - (b * sin));
                    x.Row(i)[second] = (float)((a * sin) + (b * cos));
                }
            }
        }
    }

    public override void Gate(Tensor gate, Tensor up, Activation activation, Tensor y)
    {
        for (int i = 0; i < gate.Rows; i++)
        {
            for (int j = 0; j < gate.Cols; j++)
            {
                double other = activation == Activation.ClampedSwish ? Math.Clamp(up.Row(i)[j], -7, 7) + 1.0 : up.Row(i)[j];
                y.Row(i)[j] = (float)(Activated(gate.Row(i)[j], activation) * other);
            }
        }
    }

    public override void Activate(Tensor x, Activation activation, Tensor y)
    {
        for (int i = 0; i < x.Rows; i++)
            for (int j = 0; j < x.Cols; j++) y.Row(i)[j] = (float)Activated(x.Row(i)[j], activation);
    }

    private static double Activated(double x, Activation activation) => activation switch
    {
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.Gelu => x / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        Activation.Relu => Math.Max(x, 0),
        Activation.ReluSquared => x > 0 ? x * x : 0,
        Activation.ClampedSwish => Math.Min(x, 7) / (1 + Math.Exp(-1.702 * Math.Min(x, 7))),
        Activation.Sigmoid => 1 / (1 + Math.Exp(-x)),
        Activation.Tanh => Math.Tanh(x),
        Activation.Softplus => x > 30 ? x : Math.Log(1 + Math.Exp(x)),
        Activation.Decay => Math.Exp(-Math.Exp(x)),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "no such activation"),
    };

    public override void GateRows(Tensor x, Tensor gate, Tensor y)
    {
        for (int i = 0; i < x.Rows; i++)
            for (int j = 0; j < x.Cols; j++) y.Row(i)[j] = (float)(x.Row(i)[j] / (1 + Math.Exp(-gate.Row(i)[0])));
    }

    public override void Add(Tensor a, Tensor b, Tensor y)
    {
        for (int i = 0; i < a.Rows; i++)
            for (int j = 0; j < a.Cols; j++) y.Row(i)[j] = a.Row(i)[j] + b.Row(i)[j];
    }

    public override void AddBias(Tensor x, WeightVector bias, Tensor y)
    {
        for (int i = 0; i < x.Rows; i++)
            for (int j = 0; j < x.Cols; j++) y.Row(i)[j] = x.Row(i)[j] + bias.AsSpan()[j];
    }

    public override void Scale(Tensor x, float factor)
    {
        for (int i = 0; i < x.Rows; i++)
            for (int j = 0; j < x.Cols; j++) x.Row(i)[j] *= factor;
    }

    public override void Clamp(Tensor x, float limit)
    {
        for (int i = 0; i < x.Rows; i++)
            for (int j = 0; j < x.Cols; j++) x.Row(i)[j] = Math.Clamp(x.Row(i)[j], -limit, limit);
    }

    public override void SoftCap(Tensor x, float cap)
    {
        for (int i = 0; i < x.Rows; i++)
            for (int j = 0; j < x.Cols; j++) x.Row(i)[j] = (float)(cap * Math.Tanh(x.Row(i)[j] / (double)cap));
    }

    public override void CopyHeads(Tensor x, int apart, int heads, int length, Tensor y, int apartInY)
    {
        for (int i = 0; i < x.Rows; i++)
            for (int head = 0; head < heads; head++) x.Row(i).Slice(head * apart, length).CopyTo(y.Row(i)[(head * apartInY)..]);
    }

    public override void MatMulHeads(Tensor x, int apart, WeightMatrix weights, Tensor y, int apartInY)
    {
        for (int head = 0; head < weights.Count; head++)
        {
            for (int row = 0; row < weights.Rows; row++)
            {
                float[] w = Decode(weights, head, row);
                for (int i = 0; i < x.Rows; i++) y.Row(i)[(head * apartInY) + row] = (float)Dot(x.Row(i).Slice(head * apart, weights.Cols), w);
            }
        }
    }

    public override void GatherRows(Tensor x, ReadOnlySpan<int> rows, Tensor y)
    {
        for (int i = 0; i < rows.Length; i++) x.Row(rows[i]).CopyTo(y.Row(i));
    }

    protected override void Dispose(bool disposing)
    {
        BeginPass();
        foreach (nint vector in _vectors) NativeMemory.AlignedFree((void*)vector);
        _vectors.Clear();
    }

    private static float[] Decode(WeightMatrix weights, int matrix, int row)
    {
        float[] values = new float[weights.Cols];
        fixed (float* destination = values)
            weights.Format.DecodeScalar((byte*)(weights.Matrix(matrix) + (nint)(row * weights.RowBytes)), weights.Cols / weights.Format.Info.BlockLength, destination);
        return values;
    }

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += (double)a[i] * b[i];
        return sum;
    }
}
