"""Reads a model in Hugging Face's form and computes its logits, to check exports by something that shares no code with the engine.

    python3 hub_reader.py FOLDER 1,2,3        prints a JSON list of T lists of V logits

Only Python is needed; all arithmetic is in double precision, a loop at a time, so it is for small models. Written from the rules of the
families' config.json (see docs/families.md), and checked against the logits in families/ (hub_reader.py --check families).
"""
import json
import math
import os
import struct
import sys


# ---- files

def widen(kind, raw):
    if kind == "F32":
        return struct.unpack(f"<{len(raw) // 4}f", raw)
    if kind == "BF16":
        return struct.unpack(f"<{len(raw) // 2}f", b"".join(b"\0\0" + raw[i:i + 2] for i in range(0, len(raw), 2)))
    if kind == "F16":
        return struct.unpack(f"<{len(raw) // 2}e", raw)
    raise ValueError(kind)


def tensors_of(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        start = file.tell()
        assert header.pop("__metadata__")["format"] == "pt"
        result = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            file.seek(start + begin)
            result[name] = (entry["shape"], widen(entry["dtype"], file.read(end - begin)))
        return result


def model_of(folder):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    index = os.path.join(folder, "model.safetensors.index.json")
    if not os.path.exists(index):
        return config, tensors_of(os.path.join(folder, "model.safetensors"))
    with open(index, encoding="utf-8") as file:
        places = json.load(file)["weight_map"]
    result = {}
    for shard in sorted(set(places.values())):
        found = tensors_of(os.path.join(folder, shard))
        assert all(places[name] == shard for name in found)
        result.update(found)
    assert set(result) == set(places)
    return config, result


# ---- arithmetic on lists of floats

def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def silu(x):
    return x / (1 + math.exp(-x)) if x > -700 else 0.0


def softmax(values):
    most = max(values)
    powers = [math.exp(v - most) for v in values]
    total = math.fsum(powers)
    return [p / total for p in powers]


class Model:
    def __init__(self, folder):
        self.begin(*model_of(folder))

    def begin(self, config, tensors):
        self.config, self.tensors = config, tensors
        self.unread = set(self.tensors)
        c = self.config
        self.kind = c["model_type"]
        self.width, self.heads, self.layers = c["hidden_size"], c["num_attention_heads"], c["num_hidden_layers"]
        self.kv_heads = c.get("num_key_value_heads") or self.heads
        self.latent = self.kind in ("deepseek_v2", "deepseek_v3")
        self.head_size = c.get("head_dim") or self.width // self.heads
        self.epsilon = c["rms_norm_eps"]
        self.rope_of()

    def vector(self, name):
        self.unread.discard(name)
        return self.tensors[name][1]

    def has(self, name):
        return name in self.tensors

    def apply(self, name, x):
        """W x (+ b), W (outputs, inputs)."""
        (outputs, inputs), w = self.tensors[name + ".weight"]
        self.unread.discard(name + ".weight")
        y = [dot(w[o * inputs:(o + 1) * inputs], x) for o in range(outputs)]
        if self.has(name + ".bias"):
            y = [a + b for a, b in zip(y, self.vector(name + ".bias"))]
        return y

    def norm(self, name, x, epsilon=None):
        w = self.vector(name + ".weight")
        scale = 1 / math.sqrt(dot(x, x) / len(x) + (self.epsilon if epsilon is None else epsilon))
        return [v * scale * g for v, g in zip(x, w)]

    # ---- positions

    def rope_of(self):
        c = self.config
        rope = c.get("rope_parameters") or c.get("rope_scaling") or {}
        theta = rope.get("rope_theta", c.get("rope_theta", 10000.0))
        kind = rope.get("rope_type", rope.get("type", "default"))
        share = rope.get("partial_rotary_factor", c.get("partial_rotary_factor", 0.5 if self.kind == "glm4_moe" else 1.0))
        size = c["qk_rope_head_dim"] if self.latent else int(self.head_size * share)
        self.rope_size, self.rope_factor = size, 1.0
        inverse = [theta ** (-2 * i / size) for i in range(size // 2)]
        s = rope.get("factor", 1.0)
        if kind == "linear":
            inverse = [f / s for f in inverse]
        elif kind == "llama3":
            original = rope["original_max_position_embeddings"]
            low, high = rope["low_freq_factor"], rope["high_freq_factor"]
            for i, f in enumerate(inverse):
                turns = original * f / (2 * math.pi)
                mix = min(1.0, max(0.0, (turns - low) / (high - low)))
                inverse[i] = (1 - mix) * f / s + mix * f
        elif kind == "yarn":
            original = rope.get("original_max_position_embeddings", c["max_position_embeddings"])

            def pair(turns):
                return size * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))

            first, last = pair(rope.get("beta_fast", 32)), pair(rope.get("beta_slow", 1))
            if rope.get("truncate", True):
                first, last = math.floor(first), math.ceil(last)
            first, last = max(first, 0), min(last, size - 1)
            last += 0.001 if first == last else 0
            for i, f in enumerate(inverse):
                ramp = min(1.0, max(0.0, (i - first) / (last - first)))
                inverse[i] = ramp * f / s + (1 - ramp) * f

            def mscale(k):
                return 1.0 if s <= 1 else 0.1 * k * math.log(s) + 1

            if rope.get("attention_factor") is not None:
                self.rope_factor = rope["attention_factor"]
            elif rope.get("mscale") and rope.get("mscale_all_dim"):
                self.rope_factor = mscale(rope["mscale"]) / mscale(rope["mscale_all_dim"])
            else:
                self.rope_factor = mscale(1)
        else:
            assert kind == "default", kind
        self.inverse = inverse
        self.score_scale = None
        if self.latent:
            scale = (c["qk_nope_head_dim"] + size) ** -0.5
            if kind == "yarn" and rope.get("mscale_all_dim"):
                scale *= (0.1 * rope["mscale_all_dim"] * math.log(s) + 1) ** 2 if s > 1 else 1
            self.score_scale = scale

    def turn(self, x, position):
        half = self.rope_size // 2
        neighbours = self.latent and self.config.get("rope_interleave", True)
        y = list(x)
        for i, f in enumerate(self.inverse):
            a, b = (2 * i, 2 * i + 1) if neighbours else (i, i + half)
            cos, sin = math.cos(position * f) * self.rope_factor, math.sin(position * f) * self.rope_factor
            y[a], y[b] = x[a] * cos - x[b] * sin, x[b] * cos + x[a] * sin
        return y

    # ---- attention; q, k, v by head, for every token

    def by_heads(self, block, x, position):
        def cut(y, heads, name):
            if self.kind == "olmoe":
                y = self.norm(f"{block}.{name}_norm", y)
                clip = self.config.get("clip_qkv")
                if clip is not None:
                    y = [max(-clip, min(clip, v)) for v in y]
            parts = [y[h * self.head_size:(h + 1) * self.head_size] for h in range(heads)]
            if self.kind in ("qwen3", "qwen3_moe") or (self.kind == "glm4_moe" and self.config.get("use_qk_norm")):
                parts = [self.norm(f"{block}.{name}_norm", part) for part in parts]
            return [self.turn(part, position) for part in parts]

        q = cut(self.apply(f"{block}.q_proj", x), self.heads, "q")
        k = cut(self.apply(f"{block}.k_proj", x), self.kv_heads, "k")
        v = self.apply(f"{block}.v_proj", x)
        clip = self.config.get("clip_qkv")
        if clip is not None:
            v = [max(-clip, min(clip, value)) for value in v]
        return q, k, [v[h * self.head_size:(h + 1) * self.head_size] for h in range(self.kv_heads)]

    def by_latent(self, block, x, position):
        c = self.config
        n, r, v_size, rank = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"], c["kv_lora_rank"]
        if c.get("q_lora_rank") is None:
            q = self.apply(f"{block}.q_proj", x)
        else:
            small = self.norm(f"{block}.q_a_layernorm", self.apply(f"{block}.q_a_proj", x), 1e-6)
            q = self.apply(f"{block}.q_b_proj", small)
        down = self.apply(f"{block}.kv_a_proj_with_mqa", x)
        up = self.apply(f"{block}.kv_b_proj", self.norm(f"{block}.kv_a_layernorm", down[:rank], 1e-6))
        shared = self.turn(down[rank:], position)
        queries, keys, values = [], [], []
        for h in range(self.heads):
            mine = q[h * (n + r):(h + 1) * (n + r)]
            queries.append(mine[:n] + self.turn(mine[n:], position))
            both = up[h * (n + v_size):(h + 1) * (n + v_size)]
            keys.append(both[:n] + shared)
            values.append(both[n:])
        return queries, keys, values

    def attend(self, layer, rows):
        block = f"model.layers.{layer}.self_attn"
        made = [(self.by_latent if self.latent else self.by_heads)(block, x, t) for t, x in enumerate(rows)]
        window = self.window(layer)
        scale = self.score_scale or self.config.get("attention_multiplier") or self.head_size ** -0.5
        groups = 1 if self.latent else self.heads // self.kv_heads
        result = []
        for t, (q, _, _) in enumerate(made):
            first = 0 if window is None else max(0, t - window + 1)
            y = []
            for h in range(self.heads):
                scores = [scale * dot(q[h], made[s][1][h // groups]) for s in range(first, t + 1)]
                if self.kind == "gpt_oss":
                    weights = softmax(scores + [self.vector(f"{block}.sinks")[h]])[:-1]
                else:
                    weights = softmax(scores)
                size = len(made[0][2][0])
                y += [math.fsum(w * made[first + i][2][h // groups][d] for i, w in enumerate(weights)) for d in range(size)]
            result.append(self.apply(f"{block}.o_proj", y))
        return result

    def window(self, layer):
        c = self.config
        if c.get("layer_types"):
            return c["sliding_window"] if c["layer_types"][layer] == "sliding_attention" else None
        if self.kind.startswith("qwen"):
            return c["sliding_window"] if c.get("use_sliding_window") else None
        return c.get("sliding_window")

    # ---- feed-forward

    def network(self, name, x, names=("gate_proj", "up_proj", "down_proj")):
        gate, up = self.apply(f"{name}.{names[0]}", x), self.apply(f"{name}.{names[1]}", x)
        return self.apply(f"{name}.{names[2]}", [silu(g) * u for g, u in zip(gate, up)])

    def fused(self, name, expert, x):
        """Granite's: input_linear (E, 2F, C) or (2F, C), gate first; output_linear (E, C, F) or (C, F)."""
        def rows(tensor, x):
            shape, w = self.tensors[f"{name}.{tensor}.weight"]
            self.unread.discard(f"{name}.{tensor}.weight")
            outputs, inputs = shape[-2:]
            first = 0 if expert is None else expert * outputs * inputs
            return [dot(w[first + o * inputs:first + (o + 1) * inputs], x) for o in range(outputs)]

        both = rows("input_linear", x)
        half = len(both) // 2
        return rows("output_linear", [silu(g) * u for g, u in zip(both[:half], both[half:])])

    def clamped(self, name, expert, x):
        """GPT-OSS's: gate_up_proj (E, C, 2F), gate in even columns; down_proj (E, F, C); both with biases."""
        (_, _, two_f), w = self.tensors[f"{name}.gate_up_proj"]
        c, f = self.width, two_f // 2
        self.unread.discard(f"{name}.gate_up_proj")
        self.unread.discard(f"{name}.down_proj")
        b = self.vector(f"{name}.gate_up_proj_bias")[expert * two_f:(expert + 1) * two_f]
        first = expert * c * two_f
        both = [math.fsum(x[i] * w[first + i * two_f + o] for i in range(c)) + b[o] for o in range(two_f)]
        limit, alpha = self.config.get("swiglu_limit", 7.0), self.config.get("swiglu_alpha", 1.702)
        hidden = []
        for j in range(f):
            gate, up = min(both[2 * j], limit), max(-limit, min(limit, both[2 * j + 1]))
            hidden.append(gate / (1 + math.exp(-alpha * gate)) * (up + 1))
        w = self.tensors[f"{name}.down_proj"][1]
        b = self.vector(f"{name}.down_proj_bias")[expert * c:(expert + 1) * c]
        first = expert * f * c
        return [math.fsum(hidden[j] * w[first + j * c + o] for j in range(f)) + b[o] for o in range(c)]

    def is_sparse(self, layer):
        c = self.config
        if "first_k_dense_replace" in c:
            return layer >= c["first_k_dense_replace"]
        if "decoder_sparse_step" in c:
            return layer not in (c.get("mlp_only_layers") or []) and (layer + 1) % c["decoder_sparse_step"] == 0
        return self.kind in ("mixtral", "olmoe", "gpt_oss", "granitemoe", "granitemoeshared")

    def choose(self, x, block):
        """Experts and their gates."""
        c = self.config
        k = c["num_experts_per_tok"]
        if self.kind in ("gpt_oss", "granitemoe", "granitemoeshared"):
            name = f"{block}.mlp.router" if self.kind == "gpt_oss" else f"{block}.block_sparse_moe.router.layer"
            logits = self.apply(name, x)
            best = sorted(range(len(logits)), key=lambda e: -logits[e])[:k]
            return list(zip(best, softmax([logits[e] for e in best])))
        if self.kind == "mixtral":
            p = softmax(self.apply(f"{block}.block_sparse_moe.gate", x))
            best = sorted(range(len(p)), key=lambda e: -p[e])[:k]
            total = math.fsum(p[e] for e in best)
            return [(e, p[e] / total) for e in best]
        logits = self.apply(f"{block}.mlp.gate", x)
        if self.kind in ("deepseek_v3", "glm4_moe"):
            scores = [1 / (1 + math.exp(-v)) for v in logits]
            biased = [s + b for s, b in zip(scores, self.vector(f"{block}.mlp.gate.e_score_correction_bias"))]
            groups, size = c["n_group"], len(scores) // c["n_group"]
            worth = [sum(sorted(biased[g * size:(g + 1) * size])[-2:]) for g in range(groups)]
            open_groups = sorted(range(groups), key=lambda g: -worth[g])[:c["topk_group"]]
            best = sorted((e for e in range(len(scores)) if e // size in open_groups), key=lambda e: -biased[e])[:k]
            total = math.fsum(scores[e] for e in best) + 1e-20 if c["norm_topk_prob"] else 1.0
            return [(e, scores[e] / total * c["routed_scaling_factor"]) for e in best]
        p = softmax(logits)
        allowed = range(len(p))
        if c.get("topk_method") == "group_limited_greedy":
            size = len(p) // c["n_group"]
            worth = [max(p[g * size:(g + 1) * size]) for g in range(c["n_group"])]
            open_groups = sorted(range(c["n_group"]), key=lambda g: -worth[g])[:c["topk_group"]]
            allowed = [e for e in allowed if e // size in open_groups]
        best = sorted(allowed, key=lambda e: -p[e])[:k]
        if self.kind == "deepseek_v2":
            return [(e, p[e] * c["routed_scaling_factor"]) for e in best]
        total = math.fsum(p[e] for e in best) if c.get("norm_topk_prob") else 1.0
        return [(e, p[e] / total) for e in best]

    def feed(self, layer, x):
        block = f"model.layers.{layer}"
        if not self.is_sparse(layer):
            return self.network(f"{block}.mlp", x)
        y = [0.0] * self.width
        for expert, gate in self.choose(x, block):
            if self.kind == "gpt_oss":
                out = self.clamped(f"{block}.mlp.experts", expert, x)
            elif self.kind.startswith("granite"):
                out = self.fused(f"{block}.block_sparse_moe", expert, x)
            elif self.kind == "mixtral":
                out = self.network(f"{block}.block_sparse_moe.experts.{expert}", x, ("w1", "w3", "w2"))
            else:
                out = self.network(f"{block}.mlp.experts.{expert}", x)
            y = [a + gate * b for a, b in zip(y, out)]
        if self.config.get("n_shared_experts"):
            y = [a + b for a, b in zip(y, self.network(f"{block}.mlp.shared_experts", x))]
        if self.kind == "granitemoeshared" and self.config.get("shared_intermediate_size"):
            y = [a + b for a, b in zip(y, self.fused(f"{block}.shared_mlp", None, x))]
        if self.kind == "qwen2_moe":
            share = 1 / (1 + math.exp(-self.apply(f"{block}.mlp.shared_expert_gate", x)[0]))
            y = [a + share * b for a, b in zip(y, self.network(f"{block}.mlp.shared_expert", x))]
        return y

    def logits(self, ids):
        c = self.config
        embedding = self.vector("model.embed_tokens.weight")
        rows = [[c.get("embedding_multiplier", 1) * v for v in embedding[i * self.width:(i + 1) * self.width]] for i in ids]
        share = c.get("residual_multiplier", 1)
        for layer in range(self.layers):
            block = f"model.layers.{layer}"
            added = self.attend(layer, [self.norm(f"{block}.input_layernorm", x) for x in rows])
            rows = [[a + share * b for a, b in zip(x, y)] for x, y in zip(rows, added)]
            added = [self.feed(layer, self.norm(f"{block}.post_attention_layernorm", x)) for x in rows]
            rows = [[a + share * b for a, b in zip(x, y)] for x, y in zip(rows, added)]
        rows = [self.norm("model.norm", x) for x in rows]
        if c.get("tie_word_embeddings"):
            head = embedding
            assert not self.has("lm_head.weight")
        else:
            head = self.vector("lm_head.weight")
        scaling = c.get("logits_scaling", 1)
        return [[dot(head[v * self.width:(v + 1) * self.width], x) / scaling for v in range(c["vocab_size"])] for x in rows]


def all_read(model):
    """Every tensor of the files must have been needed, but for experts that no token has chosen."""
    left = [name for name in model.unread if ".experts." not in name]
    assert not left, sorted(left)[:3]


def check(folder):
    """Compares with what transformers computed."""
    for case in sorted(os.listdir(folder)):
        place = os.path.join(folder, case)
        if not os.path.exists(os.path.join(place, "case.json")):
            continue
        with open(os.path.join(place, "case.json"), encoding="utf-8") as file:
            ids = json.load(file)["input_ids"]
        with open(os.path.join(place, "expected.safetensors"), "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
            begin, end = header["logits"]["data_offsets"]
            file.seek(begin, os.SEEK_CUR)
            expected = struct.unpack(f"<{(end - begin) // 4}f", file.read(end - begin))
        model = Model(place)
        found = [value for row in model.logits(ids[0]) for value in row]
        most = max(abs(v) for v in expected)
        print(f"{case}: {max(abs(a - b) for a, b in zip(found, expected)) / most:.1e} of the largest logit")


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        read = Model(sys.argv[1])
        json.dump(read.logits([int(i) for i in sys.argv[2].split(",")]), sys.stdout)
