namespace TinyMoE.Tests.Cuda;

public sealed class TestDeviceTests
{
    [Fact]
    public void EmulatedDevice_IsThere_WhereItMustBe()
    {
        if (Environment.GetEnvironmentVariable("TINYMOE_REQUIRE_EMULATOR") == "1")
            Assert.Null(TestDevice.WhyNone);
    }
}
