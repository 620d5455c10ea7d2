using TinyMoE.Configuration;

namespace TinyMoE.Tests.Configuration;

/// <summary>What no router can do is refused in one line; what a router does not heed is said.</summary>
public sealed class RouterValidationTests
{
    [Theory]
    [InlineData("moe.active=9", "moe.active=9", "moe.experts=8")]
    [InlineData("moe.router=deepseek moe.active=9", "moe.active=9", "moe.experts=8")]
    [InlineData("moe.router=hierarchical moe.groups=3", "moe.groups=3", "moe.experts=8")]
    [InlineData("moe.router=deepseek moe.groups=5", "moe.groups=5", "moe.experts=8")]
    [InlineData("moe.router=deepseek moe.groups=2 moe.active_groups=3", "moe.active_groups=3", "moe.groups=2")]
    [InlineData("moe.router=switch moe.groups=2", "moe.groups=2", "moe.router=switch")]
    [InlineData("moe.groups=8", "moe.active=2", "moe.active_groups=1")]
    [InlineData("moe.groups=4 moe.active_groups=2 moe.load_loss=0.01 moe.logit_noise=1", "moe.load_loss=0.01", "moe.groups=4")]
    [InlineData("moe.router=deepseek moe.groups=8 moe.active_groups=1", "moe.active=2", "moe.active_groups=1")]
    [InlineData("moe.router=hierarchical moe.groups=4 moe.active_groups=2 moe.active=3", "moe.active=3", "moe.active_groups=2")]
    [InlineData("moe.router=base moe.capacity_factor=1", "moe.capacity_factor", "moe.router=base")]
    [InlineData("moe.router=soft moe.capacity_factor=1", "moe.capacity_factor", "moe.router=soft")]
    [InlineData("moe.router=soft moe.eval_capacity_factor=1 moe.allow_non_causal=true", "moe.eval_capacity_factor", "moe.router=soft")]
    [InlineData(
        "moe.router=expert-choice moe.allow_non_causal=true moe.capacity_factor=1", "moe.capacity_factor", "moe.router=expert-choice")]
    [InlineData("moe.router=hash moe.capacity_factor=1 moe.drop=probability", "moe.drop=probability", "moe.router=hash")]
    [InlineData("moe.router=uniform moe.capacity_factor=1 moe.drop=probability", "moe.drop=probability", "moe.router=uniform")]
    [InlineData("moe.load_loss=0.01", "moe.load_loss", "noisy-top-k", "moe.logit_noise")]
    [InlineData("moe.router=gshard moe.load_loss=0.01 moe.logit_noise=1", "moe.load_loss")]
    [InlineData("moe.router=switch moe.load_loss=0.01", "moe.load_loss", "moe.logit_noise")]
    [InlineData("moe.router=soft moe.gshard_loss=0.01", "moe.gshard_loss", "moe.router=soft")]
    [InlineData("moe.router=expert-choice moe.allow_non_causal=true moe.gshard_loss=0.01", "moe.gshard_loss", "moe.router=expert-choice")]
    [InlineData("moe.router=expert-choice", "moe.router=expert-choice", "moe.allow_non_causal=true", "moe.choice_group=position")]
    [InlineData("moe.router=expert-choice moe.choice_group=batch", "moe.router=expert-choice", "moe.allow_non_causal=true")]
    [InlineData("moe.eval_capacity_factor=2", "moe.eval_capacity_factor=2", "moe.allow_non_causal=true")]
    [InlineData("moe.router=task moe.active=1", "moe.renormalize", "moe.active=1")]
    [InlineData("moe.shared_gate=true", "moe.shared_gate", "moe.shared_experts")]
    [InlineData("moe.min_capacity=0", "moe.min_capacity")]
    [InlineData("moe.jitter=1", "moe.jitter")]
    [InlineData("moe.gate_dropout=1", "moe.gate_dropout")]
    [InlineData("moe.expert_dropout=-1", "moe.expert_dropout")]
    [InlineData("moe.routed_scaling=0", "moe.routed_scaling")]
    [InlineData("moe.bias_rate=-1", "moe.bias_rate")]
    public void Validate_WhatNoRouterCan_NamesKeysAndValuesInOneLine(string changes, params string[] named)
    {
        string message = Assert.Throws<TinyMoEException>(Changed(changes).Validate).Message;
        Assert.DoesNotContain('\n', message);
        Assert.All(named, name => Assert.Contains(name, message));
    }

    [Theory]
    [InlineData("moe.router=switch")]
    [InlineData("moe.router=switch moe.load_loss=0.01 moe.logit_noise=1")]
    [InlineData("moe.router=gshard moe.experts=1 moe.active=1")]
    [InlineData("moe.router=soft moe.active=99")]
    [InlineData("moe.router=hash moe.capacity_factor=1 moe.drop=random")]
    [InlineData("moe.router=expert-choice moe.choice_group=position")]
    [InlineData("moe.router=expert-choice moe.allow_non_causal=true")]
    [InlineData("moe.eval_capacity_factor=2 moe.allow_non_causal=true")]
    [InlineData("moe.router=hierarchical moe.groups=4 moe.active_groups=2")]
    [InlineData("moe.router=deepseek moe.groups=4 moe.active_groups=1")]
    [InlineData("moe.router=deepseek moe.active=1")]
    [InlineData("moe.groups=4 moe.active_groups=2 moe.routed_scaling=16 moe.renormalize=false")]
    [InlineData("moe.groups=4 moe.active_groups=4 moe.load_loss=0.01 moe.logit_noise=1")]
    [InlineData("moe.router=sinkhorn moe.active=1")]
    public void Validate_UnusualButPossible_Passes(string changes) => Changed(changes).Validate();

    [Theory]
    [InlineData("moe.active=1", true)]
    [InlineData("moe.active=1 moe.router=deepseek", true)]
    [InlineData("moe.active=1 moe.renormalize=false", false)]
    [InlineData("moe.active=1 moe.router=deepseek moe.renormalize=false", false)]
    [InlineData("moe.active=1 moe.router=switch", false)]
    [InlineData("moe.active=1 moe.experts=1", false)]
    [InlineData("moe.active=2", false)]
    public void CheckLearns_GatesThatAreAllOne_AreRefusedFromNothingAndNamedInANote(string changes, bool refused)
    {
        RunConfig config = Changed(changes);
        Exception? error = Record.Exception(() => Validation.CheckLearns(config.Moe));
        Assert.Equal(refused, error is not null);
        bool isNamed = ConfigNotes.Of(config).Any(note => note.StartsWith("moe.renormalize=true", StringComparison.Ordinal));
        Assert.Equal(refused, isNamed);
        if (error is not null)
            Assert.Contains("set moe.renormalize=false", Assert.IsType<TinyMoEException>(error).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Router_OfNoKnownName_ListsTheKnown()
    {
        string message = Assert.Throws<TinyMoEException>(() => Changed("moe.router=top-q")).Message;
        Assert.DoesNotContain('\n', message);
        Assert.All(RouterTraits.All, router => Assert.Contains(router.Name, message));
    }

    [Fact]
    public void Traits_NameEveryRouterOnce() => Assert.Equal(Enum.GetValues<RouterKind>(), RouterTraits.All.Select(router => router.Kind));

    [Theory]
    [InlineData("moe.router=expert-choice moe.allow_non_causal=true", "not causal: moe.router=expert-choice")]
    [InlineData("moe.router=expert-choice moe.allow_non_causal=true moe.choice_group=batch", "not causal: moe.router=expert-choice")]
    [InlineData("moe.eval_capacity_factor=2 moe.allow_non_causal=true", "not causal: moe.eval_capacity_factor=2")]
    public void Notes_ModelThatLooksAhead_SaySo(string changes, string note)
    {
        Assert.Contains(ConfigNotes.Of(Changed(changes)), line => line.StartsWith(note, StringComparison.Ordinal));
        Assert.True(Changed(changes).Moe.LooksAhead);
    }

    [Fact]
    public void Notes_LossThatDependsOnTheBatch_SaySo()
    {
        IReadOnlyList<string> notes = ConfigNotes.Of(Changed("moe.eval_capacity_factor=2 moe.allow_non_causal=true train.batch=6"));
        string note = Assert.Single(notes, note => note.StartsWith("moe.eval_capacity_factor=2", StringComparison.Ordinal));
        Assert.Contains("train.batch=6", note, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("moe.router=expert-choice moe.choice_group=position")]
    [InlineData("moe.router=expert-choice moe.choice_group=batch moe.allow_non_causal=true")]
    public void Notes_LossThatDoesNotDependOnTheBatch_DoNotSpeakOfIt(string changes) =>
        Assert.DoesNotContain(ConfigNotes.Of(Changed(changes)), note => note.Contains("train.batch", StringComparison.Ordinal));

    [Theory]
    [InlineData("moe.router=switch", "1 of 8 experts", "moe.active")]
    [InlineData("moe.router=soft", "8 of 8 experts", "moe.active")]
    [InlineData("moe.router=hash moe.balance_loss=0.01 moe.z_loss=0", "moe.balance_loss has no effect with moe.router=hash")]
    [InlineData(
        "moe.router=random moe.balance_loss=0.01 moe.z_loss=0.001 moe.jitter=0.1",
        "moe.balance_loss, moe.z_loss, moe.jitter have no effect with moe.router=random")]
    [InlineData("moe.router=task moe.tasks=2 moe.logit_noise=1", "moe.logit_noise has no effect with moe.router=task")]
    [InlineData("moe.router=task moe.tasks=2 moe.router_bias=true", "moe.router_bias has no effect with moe.router=task")]
    [InlineData("moe.router=switch moe.routed_scaling=2", "moe.routed_scaling has no effect with moe.router=switch")]
    [InlineData("model.swiglu_limit=3", "model.swiglu_limit has no effect without model.feed_forward=clamped-swiglu")]
    [InlineData("model.swiglu_limit=3 model.swiglu_alpha=1", "model.swiglu_limit, model.swiglu_alpha have no effect")]
    [InlineData("moe.router=noisy-top-k moe.logit_noise=1", "moe.logit_noise has no effect with moe.router=noisy-top-k")]
    public void Notes_WhatARouterDoesNotHeed_IsNamed(string changes, params string[] named) =>
        Assert.Contains(ConfigNotes.Of(Changed(changes)), line => named.All(name => line.Contains(name, StringComparison.Ordinal)));

    [Theory]
    [InlineData("moe.experts=0 moe.router=expert-choice moe.eval_capacity_factor=2")]
    [InlineData("moe.router=top-k")]
    [InlineData("moe.router=switch moe.active=1 moe.router_bias=true")]
    [InlineData("moe.routed_scaling=2")]
    [InlineData("model.feed_forward=clamped-swiglu model.swiglu_limit=3")]
    public void Notes_NothingToSay_AreEmpty(string changes)
    {
        Assert.Empty(ConfigNotes.Of(Changed(changes)));
        Assert.False(Changed(changes).Moe.LooksAhead);
    }

    private static RunConfig Changed(string changes) =>
        changes.Split(' ').Select(change => change.Split('=', 2))
            .Aggregate(Presets.Get(Presets.Default), (config, change) => config.With(change[0], change[1]));
}
