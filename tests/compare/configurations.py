"""What same_bits.py trains: the configurations, and the text they train on, both the same on every machine."""

import json
import os

STEPS = 12

# Each configuration is a name and what follows --set; "preset=" names a preset, "data=" another text than the two
# sources. The keys are those of the first version: they have to keep working.
COMMON = "train.warmup=3 train.eval_every=6 train.eval_windows=6 train.checkpoint_every=12"
SMALL = ("model.width=64 model.layers=2 model.heads=4 model.kv_heads=2 model.context=32 moe.experts=8 moe.hidden=64 "
         "train.batch=4")
DEEPSEEK = "moe.router=deepseek moe.balance_loss=0 moe.z_loss=0"
SWITCH_HEAD = "attention.kind=switch-head attention.experts=4 attention.active=2"
CAPACITY = "moe.capacity_factor=0.75 moe.min_capacity=1"


def presets():
    """Every preset, with small batches and fewer layers where it would be slow; widths and experts are its own."""
    short = "model.context=64 train.batch=2 model.layers=2"
    return {
        "mixtral-tiny": "model.context=64 train.batch=4",
        "makemoe": "train.batch=4 model.layers=3",
        "nano": "train.batch=4",
        "shazeer-tiny": short,
        "switch-tiny": short,
        "deepseek-tiny": short,
        "switch-head-tiny": short,
        "bench": "train.batch=1 model.layers=1",
        "bench-64-experts": "train.batch=1 model.layers=1",
        "bench-narrow": "train.batch=4 model.layers=2",
    }


def routers():
    """Every router on the small model."""
    return {
        "top-k": "",
        "noisy-top-k": "moe.load_loss=0.01 moe.importance_loss=0.01",
        "switch": "moe.active=1 moe.jitter=0.02",
        "gshard": "moe.gshard_loss=0.01",
        "expert-choice": "moe.allow_non_causal=true",
        "base": "",
        "sinkhorn": "",
        "hash": "",
        "task": "",
        "soft": "",
        "hierarchical": "moe.groups=4 moe.active_groups=2 moe.active=4",
        "deepseek": "moe.groups=4 moe.active_groups=2 moe.routed_scaling=2.5 moe.sequence_loss=0.001 moe.bias_rate=0.01",
        "random": "",
        "uniform": "",
    }


def variants():
    """The small model with one or a few switches moved."""
    return {
        "not-renormalized": "moe.renormalize=false",
        "one-expert": "moe.active=1 moe.renormalize=false",
        "task-one-expert": "moe.router=task moe.active=1 moe.renormalize=false moe.tasks=5",
        "task-by-record": "moe.router=task data.labels=record data=records.jsonl",
        "labels-by-file": "moe.router=task data.labels=file data=texts",
        "hash-balanced": "moe.router=hash moe.hash=balanced",
        "expert-choice-batch": "moe.router=expert-choice moe.allow_non_causal=true moe.choice_group=batch",
        "expert-choice-position": "moe.router=expert-choice moe.choice_group=position",
        "sinkhorn-one-expert": "moe.router=sinkhorn moe.active=1",
        "deepseek-shared-bfloat16": f"{DEEPSEEK} moe.shared_experts=1 moe.expert_precision=bfloat16",
        "experts-bfloat16": "moe.expert_precision=bfloat16",
        "experts-bfloat16-biases-relu": "moe.expert_precision=bfloat16 model.biases=true model.feed_forward=relu",
        "router-bfloat16": "moe.router_precision=bfloat16",
        "switch-head-gate-dropout": f"{SWITCH_HEAD} attention.gate_dropout=0.2",
        "switch-head-window-biases": f"{SWITCH_HEAD} model.window=8 model.biases=true model.positions=learned",
        "capacity-position": f"{CAPACITY} moe.drop=position",
        "capacity-probability": f"{CAPACITY} moe.drop=probability",
        "capacity-random": f"{CAPACITY} moe.drop=random",
        "capacity-in-evaluation": f"{CAPACITY} moe.eval_capacity_factor=1 moe.allow_non_causal=true",
        "capacity-switch-bfloat16": f"{CAPACITY} moe.router=switch moe.active=1 moe.expert_precision=bfloat16",
        "shared-experts-gate": "moe.shared_experts=2 moe.shared_gate=true",
        "window": "model.window=8",
        "rope-theta-one-kv-head": "model.rope_theta=500 model.kv_heads=1",
        "learned-layer-biases-gelu": "model.positions=learned model.norm=layer model.biases=true model.feed_forward=gelu",
        "untied": "model.tie_embeddings=false",
        "dropouts": "model.dropout=0.1 moe.expert_dropout=0.2 moe.gate_dropout=0.1",
        "jitter": "moe.jitter=0.05",
        "logit-noise": "moe.logit_noise=1 moe.load_loss=0.01",
        "accumulation": "train.accumulation=2",
        "accumulation-capacity-dropout": f"train.accumulation=2 {CAPACITY} model.dropout=0.1",
        "schedule-wsd": "train.schedule=wsd train.decay_share=0.5",
        "schedule-constant-no-clip": "train.schedule=constant train.clip=0 train.weight_decay=0 train.beta1=0.8",
        "tokenizer-byte": "data.tokenizer=byte",
        "no-balance-loss": "moe.balance_loss=0 moe.z_loss=0",
        "sequence-loss": "moe.balance_loss=0 moe.z_loss=0 moe.sequence_loss=0.01",
        "gshard-loss": "moe.balance_loss=0 moe.z_loss=0 moe.gshard_loss=0.01",
        "importance-loss": "moe.balance_loss=0 moe.z_loss=0 moe.importance_loss=0.01",
        "z-loss": "moe.balance_loss=0 moe.z_loss=0.01",
        "every-loss-summed": "moe.sequence_loss=0.01 moe.gshard_loss=0.01 moe.importance_loss=0.01 moe.layer_losses=sum",
        "dense-layers-between": "model.layers=4 moe.first_dense=1 moe.every=2 model.hidden=96",
        "init-switch": "model.init=switch model.init_scale=0.2 model.norm_epsilon=0.001",
        "init-kaiming": "model.init=kaiming model.tie_embeddings=false",
        "odd-sizes": "model.width=54 model.heads=3 model.kv_heads=1 model.context=37 moe.experts=5 moe.active=3 moe.hidden=45 "
                     "train.batch=3",
        "odd-sizes-bfloat16": "model.width=54 model.heads=3 model.kv_heads=1 model.context=37 moe.experts=5 moe.hidden=45 "
                              "train.batch=3 moe.expert_precision=bfloat16",
    }


# These are also stopped after half of the steps and resumed.
RESUMED = ("preset-mixtral-tiny", "router-deepseek", "hash-balanced", "task-one-expert", "switch-head-gate-dropout")


def all_configurations():
    """Name -> (preset, list of key=value, list of text)."""
    found = {f"preset-{name}": (f"preset={name} {keys}") for name, keys in presets().items()}
    found.update({f"router-{name}": f"{SMALL} moe.router={name} {keys}" for name, keys in routers().items()})
    found.update({name: f"{SMALL} {keys}" for name, keys in variants().items()})
    return {name: _split(f"{COMMON} {keys}") for name, keys in found.items()}


def _split(keys):
    preset, data, last = "mixtral-tiny", ["left=text/left.txt", "right=text/right.txt"], {}
    for setting in keys.split():
        key, value = setting.split("=", 1)
        if key == "preset":
            preset = value
        elif key == "data":
            data = [value if value.endswith(".jsonl") else f"text/{value}"]
        else:
            last[key] = value
    data = [f"text/{source}" if source.endswith(".jsonl") else source for source in data]
    return preset, [f"{key}={value}" for key, value in last.items()], data


LEFT = "the a router sends token to an expert gate and bias learns slow load of each layer is équal → more".split()
RIGHT = "sea ship wind sail north harbour rope mast «deck» storm 12 34 calm gull tide 😀 anchor".split()


def _words(words, count, seed):
    """A text of so many words by a linear congruential generator; a word is drawn near the one before it."""
    state, place, lines = seed, 0, []
    for line in range(count // 10):
        line = []
        for _ in range(10):
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            draw = state >> 33
            place = (place + 1 + draw % 3) % len(words) if draw % 7 else draw // 7 % len(words)
            line.append(words[place])
        lines.append(" ".join(line).capitalize() + ".")
    return lines


def write_text(folder):
    """Writes the texts, about 200 KB: two sources, a folder of files, and labelled records."""
    left, right = _words(LEFT, 16000, 1), _words(RIGHT, 14000, 2)
    _write(folder, "left.txt", "\n".join(left) + "\n")
    _write(folder, "right.txt", "\ufeff" + "\r\n".join(right))       # a mark, line ends of two characters, none at the end
    for index in range(4):
        words = RIGHT if index % 2 else LEFT
        _write(folder, f"texts/file{index}.txt", "\n".join(_words(words, 2000, 10 + index)) + "\n")
    records = [{"text": line, "label": ("left", "right", "none")[index % 3]} for index, line in
               enumerate(line for pair in zip(left[:400], right[:400]) for line in pair)]
    _write(folder, "records.jsonl", "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def _write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(text.encode("utf-8"))
