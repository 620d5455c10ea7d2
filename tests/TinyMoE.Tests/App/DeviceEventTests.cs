using TinyMoE.App;
using TinyMoE.Tests.Cuda;

namespace TinyMoE.Tests.App;

/// <summary>What the choice of a device and the doctor tell, on the emulated CUDA device.</summary>
[Collection(CudaCollection.Name)]
public sealed class DeviceEventTests
{
    [EmulatedTheory]
    [InlineData("", 0, "cuda:0", null)]
    [InlineData("no_device", null, null, "No CUDA device")]
    [InlineData("old_driver", null, null, "The CUDA driver is too old")]
    public void Auto_TellsWhatItTook(string settings, int? card, string? name, string? failure)
    {
        Emulator.Configure(settings);
        List<AutoDevice> told = [];
        DeviceChoice taken = new DeviceRequest(DeviceRequest.Auto, Threads: 2).Choose(told.Add);
        Assert.Equal(card is null ? new DeviceChoice(Threads: 2) : new DeviceChoice(card), taken);
        AutoDevice auto = Assert.Single(told);
        Assert.Equal((name is null, failure is null), (auto.Card is null, auto.Failure is null));
        Assert.StartsWith(name ?? "", auto.Card ?? "", StringComparison.Ordinal);
        Assert.StartsWith(failure ?? "", auto.Failure ?? "", StringComparison.Ordinal);
    }

    [EmulatedFact]
    public void Doctor_TellsEveryDevice_AsItIsTested()
    {
        Emulator.Configure("fail_launch=30");
        List<DeviceReport> told = [];
        DoctorReport report = Doctor.Examine(told.Add);
        DeviceReport device = Assert.Single(told);
        Assert.Equal([device], report.Devices);
        Assert.True(report.Failed && device.Failed && device.Failure is not null);
        Assert.NotEmpty(report.Modules);
    }

    [EmulatedFact]
    public void Doctor_WithoutADevice_HasNotFailed()
    {
        Emulator.Configure("no_device");
        DoctorReport report = Doctor.Examine(_ => Assert.Fail("There is no device."));
        Assert.False(report.Failed);
        Assert.StartsWith("No CUDA device", report.Failure, StringComparison.Ordinal);
        Assert.Empty(report.Devices);
    }
}
