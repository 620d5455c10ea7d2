using TinyMoE.Configuration;

namespace TinyMoE.Families;

/// <summary>
/// Hugging Face's names of Mixtral's tensors, which our checkpoints have; what Mixtral lacks is named in the same spirit.
/// </summary>
internal static class OwnNames
{
    /// <summary>The names for a model. Of a gated network the gate is w1 and up is w3; without a gate up is w1.</summary>
    public static TensorNames Of(ModelConfig model)
    {
        const string Block = "model.layers.{layer}", Attention = $"{Block}.self_attn", Moe = $"{Block}.block_sparse_moe";
        Dictionary<string, string> names = new()
        {
            ["embedding"] = "model.embed_tokens",
            ["positions"] = "model.embed_positions",
            ["norm"] = "model.norm",
            ["head"] = "lm_head",
            ["layers.{layer}.attention_norm"] = $"{Block}.input_layernorm",
            ["layers.{layer}.attention.query"] = $"{Attention}.q_proj",
            ["layers.{layer}.attention.key"] = $"{Attention}.k_proj",
            ["layers.{layer}.attention.query_norm"] = $"{Attention}.q_norm",
            ["layers.{layer}.attention.key_norm"] = $"{Attention}.k_norm",
            ["layers.{layer}.attention.query_down"] = $"{Attention}.q_a_proj",
            ["layers.{layer}.attention.query_down_norm"] = $"{Attention}.q_a_layernorm",
            ["layers.{layer}.attention.query_up"] = $"{Attention}.q_b_proj",
            ["layers.{layer}.attention.key_value_down"] = $"{Attention}.kv_a_proj_with_mqa",
            ["layers.{layer}.attention.key_value_norm"] = $"{Attention}.kv_a_layernorm",
            ["layers.{layer}.attention.key_value_up"] = $"{Attention}.kv_b_proj",
            ["layers.{layer}.attention.sinks"] = $"{Attention}.sinks",
            ["layers.{layer}.attention.value"] = $"{Attention}.v_proj",
            ["layers.{layer}.attention.output"] = $"{Attention}.o_proj",
            ["layers.{layer}.attention.value_router"] = $"{Attention}.v_gate",
            ["layers.{layer}.attention.value_experts"] = $"{Attention}.v_experts.{{expert}}",
            ["layers.{layer}.attention.output_router"] = $"{Attention}.o_gate",
            ["layers.{layer}.attention.output_experts"] = $"{Attention}.o_experts.{{expert}}",
            ["layers.{layer}.feed_forward_norm"] = $"{Block}.post_attention_layernorm",
            ["layers.{layer}.moe.router"] = $"{Moe}.gate",
            ["layers.{layer}.moe.router.correction"] = $"{Moe}.gate.e_score_correction_bias",
            ["layers.{layer}.moe.router.centroids"] = $"{Moe}.centroids",
            ["layers.{layer}.moe.router.groups"] = $"{Moe}.group_gate",
            ["layers.{layer}.moe.router.noise"] = $"{Moe}.noise",
            ["layers.{layer}.moe.router.table"] = $"{Moe}.hash.table",
            ["layers.{layer}.moe.router.tasks"] = $"{Moe}.task_gate",
            ["layers.{layer}.moe.shared_gate"] = $"{Moe}.shared_expert_gate",
        };
        AddNetwork("feed_forward", $"{Block}.mlp");
        AddNetwork("moe.experts", $"{Moe}.experts.{{expert}}");
        AddNetwork("moe.shared_experts", $"{Moe}.shared_experts");
        return new TensorNames("tinymoe", names.ToDictionary(
            pair => pair.Key, pair => (IReadOnlyList<NameTemplate>)[new NameTemplate(pair.Value)]));

        void AddNetwork(string ours, string theirs)
        {
            if (model.IsGated)
                names[$"layers.{{layer}}.{ours}.gate"] = $"{theirs}.w1";
            names[$"layers.{{layer}}.{ours}.up"] = model.IsGated ? $"{theirs}.w3" : $"{theirs}.w1";
            names[$"layers.{{layer}}.{ours}.down"] = $"{theirs}.w2";
        }
    }
}
