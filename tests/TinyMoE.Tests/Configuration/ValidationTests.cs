using TinyMoE.Configuration;

namespace TinyMoE.Tests.Configuration;

public sealed class ValidationTests
{
    private const string Latent = "attention.kind=latent attention.kv_heads=0 attention.latent_rank=12 attention.rope_size=8";

    [Theory]
    [InlineData("model.width=0", "model.width")]
    [InlineData("model.width=-4", "model.width")]
    [InlineData("model.width=1000000000", "model.width")]
    [InlineData("model.width=100000", "model.width")]
    [InlineData("model.width=8192 moe.hidden=1 moe.active=8 train.batch=64 model.context=1024 model.hidden=1", "moe.active·model.width")]
    [InlineData("moe.experts=4096 model.context=8192 train.batch=128", "model.context·moe.experts")]
    [InlineData("moe.shared_experts=64 moe.hidden=100000 train.batch=64", "model.context·moe.shared_experts·moe.hidden")]
    [InlineData("moe.experts=100000 moe.hidden=1000", "moe.experts", "moe.hidden")]
    [InlineData("train.batch=1000000 model.context=1000", "train.batch", "model.context")]
    [InlineData("train.batch=10000 model.context=1000", "train.batch", "hidden size")]
    [InlineData("model.layers=0", "model.layers")]
    [InlineData("model.context=0", "model.context")]
    [InlineData("attention.window=4,-1", "attention.window")]
    [InlineData("model.vocabulary=-1", "model.vocabulary")]
    [InlineData("model.hidden=-1", "model.hidden")]
    [InlineData("model.width=130", "attention.heads", "model.width", "attention.head_size")]
    [InlineData("attention.kv_heads=3", "attention.kv_heads", "attention.heads")]
    [InlineData("attention.kv_heads=8", "attention.kv_heads", "attention.heads")]
    [InlineData("model.width=132", "model.positions=rope", "even")]
    [InlineData("model.dropout=1", "model.dropout")]
    [InlineData("model.dropout=-0.1", "model.dropout")]
    [InlineData("model.norm_epsilon=0", "model.norm_epsilon")]
    [InlineData("attention.rope_theta=0", "attention.rope_theta")]
    [InlineData("attention.heads=0", "attention.heads")]
    [InlineData("attention.head_size=-1", "attention.head_size")]
    [InlineData("attention.head_size=33", "attention.head_size=33", "even")]
    [InlineData("attention.head_size=9000000 attention.heads=400 attention.kv_heads=4", "attention.heads", "attention.head_size")]
    [InlineData("attention.window=1,2,3,4,5", "attention.window=1,2,3,4,5", "model.layers=4")]
    [InlineData("attention.scale=-1", "attention.scale")]
    [InlineData("attention.kind=latent attention.rope_size=8", "attention.kind=latent needs attention.latent_rank")]
    [InlineData("attention.kind=latent attention.latent_rank=12", "attention.kind=latent needs an attention.rope_size", "it is 0")]
    [InlineData(Latent + " attention.rope_size=7", "attention.rope_size=7", "even")]
    [InlineData(Latent + " attention.rope_size=32", "attention.rope_size", "below the size of a head, 32")]
    [InlineData(Latent + " attention.kv_heads=2", "attention.kv_heads=2", "attention.kind=latent")]
    [InlineData(Latent + " attention.window=0,4", "attention.window=0,4", "attention.kind=latent")]
    [InlineData(Latent + " attention.query_key_norm=per-head", "attention.query_key_norm", "attention.kind=latent")]
    [InlineData(Latent + " model.positions=learned", "model.positions=rope", "attention.kind=latent")]
    [InlineData(Latent + " attention.value_size=-1", "attention.value_size=-1")]
    [InlineData(Latent + " attention.query_rank=-1", "attention.query_rank=-1")]
    [InlineData(Latent + " attention.query_rank=10000000 attention.head_size=64", "attention.query_rank")]
    [InlineData(Latent + " attention.value_size=9000000", "attention.heads", "sizes of a head")]
    [InlineData("attention.latent_rank=12", "attention.latent_rank=12 needs attention.kind=latent; set that, or attention.latent_rank=0")]
    [InlineData("attention.value_size=12", "attention.value_size=12 needs attention.kind=latent")]
    [InlineData("attention.query_rank=12", "attention.query_rank=12 needs attention.kind=latent")]
    [InlineData(Latent + " attention.clip=3", "attention.clip=3", "attention.kind=latent")]
    [InlineData(Latent + " attention.sinks=true", "attention.sinks=true", "attention.kind=latent")]
    [InlineData("attention.clip=-1", "attention.clip")]
    [InlineData("attention.rope_factor=0.5", "attention.rope_factor=0.5 must be a number, at least 1")]
    [InlineData("attention.rope_original_context=-1", "attention.rope_original_context")]
    [InlineData("attention.rope_low_frequency=0", "attention.rope_low_frequency")]
    [InlineData("attention.rope_beta_slow=0", "attention.rope_beta_slow")]
    [InlineData("attention.rope_attention_factor=-1", "attention.rope_attention_factor")]
    [InlineData("attention.rope_mscale=-1", "attention.rope_mscale")]
    [InlineData("attention.rope_mscale_all_dim=-1", "attention.rope_mscale_all_dim")]
    [InlineData("attention.rope_scaling=llama3 attention.rope_high_frequency=1", "rope_high_frequency=1", "rope_low_frequency=1")]
    [InlineData("attention.rope_scaling=yarn attention.rope_beta_fast=0.5", "attention.rope_beta_fast=0.5", "attention.rope_beta_slow=1")]
    [InlineData("attention.rope_scaling=yarn attention.rope_theta=1", "attention.rope_theta=1", "above 1")]
    [InlineData("attention.rope_scaling=dynamic attention.head_size=2", "attention.rope_scaling=dynamic", "more than one pair")]
    [InlineData("attention.rope_size=7", "attention.rope_size=7", "even")]
    [InlineData("attention.rope_size=-2", "attention.rope_size")]
    [InlineData("attention.rope_size=34", "attention.rope_size=34", "model.width/attention.heads=32")]
    [InlineData("attention.experts=0", "attention.experts")]
    [InlineData("attention.kind=switch-head attention.experts=2000000", "attention.experts", "model.width")]
    [InlineData("attention.kind=switch-head attention.active=5", "attention.active", "attention.experts")]
    [InlineData("attention.active=0", "attention.active")]
    [InlineData("attention.kind=switch-head attention.gate_dropout=1", "attention.gate_dropout")]
    [InlineData("attention.gate_dropout=0.1", "attention.gate_dropout", "switch-head")]
    [InlineData("attention.kind=switch-head attention.active=4 attention.gate_dropout=0.1", "attention.gate_dropout", "attention.active")]
    [InlineData("moe.experts=-1", "moe.experts")]
    [InlineData("moe.active=9", "moe.active", "moe.experts")]
    [InlineData("moe.active=0", "moe.active")]
    [InlineData("moe.active=1", "moe.renormalize", "moe.active")]
    [InlineData("moe.active=1 moe.router=noisy-top-k", "moe.router", "moe.active")]
    [InlineData("moe.every=0", "moe.every")]
    [InlineData("moe.first_dense=4", "moe.first_dense", "model.layers")]
    [InlineData("moe.load_loss=0.01", "moe.load_loss", "noisy-top-k")]
    [InlineData("moe.load_loss=0.01 moe.router=noisy-top-k moe.active=8", "moe.load_loss", "moe.active")]
    [InlineData("moe.balance_loss=-1", "moe.balance_loss")]
    [InlineData("moe.noise_epsilon=-1", "moe.noise_epsilon")]
    [InlineData("train.batch=0", "train.batch")]
    [InlineData("train.accumulation=3", "train.accumulation", "train.batch")]
    [InlineData("train.steps=0", "train.steps")]
    [InlineData("train.learning_rate=0", "train.learning_rate")]
    [InlineData("train.min_learning_rate=1", "train.min_learning_rate", "train.learning_rate")]
    [InlineData("train.decay_share=0", "train.decay_share")]
    [InlineData("train.beta1=1", "train.beta1")]
    [InlineData("train.beta2=1", "train.beta2")]
    [InlineData("train.epsilon=0", "train.epsilon")]
    [InlineData("train.clip=-1", "train.clip")]
    [InlineData("train.weight_decay=-1", "train.weight_decay")]
    [InlineData("train.warmup=-1", "train.warmup")]
    [InlineData("train.eval_every=0", "train.eval_every")]
    [InlineData("train.eval_windows=-1", "train.eval_windows")]
    [InlineData("train.checkpoint_every=-1", "train.checkpoint_every")]
    [InlineData("data.validation=0", "data.validation")]
    [InlineData("data.validation=1", "data.validation")]
    [InlineData("data.sources=", "data.sources")]
    [InlineData("data.labels=record", "data.labels", "data.sources", "sdk-docs")]
    [InlineData("data.labels=record data.sources=docs=sdk-docs", "data.labels", "data.sources", "sdk-docs")]
    public void Validate_Impossible_NamesTheKeysInOneLine(string changes, params string[] named)
    {
        string message = Assert.Throws<TinyMoEException>(Changed(changes).Validate).Message;
        Assert.DoesNotContain('\n', message);
        Assert.All(named, name => Assert.Contains(name, message));
    }

    [Theory]
    [InlineData("train.warmup=100000")]
    [InlineData("attention.kind=switch-head attention.experts=1 attention.active=1")]
    [InlineData("attention.kind=switch-head attention.kv_heads=1 moe.experts=0")]
    [InlineData("moe.experts=0")]
    [InlineData("moe.experts=1 moe.active=1")]
    [InlineData("moe.active=1 moe.renormalize=false")]
    [InlineData("moe.active=1 moe.router=noisy-top-k moe.load_loss=0.01")]
    [InlineData("model.width=132 model.positions=learned")]
    [InlineData("train.min_learning_rate=1 train.schedule=constant")]
    [InlineData("attention.kv_heads=0")]
    [InlineData("model.width=130 attention.head_size=32")]
    [InlineData("attention.head_size=33 model.positions=learned")]
    [InlineData("attention.window=0,8,8,0 attention.scale=0.1 attention.query_key_norm=per-head")]
    [InlineData("data.labels=record data.sources=a.jsonl")]
    [InlineData("attention.kind=latent attention.kv_heads=0 attention.latent_rank=1 attention.rope_size=2 attention.head_size=3")]
    [InlineData("attention.kind=latent attention.kv_heads=4 attention.latent_rank=12 attention.rope_size=8 attention.value_size=5")]
    [InlineData(Latent + " attention.query_rank=7")]
    public void Validate_UnusualButPossible_Passes(string changes) => Changed(changes).Validate();

    [Fact]
    public void Validate_NotANumber_IsFound()
    {
        RunConfig config = new();
        Assert.Throws<TinyMoEException>((config with { Train = config.Train with { LearningRate = float.NaN } }).Validate);
        Assert.Throws<TinyMoEException>((config with { Model = config.Model with { Dropout = float.NaN } }).Validate);
        Assert.Throws<TinyMoEException>((config with { Moe = config.Moe with { ZLoss = float.PositiveInfinity } }).Validate);
        Assert.Throws<TinyMoEException>((config with { Data = config.Data with { Validation = float.NaN } }).Validate);
    }

    private static RunConfig Changed(string changes) =>
        changes.Split(' ').Select(change => change.Split('=', 2))
            .Aggregate(Presets.Get(Presets.Default), (config, change) => config.With(change[0], change[1]));
}
