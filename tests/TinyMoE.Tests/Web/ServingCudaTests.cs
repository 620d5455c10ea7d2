using System.Text.Json;
using TinyMoE.App;
using TinyMoE.Generate;
using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Cuda;

namespace TinyMoE.Tests.Web;

/// <summary>Serving on a CUDA device: it is opened, used and closed by the thread that steps.</summary>
[Collection(CudaCollection.Name)]
public sealed class ServingCudaTests(ServedRun served) : IClassFixture<ServedRun>
{
    [Fact]
    public async Task Texts_AreThoseOfGenerate_OnTheSameDevice()
    {
        if (!TestDevice.IsEmulated)
            return;
        Emulator.Configure("");
        ServingRequest request = new(served.Run) { Slots = 2, Device = new DeviceChoice(Card: 0) };
        string[] written = new string[3];
        using (Serving serving = Serving.Open(request))
        {
            TextRequest text = new() { Prompt = serving.Encode("the cat"), Tokens = 6 };
            using ServedTexts texts = serving.Start(
                [.. Enumerable.Range(0, 3).Select(i => text with { Sampling = new SamplingOptions { Seed = (ulong)i } })], inPieces: false);
            await foreach (TextPiece piece in texts.ReadAsync(ServedRun.Stop))
                written[piece.Index] = piece.Text;
        }

        for (int i = 0; i < 3; i++)
        {
            CommandLine alone = CommandLine.Run(
                "generate", "--run", served.Run, "--prompt", "the cat", "--tokens", "6", "--seed", $"{i}", "--device", "cuda", "--json");
            Assert.Equal(JsonDocument.Parse(alone.Output).RootElement.GetProperty("text").GetString(), written[i]);
        }

        TestDevice.RequireNoFinding();
    }
}
