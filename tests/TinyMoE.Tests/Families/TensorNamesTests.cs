using TinyMoE.Configuration;
using TinyMoE.Families;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Families;

public sealed class TensorNamesTests
{
    public static TheoryData<RouterKind> Routers => [.. Enum.GetValues<RouterKind>()];

    [Theory]
    [InlineData("embedding.weight", "model.embed_tokens.weight")]
    [InlineData("positions.weight", "model.embed_positions.weight")]
    [InlineData("norm.bias", "model.norm.bias")]
    [InlineData("head.weight", "lm_head.weight")]
    [InlineData("layers.11.attention_norm.weight", "model.layers.11.input_layernorm.weight")]
    [InlineData("layers.0.attention.output.bias", "model.layers.0.self_attn.o_proj.bias")]
    [InlineData("layers.0.attention.value_experts.weight", "model.layers.0.self_attn.v_experts.{expert}.weight")]
    [InlineData("layers.0.attention.query_down_norm.weight", "model.layers.0.self_attn.q_a_layernorm.weight")]
    [InlineData("layers.0.attention.key_value_down.bias", "model.layers.0.self_attn.kv_a_proj_with_mqa.bias")]
    [InlineData("layers.0.attention.key_value_up.weight", "model.layers.0.self_attn.kv_b_proj.weight")]
    [InlineData("layers.3.moe.router.weight", "model.layers.3.block_sparse_moe.gate.weight")]
    [InlineData("layers.3.moe.router.bias", "model.layers.3.block_sparse_moe.gate.bias")]
    [InlineData("layers.3.moe.router.correction", "model.layers.3.block_sparse_moe.gate.e_score_correction_bias")]
    [InlineData("layers.3.moe.router.groups.bias", "model.layers.3.block_sparse_moe.group_gate.bias")]
    [InlineData("layers.3.moe.router.centroids.bias", "model.layers.3.block_sparse_moe.centroids.bias")]
    [InlineData("layers.3.moe.router.tasks.weight", "model.layers.3.block_sparse_moe.task_gate.weight")]
    [InlineData("layers.3.moe.router.table", "model.layers.3.block_sparse_moe.hash.table")]
    [InlineData("layers.0.moe.shared_gate.weight", "model.layers.0.block_sparse_moe.shared_expert_gate.weight")]
    public void Of_AName_IsMixtrals(string ours, string theirs) => Assert.Equal(theirs, TensorNames.Of(new ModelConfig()).Of(ours));

    [Theory]
    [InlineData(FeedForwardKind.SwiGlu, "gate", "w1")]
    [InlineData(FeedForwardKind.SwiGlu, "up", "w3")]
    [InlineData(FeedForwardKind.SwiGlu, "down", "w2")]
    [InlineData(FeedForwardKind.ClampedSwiGlu, "gate", "w1")]
    [InlineData(FeedForwardKind.ClampedSwiGlu, "up", "w3")]
    [InlineData(FeedForwardKind.Gelu, "up", "w1")]
    [InlineData(FeedForwardKind.Relu, "down", "w2")]
    public void Of_AFeedForward_NamesTheFirstProjectionW1(FeedForwardKind kind, string ours, string theirs)
    {
        TensorNames names = TensorNames.Of(new ModelConfig { FeedForward = kind });
        Assert.Equal($"model.layers.2.mlp.{theirs}.weight", names.Of($"layers.2.feed_forward.{ours}.weight"));
        Assert.Equal($"model.layers.2.block_sparse_moe.experts.{{expert}}.{theirs}.bias", names.Of($"layers.2.moe.experts.{ours}.bias"));
        string shared = names.Of($"layers.2.moe.shared_experts.{ours}.weight");
        Assert.Equal($"model.layers.2.block_sparse_moe.shared_experts.{theirs}.weight", shared);
    }

    [Theory]
    [MemberData(nameof(Routers))]
    public void EveryParameter_HasAPartAndItsOwnNameInAFile(RouterKind router)
    {
        RunConfig config = TestModels.TinySwitchHead with
        {
            Moe = new MoeConfig { Experts = 4, Router = router, SharedExperts = 1, SharedGate = true, Groups = 2, RouterBias = true },
        };
        TensorNames names = TensorNames.Of(config.Model);
        IReadOnlyList<Parameter> plan = Decoder.Plan(config);
        string[] inFile = [.. plan.SelectMany(names.Of).Select(tensor => tensor.Name)];
        Assert.Equal(inFile.Length, inFile.Distinct().Count());
        Assert.DoesNotContain(inFile, name => name.Contains('{', StringComparison.Ordinal));
        Assert.All(plan, p => Assert.NotEqual(ModelPart.Other, p.Part));
        Assert.All(plan, p => Assert.Equal(p.Count, names.Of(p).Sum(tensor => tensor.Shape.Count)));
    }

    [Fact]
    public void LatentAttention_HasDeepSeeksNames()
    {
        TensorNames names = TensorNames.Of(TestModels.TinyLatent.Model);
        Assert.Equal(
            ["q_a_proj", "q_a_layernorm", "q_b_proj", "kv_a_proj_with_mqa", "kv_a_layernorm", "kv_b_proj", "o_proj"],
            Decoder.Plan(TestModels.TinyLatent).Where(p => p.Name.StartsWith("layers.1.attention.", StringComparison.Ordinal))
                .Select(p => names.Of(p.Name).Split('.')[^2]));
    }

    [Fact]
    public void Of_AStack_HasATensorPerExpert()
    {
        Parameter stack = Decoder.Plan(TestModels.Tiny).First(p => p.Name == "layers.0.moe.experts.down.weight"); // (4, 32, 24)
        Assert.Equal(
            Enumerable.Range(0, 4).Select(
                e => ($"model.layers.0.block_sparse_moe.experts.{e}.w2.weight", (Shape)(32, 24), e * 32 * 24)),
            TensorNames.Of(TestModels.Tiny.Model).Of(stack).Select(tensor => (tensor.Name, tensor.Shape, tensor.Start)));
    }

    [Fact]
    public void Of_WhatNoFamilyKnows_IsRefused()
    {
        TensorNames names = TensorNames.Of(new ModelConfig());
        string refused = OneLine.Of(() => names.Of("layers.0.planted.weight"));
        Assert.Contains("layers.0.planted.weight", refused, StringComparison.Ordinal);
        Assert.Contains("family tinymoe", refused, StringComparison.Ordinal);
    }
}
