using System.Text.Json.Nodes;
using TinyMoE.Backends.Profiling;
using TinyMoE.Inspect;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

public sealed class MetricsJsonTests
{
    [Fact]
    public void Line_Step_HasEveryField() => Assert.Equal(
        """{"kind":"train","step":3,"loss":1.5,"losses":{"balance":0.01},"learning_rate":0.001,"gradient_norm":2"""
        + ""","tokens_per_second":1000.5}""",
        MetricsJson.Line(new StepReport(3, 1.5f, new Dictionary<string, float> { ["balance"] = 0.01f }, 1e-3f, 2f, 1000.5)));

    [Fact]
    public void Line_Evaluation_HasEveryField() => Assert.Equal(
        """{"kind":"eval","step":3,"loss":1.5,"perplexity":4.5,"bits_per_byte":2.25}""",
        MetricsJson.Line(new EvalReport(3, 1.5, 4.5, 2.25)));

    [Fact]
    public void Line_EvaluationOfAModelThatLooksAhead_SaysSo() => Assert.EndsWith(
        ""","bits_per_byte":2.25,"causal":false}""",
        MetricsJson.Line(new EvalReport(3, 1.5, 4.5, 2.25, Causal: false)),
        StringComparison.Ordinal);

    [Fact]
    public void Line_Routing_HasEveryField() => Assert.Equal(
        """{"kind":"routing","step":3,"layer":1,"load":[0.25,0.75],"importance":[1,3],"entropy":0.5,"gate_entropy":0.25,"top_gate":0.75"""
        + ""","max_violation":0.5,"dead":0,"dropped":0.125,"logit_norm":2,"log_sum_exp":1.5,"changed":0.0625"""
        + ""","co_activation":[[0.5,0.33333],[0.33333,0.5]],"domains":[{"label":"poems","share":0.75,"load":[0.33333,0.66667]},"""
        + """{"label":"prose","share":0.25,"load":[1,0]}]}""",
        MetricsJson.Line(new RoutingReport(
            3, 1, [0.25f, 0.75f], [1, 3], 0.5f, 0.5f, 0, 0.25f, 0.75f, 0.125f, 2f, 1.5f, 0.0625f, [[0.5f, 1 / 3f], [1 / 3f, 0.5f]],
            [new DomainLoad("poems", 0.75f, [1 / 3f, 2 / 3f]), new DomainLoad("prose", 0.25f, [1f, 0f])])));

    [Fact]
    public void Line_RoutingOfARouterWithoutScores_HasNulls()
    {
        JsonObject line = JsonNode.Parse(MetricsJson.Line(new RoutingReport(3, 1, [1f], [1f], null, 0, 0)))!.AsObject();
        string[] keys = ["entropy", "logit_norm", "log_sum_exp", "changed", "co_activation", "domains"];
        Assert.All(keys, key => Assert.True(line.ContainsKey(key) && line[key] is null, key));
    }

    [Fact]
    public void Line_NoteAndWarning_HaveEveryField()
    {
        Assert.Equal("""{"kind":"note","step":0,"text":"not causal: a > b"}""", MetricsJson.Line(new NoteReport(0, "not causal: a > b")));
        Assert.Equal(
            """{"kind":"warning","step":20,"layer":1,"text":"layer 1 is collapsing"}""",
            MetricsJson.Line(new WarningReport(20, 1, "layer 1 is collapsing")));
    }

    [Fact]
    public void Line_Memory_HasEveryField() => Assert.Equal(
        """{"kind":"memory","step":3,"peak_resident_bytes":500,"peak_pool_bytes":400,"predicted_bytes":390}""",
        MetricsJson.Line(new MemoryReport(3, 500, 400, 390)));

    [Fact]
    public void Line_Profile_HasEveryField() => Assert.Equal(
        """{"kind":"profile","steps":2,"seconds":3,"outside_kernels":1"""
        + ""","profile":[{"kernel":"Fill 8","calls":4,"seconds":2,"flops":0,"bytes":128}]}""",
        MetricsJson.Line(new TrainingProfile(
            2, TimeSpan.FromSeconds(3), [new KernelProfile("Fill 8", 4, TimeSpan.FromSeconds(2), 0, 128)])));

    [Fact]
    public void Line_NotFinite_IsStillJson()
    {
        StepReport step = new(1, float.NaN, new Dictionary<string, float>(), 0, float.PositiveInfinity, 0);
        JsonNode node = JsonNode.Parse(MetricsJson.Line(step))!;
        Assert.Equal("NaN", node["loss"]!.GetValue<string>());
        Assert.Equal("Infinity", node["gradient_norm"]!.GetValue<string>());
        JsonNode routing = JsonNode.Parse(MetricsJson.Line(new RoutingReport(1, 0, [float.NaN], [0], 0, 0, 0)))!;
        Assert.Equal("NaN", routing["load"]![0]!.GetValue<string>());
    }
}
