using Quern.Engine;
using Quern.Kernels.Cpu;
using Quern.Models;
using Quern.TestKit;
using Quern.TestKit.Oracle;

namespace Quern.Kernels.Gpu.Tests.Offload;

/// <summary>
/// Models divided after every layer, the oracle in place of the card: what the processor alone computes. The oracle's tensors are full of NaN until they are written, so that what did not cross is
/// seen. The same with the card's kernels, once for each kind of model.
/// </summary>
public sealed class DividedTests : DeviceTests
{
    private static readonly ModelOptions Options = new() { Exact = true, Threads = 1, ContextLength = 64, BatchTokens = 32, KvType = KvType.F32 };

    public static TheoryData<string, int> Models => new()
    {
        { "bert-cls", 2 }, { "bert-mean", 2 }, { "nomic-bert", 2 }, { "jina-bert-v2", 2 }, { "t5-gated", 4 }, { "t5-relu", 4 }, { "mix-t5-q4_1", 2 }, { "llama", 2 }, { "llama-tied", 2 }, { "rwkv6", 2 }, { "gemma2", 3 },
    };

    public static TheoryData<string, int> OnCard => DeviceUnderTest.IsSimulated
        ? new() { { "bert-cls", 1 }, { "t5-relu", 1 } }
        : new() { { "bert-cls", 1 }, { "nomic-bert", 1 }, { "jina-bert-v2", 1 }, { "t5-relu", 1 }, { "t5-relu", 2 }, { "t5-gated", 3 }, { "mix-t5-q4_1", 1 }, { "bert-mean", GpuComputeDevice.All }, { "t5-gated", GpuComputeDevice.All } };

    [SharedTheory]
    [MemberData(nameof(Models))]
    public void DividedAfterEveryLayer(string name, int layers)
    {
        float[] expected = Compute(name, null, isBrief: false);
        for (int first = 1; first < layers; first++)
        {
            OracleInPlaceOfACard device = new(first);
            AssertClose(expected, Compute(name, device, isBrief: false), $"{name} from layer {first} on");
            Assert.Equal(layers, device.Layers);
        }
    }

    [SharedTheory]
    [MemberData(nameof(OnCard))]
    public void DividedBetweenProcessorAndCard(string name, int layers) =>
        AssertClose(Compute(name, null, DeviceUnderTest.IsSimulated), Compute(name, Devices.Compute(layers), DeviceUnderTest.IsSimulated), name);

    /// <summary>Vectors of a text, or logits behind a text and one token, and behind another one; in brief not all of that where there is both.</summary>
    private static float[] Compute(string name, ComputeDevice? device, bool isBrief)
    {
        using QuernModel model = QuernModel.Load(SharedData.Path("golden", name, "model.gguf"), Options with { Device = device });
        List<float> values = [];
        if (model.Task == ModelTask.Encoder || (model.Task == ModelTask.EncoderDecoder && !isBrief))
        {
            using Embedder embedder = model.CreateEmbedder(new EmbeddingOptions { Pooling = Pooling.Mean, Normalize = false });
            values.AddRange(embedder.Embed([[5, 9]])[0]);
        }

        if (model.Task == ModelTask.Encoder) return [.. values];
        using Session session = model.CreateSession();
        if (model.Task == ModelTask.EncoderDecoder) session.Read([5, 9]);
        values.AddRange(session.Evaluate([model.Config.DecoderStart ?? 7]));
        if (!isBrief) values.AddRange(session.Evaluate([8]));
        return [.. values];
    }

    private static void AssertClose(float[] expected, float[] found, string what)
    {
        Assert.Equal(expected.Length, found.Length);
        double rms = Math.Sqrt(expected.Average(value => (double)value * value)), worst = expected.Zip(found).Max(pair => float.IsFinite(pair.Second) ? Math.Abs((double)pair.First - pair.Second) : double.PositiveInfinity);
        Assert.True(worst <= 2e-4 * rms, $"{what}: {worst:g3} from the processor's, whose root mean square is {rms:g3}");
    }

    private sealed class OracleInPlaceOfACard(int first) : ComputeDevice
    {
        public int Layers { get; private set; }

        public override Backend CreateBackend(BackendRequest request, Backend processor)
        {
            Layers = request.Layers;
            return new OffloadBackend(processor, new OracleBackend(), first, LayerNames.Of(request.Tensors));
        }
    }
}
