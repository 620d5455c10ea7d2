using System.Text.Json.Nodes;

namespace TinyMoE.Families.Config;

/// <summary>Keys of <c>config.json</c> that no family reads, because they change nothing that a decoder computes.</summary>
internal static class Descriptive
{
    private static readonly HashSet<string> Known =
    [
        "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "auto_map", "_name_or_path", "_commit_hash",
        "_attn_implementation", "_attn_implementation_autoset", "use_cache", "initializer_range", "initializer_cutoff_factor",
        "pretraining_tp", "return_dict", "output_attentions", "output_hidden_states", "torchscript", "is_decoder", "name_or_path",
        "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "task_specific_params", "problem_type", "id2label",
        "label2id", "chunk_size_feed_forward", "tokenizer_class", "prefix", "pruned_heads", "finetuning_task",

        // of training alone
        "attention_dropout", "hidden_dropout", "resid_pdrop", "embd_pdrop", "dropout", "output_router_logits", "router_aux_loss_coef",
        "router_jitter_noise", "aux_loss_alpha", "seq_aux", "ep_size", "num_nextn_predict_layers", "use_bfloat16",

        // of generation
        "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty", "temperature",
        "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size",
        "bad_words_ids", "num_return_sequences", "output_scores", "return_dict_in_generate", "forced_bos_token_id",
        "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
        "sep_token_id", "tie_encoder_decoder", "cross_attention_hidden_size", "tf_legacy_loss", "rope_theta_comment",
    ];

    /// <summary>
    /// Refuses what nobody read and what may change the computation; tells of the rest. A text, null, false and an empty list or object
    /// under an unknown name are taken to describe; a number, true or an object are taken to compute.
    /// </summary>
    public static IEnumerable<string> Check(FamilyConfig file, string family)
    {
        List<string> ignored = [];
        foreach ((string name, JsonNode? value) in file.Unread)
        {
            if (Known.Contains(name))
                continue;
            bool describes = value switch
            {
                null => true,
                JsonArray { Count: 0 } or JsonObject { Count: 0 } => true,
                JsonValue some when some.TryGetValue(out string? _) => true,
                JsonValue some when some.TryGetValue(out bool flag) => !flag,
                _ => false,
            };
            if (!describes)
            {
                throw new TinyMoEException($"{file.Path}: {Files.Excerpt.Of(name)}={FamilyConfig.Shown(value)} is not known of family "
                    + $"{family}; if it changes nothing that the model computes, take the key out");
            }

            ignored.Add(Files.Excerpt.Of(name));
        }

        return ignored.Count == 0 ? [] : [$"{file.Path}: not read: {string.Join(", ", ignored)}"];
    }
}
