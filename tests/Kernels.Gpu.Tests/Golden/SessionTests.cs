using Quern.Engine;
using Quern.TestKit;

namespace Quern.Kernels.Gpu.Tests.Golden;

/// <summary>Saved sessions hold pages in the form of the device that computed them.</summary>
public sealed class SessionTests : DeviceTests
{
    [SharedFact]
    public void ASessionOfTheProcessorIsNotTakenByACard()
    {
        string path = SharedData.Path("golden", "llama", "model.gguf"), file = Path.Combine(Path.GetTempPath(), $"quern-{Guid.NewGuid():N}.session");
        ModelOptions options = new() { Threads = 1, ContextLength = 64, BatchTokens = 8 };
        try
        {
            using QuernModel processor = QuernModel.Load(path, options);
            using (Session session = processor.CreateSession())
            {
                session.Evaluate([1, 2, 3]);
                session.Save(file);
            }

            using QuernModel card = QuernModel.Load(path, options with { Device = Devices.Compute() });
            Assert.Contains("on another device", Assert.Throws<InvalidDataException>(() => card.RestoreSession(file)).Message, StringComparison.Ordinal);
            using Session same = processor.RestoreSession(file);
            Assert.Equal([1, 2, 3], same.Tokens.ToArray());
        }
        finally
        {
            File.Delete(file);
        }
    }
}
