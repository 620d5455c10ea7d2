using System.Text.Json;
using TinyMoE.Cuda;
using TinyMoE.Tests.Cuda;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Cli;

/// <summary>--device and doctor on the emulated CUDA device: what works, and what is said where something is missing.</summary>
[Collection(CudaCollection.Name)]
public sealed class DeviceTests : IDisposable
{
    private static readonly string Text = string.Concat(Enumerable.Range(0, 400).Select(i => $"the cat sat on mat {i % 10}.\n"));

    private static readonly string[] Small =
    [
        "--set", "model.width=16", "model.layers=1", "attention.heads=2", "attention.kv_heads=1", "model.context=8",
        "moe.experts=4", "moe.hidden=16",
        "train.batch=2", "train.eval_every=3", "train.eval_windows=2", "train.warmup=2",
    ];

    private readonly TemporaryFolder folder = new();
    private readonly string data;

    public DeviceTests() => data = folder.Write("text.txt", Text);

    public void Dispose() => folder.Dispose();

    [EmulatedFact]
    public void TrainEvalGenerate_OnCuda_GiveWhatTheProcessorGives()
    {
        Emulator.Configure("");
        int before = Emulator.Allocations;
        CommandLine cuda = Train("cuda", "--device", "cuda"), cpu = Train("cpu", "--device", "cpu", "--threads", "1");
        Assert.Equal((0, ""), (cuda.ExitCode, cuda.Error));
        Assert.Contains("cuda:0", cuda.Output, StringComparison.Ordinal);
        Assert.Equal(LossOf(cpu.Output), LossOf(cuda.Output), 1e-4);

        CommandLine eval = CommandLine.Run(
            "eval", "--run", folder["cuda"], "--windows", "2", "--device", "cuda:0", "--tensor-cores", "off", "--json");
        Assert.Equal((0, ""), (eval.ExitCode, eval.Error));
        CommandLine onProcessor = CommandLine.Run("eval", "--run", folder["cuda"], "--windows", "2", "--json");
        Assert.Equal(LossOf(onProcessor.Output), LossOf(eval.Output), 1e-4);

        string[] generate = ["generate", "--run", folder["cuda"], "--prompt", "the cat", "--tokens", "10", "--temperature", "0"];
        CommandLine text = CommandLine.Run([.. generate, "--device", "cuda"]);
        Assert.Equal((0, ""), (text.ExitCode, text.Error));
        Assert.Equal(CommandLine.Run(generate).Output, text.Output);
        Assert.Equal(before, Emulator.Allocations); // other tests may share a backend that lives on
        TestDevice.RequireNoFinding();
    }

    [EmulatedTheory]
    [InlineData("cublas")]
    [InlineData("loop")]
    public void Graphs_OfProductsThatWait_AreRefusedBeforeTheFirstStepOrToken(string grouped)
    {
        Emulator.Configure("");
        Assert.Equal(0, Train("run").ExitCode);
        string[] choice = ["--device", "cuda", "--graph", "on", "--grouped", grouped];
        CommandLine train = Train("refused", choice);
        foreach (CommandLine refused in (CommandLine[])
        [
            train, CommandLine.Run(["generate", "--run", folder["run"], "--prompt", "the cat", "--tokens", "9", .. choice]),
        ])
        {
            Assert.Equal((1, ""), (refused.ExitCode, refused.Output));
            Assert.StartsWith($"tinymoe: --graph on and --grouped {grouped} exclude each other", refused.Error, StringComparison.Ordinal);
        }
    }

    [EmulatedFact]
    public void Train_StoppedOnCuda_SaysHowToGoOnThere()
    {
        Emulator.Configure("devices=2");
        CommandLine stopped = Train("stopped", "--device", "cuda:1", "--tensor-cores", "tf32", "--grouped", "loop", "--stop-at", "1");
        Assert.Equal((0, ""), (stopped.ExitCode, stopped.Error));
        Assert.Contains("--device cuda:1 --tensor-cores tf32 --grouped loop", stopped.Output, StringComparison.Ordinal);
    }

    [EmulatedTheory]
    [InlineData("", "note: --device auto takes cuda:0")]
    [InlineData("no_device", "note: --device auto takes the processor. No CUDA device")]
    [InlineData("old_driver", "note: --device auto takes the processor. The CUDA driver is too old")]
    public void Auto_TakesACardWhereOneIsUsable_AndSaysSo(string settings, string note)
    {
        Emulator.Configure(settings);
        CommandLine result = Train("auto", "--device", "auto", "--json");
        Assert.Equal(0, result.ExitCode);
        Assert.StartsWith(note, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [EmulatedTheory]
    [InlineData("", "cuda:7", "7")]
    [InlineData("no_device", "cuda", "No CUDA device")]
    [InlineData("old_driver", "cuda", "The CUDA driver is too old")]
    public void Cuda_ThatIsNotThere_IsOneLine(string settings, string device, string message)
    {
        Emulator.Configure(settings);
        CommandLine result = Train("none", "--device", device);
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains(message, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [EmulatedFact]
    public void Doctor_OnDevicesThatWork_FindsEveryFamilyWell()
    {
        Emulator.Configure("devices=2");
        int before = Emulator.Allocations;
        CommandLine result = CommandLine.Run("doctor");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        string[] told =
        [
            "bindings: ", "driver: CUDA 12.8 (", "attention.ptx", "cuda:0 (", "cuda:1 (", "cuBLAS 12.8.4 (", "libcublas",
            "Attention ", "Routing ",
            "registers", "local bytes", "tf32", "bfloat16", "Grouped, loop", "Grouped, cublas", "TINYMOE_CUBLAS_LIBRARY=",
            "it computes what the processor computes",
        ];
        foreach (string expected in told)
            Assert.Contains(expected, result.Output, StringComparison.Ordinal);
        Assert.Equal(before, Emulator.Allocations); // other tests may share a backend that lives on
    }

    [EmulatedFact]
    public void Doctor_Json_IsOneObject()
    {
        Emulator.Configure("");
        CommandLine result = CommandLine.Run("doctor", "--json");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        JsonElement report = JsonDocument.Parse(result.Output).RootElement;
        JsonElement device = Assert.Single(report.GetProperty("devices").EnumerateArray());
        Assert.Equal("doctor", report.GetProperty("kind").GetString());
        Assert.Equal("cuda:0", device.GetProperty("device").GetString());
        Assert.False(device.GetProperty("failed").GetBoolean());
        JsonElement[] families = [.. device.GetProperty("families").EnumerateArray()];
        Assert.All(families, family => Assert.InRange(
            family.GetProperty("largest_error").GetDouble(), 0, family.GetProperty("tolerance").GetDouble()));
        Assert.All(
            families.Where(family => (family.GetProperty("tensor_cores").GetString(), family.GetProperty("family").GetString())
                is ("off", not "Bfloat16")),
            family => Assert.InRange(family.GetProperty("largest_error").GetDouble(), 0, 1e-4));
        Assert.Equal(
            Enum.GetValues<TensorCores>().Length * Enum.GetValues<GroupedProducts>().Length,
            families.Count(family => family.GetProperty("family").GetString() == "Grouped"));
        Assert.Equal(JsonValueKind.Null, device.GetProperty("cold_compilation_seconds").ValueKind);
        Assert.EndsWith(".12", device.GetProperty("cublas_path").GetString(), StringComparison.Ordinal);
        JsonElement kernel = device.GetProperty("kernels").EnumerateArray().First(k => k.GetProperty("kernel").GetString() == "rope");
        Assert.Equal("rope.ptx", kernel.GetProperty("file").GetString());
        Assert.InRange(kernel.GetProperty("registers").GetInt32(), 1, 255);
        Assert.Equal(0, kernel.GetProperty("local_bytes").GetInt32());
        Assert.InRange(device.GetProperty("compilation").GetProperty("rope.ptx").GetDouble(), 0, 60);
        Assert.True(report.GetProperty("environment").TryGetProperty("TINYMOE_CUDA_LIBRARY", out _));
        Assert.All(
            report.GetProperty("modules").EnumerateArray(),
            module => Assert.Equal(64, module.GetProperty("source_sha256").GetString()!.Length));
    }

    [EmulatedFact]
    public void Doctor_Tune_MeasuresEveryWayOfEveryProduct()
    {
        Emulator.Configure("");
        int before = Emulator.Allocations;
        CommandLine result = CommandLine.Run("doctor", "--tune", "--json");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        JsonElement device = Assert.Single(JsonDocument.Parse(result.Output).RootElement.GetProperty("devices").EnumerateArray());
        JsonElement tuning = device.GetProperty("tuning");
        JsonElement[] products = [.. tuning.GetProperty("products").EnumerateArray()];
        Assert.Equal(2 * 3 * 3, products.Length); // shapes, precisions, products
        Assert.All(products, product =>
        {
            Assert.Equal("own", product.GetProperty("auto").GetString()); // tiny
            Assert.InRange(product.GetProperty("own_microseconds").GetDouble(), 0, 1e8);
            Assert.InRange(product.GetProperty("loop_microseconds").GetDouble(), 0, 1e8);
            bool isNarrow = product.GetProperty("precision").GetString() == "bfloat16";
            Assert.Equal(isNarrow, product.GetProperty("cublas_microseconds").ValueKind == JsonValueKind.Null);
        });
        Assert.Equal(
            ["forward", "input_gradient", "weight_gradient"],
            products.Select(product => product.GetProperty("product").GetString()).Distinct());
        Assert.Equal(
            [1L << 26, 1L << 29, 1L << 30],
            tuning.GetProperty("limits").EnumerateArray().Select(limit => limit.GetProperty("auto_takes_own_up_to").GetInt64()));
        Assert.Contains("is emulated", Assert.Single(tuning.GetProperty("notes").EnumerateArray()).GetString(), StringComparison.Ordinal);
        Assert.Equal(before, Emulator.Allocations);
        Assert.Equal("", Emulator.TakeFindings());
    }

    [EmulatedFact]
    public void Doctor_Tune_OfACardBeforeAmpere_IsOfFloat32()
    {
        Emulator.Configure("capability=7.5");
        CommandLine result = CommandLine.Run("doctor", "--tune");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        string[] parts = ["float32, gradient of weights", "float32: our own kernel is ", "auto takes it up to 2^26", "note: "];
        foreach (string told in parts)
            Assert.Contains(told, result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("tf32", result.Output, StringComparison.Ordinal);
    }

    [EmulatedTheory]
    [InlineData("no_device", 0, "no device to test. No CUDA device")]
    [InlineData("old_driver", 1, "FAILED: The CUDA driver is too old")]
    [InlineData("fail_launch=30", 1, "FAILED: ")]
    [InlineData("memory=64K", 1, "FAILED: Out of memory")]
    public void Doctor_WhereSomethingIsMissing_SaysWhat(string settings, int exitCode, string message)
    {
        Emulator.Configure(settings);
        CommandLine result = CommandLine.Run("doctor");
        Assert.Equal((exitCode, ""), (result.ExitCode, result.Error));
        Assert.Contains(message, result.Output, StringComparison.Ordinal);
    }

    [EmulatedFact]
    public void Doctor_OnACardBeforeAmpere_TriesFloat32Only()
    {
        Emulator.Configure("capability=7.5");
        CommandLine result = CommandLine.Run("doctor", "--cold");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("compute capability 7.5", result.Output, StringComparison.Ordinal);
        Assert.Contains(" with nothing kept", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("tf32", result.Output, StringComparison.Ordinal);
    }

    [EmulatedFact]
    public void Train_WithProfileOnCuda_ShowsTheDevicesTimes()
    {
        Emulator.Configure("");
        CommandLine result = CommandLine.Run(
            ["train", "--data", data, "--out", folder["profiled"], "--steps", "7", .. Small, "--device", "cuda", "--profile"]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("profile of 2 steps", result.Output, StringComparison.Ordinal);
        Assert.Contains("by the device's clock", result.Output, StringComparison.Ordinal);
        Assert.Contains("the device waits for the host", result.Output, StringComparison.Ordinal);
        TestDevice.RequireNoFinding();
    }

    private CommandLine Train(string run, params string[] options) =>
        CommandLine.Run(["train", "--data", data, "--out", folder[run], "--steps", "3", .. Small, .. options]);

    /// <summary>The loss of the first evaluation, of the table or of the JSON.</summary>
    private static double LossOf(string output)
    {
        string line = output.Split('\n').First(l => l.Contains("perplexity", StringComparison.Ordinal));
        return line.StartsWith('{')
            ? JsonDocument.Parse(line).RootElement.GetProperty("loss").GetDouble()
            : double.Parse(line.Split("loss ")[1].Split(',')[0], System.Globalization.CultureInfo.InvariantCulture);
    }
}
