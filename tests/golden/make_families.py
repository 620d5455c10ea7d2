"""Makes tiny checkpoints of families that families/ has none of, in families-by-reader/: random weights, and the logits that hub_reader.py
computes of them from the rules of the families. (families/ itself was computed by transformers; the two agree to 3e-6.)

    python3 make_families.py families-by-reader

Each case: config.json, model.safetensors, case.json {input_ids, loss, logits}. mxfp4 and fp8 keep the packed tensors; the logits are of the
values that they stand for.
"""
import json
import math
import os
import random
import struct
import sys

import hub_reader

CODES = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6]


def float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def float8(code):
    """E4M3 without infinities."""
    sign, exponent, fraction = -1 if code & 128 else 1, code >> 3 & 15, code & 7
    return sign * (fraction / 8 * 2 ** -6 if exponent == 0 else (1 + fraction / 8) * 2 ** (exponent - 7))


def write(path, tensors):
    header, begin = {"__metadata__": {"format": "pt"}}, 0
    for name, (kind, shape, raw) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, begin + len(raw)]}
        begin += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(raw for _, _, raw in tensors.values()))


class Maker:
    def __init__(self, seed):
        self.random, self.made, self.packed = random.Random(seed), {}, {}

    def matrix(self, name, *shape, size=None):
        inputs = shape[-1] if size is None else size
        count = math.prod(shape)
        self.made[name] = (list(shape), [float32(self.random.gauss(0, 1.3 / math.sqrt(inputs))) for _ in range(count)])

    def vector(self, name, size, middle=0.0, spread=0.3):
        self.made[name] = ([size], [float32(self.random.gauss(middle, spread)) for _ in range(size)])

    def mxfp4(self, name, experts, rows, columns):
        """A tensor (E, rows, columns) packed; what it stands for is made too, with the last two axes swapped."""
        blocks, scales, values = bytearray(), bytearray(), []
        for _ in range(experts * rows * columns // 32):
            codes = [self.random.randrange(16) for _ in range(32)]
            scale = self.random.choice([123, 124, 125])
            blocks += bytes(codes[2 * i] | codes[2 * i + 1] << 4 for i in range(16))
            scales.append(scale)
            values += [CODES[code] * 2.0 ** (scale - 127) for code in codes]
        self.packed[name + "_blocks"] = ("U8", [experts, rows, columns // 32, 16], bytes(blocks))
        self.packed[name + "_scales"] = ("U8", [experts, rows, columns // 32], bytes(scales))
        swapped = [values[(e * rows + r) * columns + c] for e in range(experts) for c in range(columns) for r in range(rows)]
        self.made[name] = ([experts, columns, rows], swapped)

    def fp8(self, name, rows, columns, block):
        codes = bytes(self.random.choice([c for c in range(256) if c & 127 != 127 and (c >> 3 & 15) < 9]) for _ in range(rows * columns))
        wide = math.ceil(columns / block)
        scales = [float32(abs(self.random.gauss(0, 0.1)) + 0.05) for _ in range(math.ceil(rows / block) * wide)]
        self.packed[name] = ("F8_E4M3", [rows, columns], codes)
        self.packed[name + "_scale_inv"] = ("F32", [len(scales) // wide, wide], struct.pack(f"<{len(scales)}f", *scales))
        values = [float8(code) * scales[i // columns // block * wide + i % columns // block] for i, code in enumerate(codes)]
        self.made[name] = ([rows, columns], values)

    def save(self, folder, config, tokens=20):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)
        stored = {}
        for name, (shape, values) in self.made.items():
            if name + "_blocks" in self.packed or name in self.packed:
                continue
            stored[name] = ("F32", shape, struct.pack(f"<{len(values)}f", *values))
        stored.update(self.packed)
        write(os.path.join(folder, "model.safetensors"), stored)
        model = hub_reader.Model.__new__(hub_reader.Model)
        model.begin(config, self.made)
        ids = [self.random.randrange(config["vocab_size"]) for _ in range(tokens)]
        logits = model.logits(ids)
        hub_reader.all_read(model)
        loss = -math.fsum(math.log(hub_reader.softmax(row)[following]) for row, following in zip(logits, ids[1:])) / (tokens - 1)
        rounded = [[float(f"{v:.7g}") for v in row] for row in logits]
        with open(os.path.join(folder, "case.json"), "w", encoding="utf-8") as file:
            json.dump({"input_ids": [ids], "loss": loss, "logits": rounded}, file)

    def decoder(self, c, bias=()):
        size = c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]
        self.matrix("model.embed_tokens.weight", c["vocab_size"], c["hidden_size"], size=1.7)
        self.vector("model.norm.weight", c["hidden_size"], 1)
        if not c.get("tie_word_embeddings"):
            self.matrix("lm_head.weight", c["vocab_size"], c["hidden_size"])
        for layer in range(c["num_hidden_layers"]):
            block = f"model.layers.{layer}"
            self.vector(f"{block}.input_layernorm.weight", c["hidden_size"], 1)
            self.vector(f"{block}.post_attention_layernorm.weight", c["hidden_size"], 1)
            if "kv_lora_rank" in c:
                continue
            queries, keys = size * c["num_attention_heads"], size * c["num_key_value_heads"]
            for name, rows, columns in (("q", queries, c["hidden_size"]), ("k", keys, c["hidden_size"]), ("v", keys, c["hidden_size"]),
                                        ("o", c["hidden_size"], queries)):
                self.matrix(f"{block}.self_attn.{name}_proj.weight", rows, columns)
                if name in bias:
                    self.vector(f"{block}.self_attn.{name}_proj.bias", rows)

    def network(self, name, hidden, width):
        self.matrix(f"{name}.gate_proj.weight", hidden, width)
        self.matrix(f"{name}.up_proj.weight", hidden, width)
        self.matrix(f"{name}.down_proj.weight", width, hidden)

    def latent(self, c):
        n, r, v, rank, heads = (c[k] for k in ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "kv_lora_rank", "num_attention_heads"))
        for layer in range(c["num_hidden_layers"]):
            block = f"model.layers.{layer}.self_attn"
            if c["q_lora_rank"] is None:
                self.matrix(f"{block}.q_proj.weight", heads * (n + r), c["hidden_size"])
            else:
                self.matrix(f"{block}.q_a_proj.weight", c["q_lora_rank"], c["hidden_size"])
                self.vector(f"{block}.q_a_layernorm.weight", c["q_lora_rank"], 1)
                self.matrix(f"{block}.q_b_proj.weight", heads * (n + r), c["q_lora_rank"])
            self.matrix(f"{block}.kv_a_proj_with_mqa.weight", rank + r, c["hidden_size"])
            self.vector(f"{block}.kv_a_layernorm.weight", rank, 1)
            self.matrix(f"{block}.kv_b_proj.weight", heads * (n + v), rank)
            self.matrix(f"{block}.o_proj.weight", c["hidden_size"], heads * v)


def base(kind, **more):
    c = {"model_type": kind, "vocab_size": 96, "hidden_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-3, "hidden_act": "silu", "rope_theta": 10000.0,
         "tie_word_embeddings": False, "torch_dtype": "float32", "bos_token_id": 1, "eos_token_id": 2}
    c.update(more)
    return c


def experts(maker, c, block, count, hidden):
    for e in range(count):
        maker.network(f"{block}.mlp.experts.{e}", hidden, c["hidden_size"])


def qwen2_moe(folder):
    c = base("qwen2_moe", intermediate_size=28, moe_intermediate_size=12, shared_expert_intermediate_size=20, num_experts=11,
             num_experts_per_tok=4, norm_topk_prob=False, decoder_sparse_step=2, mlp_only_layers=[], qkv_bias=True,
             use_sliding_window=False, sliding_window=4096, max_window_layers=28)
    m = Maker(1)
    m.decoder(c, "qkv")
    for layer in range(3):
        block = f"model.layers.{layer}"
        if layer != 1:
            m.network(f"{block}.mlp", 28, 40)
            continue
        m.matrix(f"{block}.mlp.gate.weight", 11, 40)
        experts(m, c, block, 11, 12)
        m.network(f"{block}.mlp.shared_expert", 20, 40)
        m.matrix(f"{block}.mlp.shared_expert_gate.weight", 1, 40)
    m.save(folder, c)


def deepseek_v2(folder):
    c = base("deepseek_v2", num_key_value_heads=4, intermediate_size=36, moe_intermediate_size=12, kv_lora_rank=14, q_lora_rank=18,
             qk_nope_head_dim=10, qk_rope_head_dim=8, v_head_dim=12, n_routed_experts=12, num_experts_per_tok=3, n_shared_experts=2,
             first_k_dense_replace=1, topk_method="group_limited_greedy", n_group=4, topk_group=2, routed_scaling_factor=1.7,
             norm_topk_prob=False, attention_bias=False, max_position_embeddings=256,
             rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 32, "beta_slow": 1,
                           "mscale": 0.7, "mscale_all_dim": 0.9})
    m = Maker(2)
    m.decoder(c)
    m.latent(c)
    for layer in range(3):
        block = f"model.layers.{layer}"
        if layer == 0:
            m.network(f"{block}.mlp", 36, 40)
            continue
        m.matrix(f"{block}.mlp.gate.weight", 12, 40)
        experts(m, c, block, 12, 12)
        m.network(f"{block}.mlp.shared_experts", 24, 40)
    m.save(folder, c)


def fp8(folder):
    c = base("deepseek_v3", num_key_value_heads=4, intermediate_size=36, moe_intermediate_size=20, kv_lora_rank=14, q_lora_rank=None,
             qk_nope_head_dim=10, qk_rope_head_dim=6, v_head_dim=12, n_routed_experts=6, num_experts_per_tok=2, n_shared_experts=1,
             first_k_dense_replace=1, n_group=2, topk_group=1, routed_scaling_factor=1.3, norm_topk_prob=True, num_hidden_layers=2,
             topk_method="noaux_tc", scoring_func="sigmoid", num_nextn_predict_layers=1,
             quantization_config={"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [16, 16]})
    m = Maker(3)
    m.decoder(c)
    m.latent(c)
    m.network("model.layers.0.mlp", 36, 40)
    m.matrix("model.layers.1.mlp.gate.weight", 6, 40)
    m.vector("model.layers.1.mlp.gate.e_score_correction_bias", 6, 0, 0.2)
    experts(m, c, "model.layers.1", 6, 20)
    m.network("model.layers.1.mlp.shared_experts", 20, 40)
    for name, (shape, _) in list(m.made.items()):
        if len(shape) == 2 and ("_proj" in name):
            m.fp8(name, shape[0], shape[1], 16)
    # a layer of multi-token prediction, which nobody reads
    m.packed["model.layers.2.eh_proj.weight"] = ("F32", [2, 2], struct.pack("<4f", 1, 2, 3, 4))
    m.save(folder, c)


def gpt_oss(folder, packed):
    c = base("gpt_oss", hidden_size=64, head_dim=12, num_attention_heads=4, num_key_value_heads=2, intermediate_size=32,
             num_local_experts=5, num_experts_per_tok=2, sliding_window=6, attention_bias=True, swiglu_limit=1.5,
             layer_types=["sliding_attention", "full_attention", "sliding_attention"], num_hidden_layers=3, rope_theta=150000.0,
             max_position_embeddings=512,
             rope_scaling={"rope_type": "yarn", "factor": 8.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False,
                           "original_max_position_embeddings": 64})
    if packed:
        c["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]}
    m = Maker(4)
    m.decoder(c, "qkvo")
    for layer in range(3):
        block = f"model.layers.{layer}"
        m.vector(f"{block}.self_attn.sinks", 4, 0.5, 1)
        m.matrix(f"{block}.mlp.router.weight", 5, 64)
        m.vector(f"{block}.mlp.router.bias", 5)
        if packed:
            m.mxfp4(f"{block}.mlp.experts.gate_up_proj", 5, 64, 64)
            m.mxfp4(f"{block}.mlp.experts.down_proj", 5, 64, 32)
        else:
            m.matrix(f"{block}.mlp.experts.gate_up_proj", 5, 64, 64)
            m.matrix(f"{block}.mlp.experts.down_proj", 5, 32, 64)
        m.vector(f"{block}.mlp.experts.gate_up_proj_bias", 5 * 64)
        m.made[f"{block}.mlp.experts.gate_up_proj_bias"][0][:] = [5, 64]
        m.vector(f"{block}.mlp.experts.down_proj_bias", 5 * 64)
        m.made[f"{block}.mlp.experts.down_proj_bias"][0][:] = [5, 64]
    m.save(folder, c)


def granite(folder, shared):
    c = base("granitemoeshared" if shared else "granitemoe", intermediate_size=14, num_local_experts=6, num_experts_per_tok=3,
             embedding_multiplier=1.5, attention_multiplier=0.21, residual_multiplier=0.4, logits_scaling=3.0, attention_bias=False,
             tie_word_embeddings=True)
    m = Maker(5)
    m.decoder(c)
    if shared:
        c["shared_intermediate_size"] = 18
    for layer in range(3):
        block = f"model.layers.{layer}"
        m.matrix(f"{block}.block_sparse_moe.router.layer.weight", 6, 40)
        m.matrix(f"{block}.block_sparse_moe.input_linear.weight", 6, 28, 40)
        m.matrix(f"{block}.block_sparse_moe.output_linear.weight", 6, 40, 14)
        if shared:
            m.matrix(f"{block}.shared_mlp.input_linear.weight", 36, 40)
            m.matrix(f"{block}.shared_mlp.output_linear.weight", 40, 18)
    m.save(folder, c)


def glm4_moe(folder):
    c = base("glm4_moe", intermediate_size=36, moe_intermediate_size=12, n_routed_experts=9, num_experts_per_tok=1, n_shared_experts=1,
             first_k_dense_replace=1, n_group=1, topk_group=1, routed_scaling_factor=1.2, norm_topk_prob=True, attention_bias=True,
             use_qk_norm=True, head_dim=12, partial_rotary_factor=0.5)
    m = Maker(6)
    m.decoder(c, "qkv")
    for layer in range(3):
        block = f"model.layers.{layer}"
        m.vector(f"{block}.self_attn.q_norm.weight", 12, 1)
        m.vector(f"{block}.self_attn.k_norm.weight", 12, 1)
        if layer == 0:
            m.network(f"{block}.mlp", 36, 40)
            continue
        m.matrix(f"{block}.mlp.gate.weight", 9, 40)
        m.vector(f"{block}.mlp.gate.e_score_correction_bias", 9, 0, 0.2)
        experts(m, c, block, 9, 12)
        m.network(f"{block}.mlp.shared_experts", 12, 40)
    m.save(folder, c)


def olmoe_clip(folder):
    c = base("olmoe", intermediate_size=14, num_key_value_heads=2, num_experts=11, num_experts_per_tok=3, norm_topk_prob=True,
             clip_qkv=0.8, num_hidden_layers=2)
    m = Maker(7)
    m.decoder(c)
    for layer in range(2):
        block = f"model.layers.{layer}"
        m.vector(f"{block}.self_attn.q_norm.weight", 40, 1)
        m.vector(f"{block}.self_attn.k_norm.weight", 20, 1)
        m.matrix(f"{block}.mlp.gate.weight", 11, 40)
        experts(m, c, block, 11, 14)
    m.save(folder, c)


if __name__ == "__main__":
    out = sys.argv[1]
    qwen2_moe(os.path.join(out, "qwen2-moe"))
    deepseek_v2(os.path.join(out, "deepseek-v2"))
    fp8(os.path.join(out, "deepseek-v3-fp8"))
    gpt_oss(os.path.join(out, "gpt-oss"), packed=False)
    gpt_oss(os.path.join(out, "gpt-oss-mxfp4"), packed=True)
    granite(os.path.join(out, "granitemoe"), shared=False)
    granite(os.path.join(out, "granitemoeshared"), shared=True)
    glm4_moe(os.path.join(out, "glm4-moe"))
    olmoe_clip(os.path.join(out, "olmoe-clip"))
