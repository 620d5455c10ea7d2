#!/usr/bin/env python3
"""
Small checkpoints by a version of TinyMoE, for the tests that later versions still read them; and what that version made of them.

  make_checkpoints.py make BUILD          makes those that are not there; BUILD is a folder with tinymoe.dll
  make_checkpoints.py check BUILD         resumes each with BUILD and compares the sha256 of every tensor: bits, so only on
                                          processors with vectors of the same width as the one that made them
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "checkpoints")
STEPS, STOPPED, RESUMED = 500, 400, 403
TINY = ("model.width=12 model.layers=2 model.heads=2 model.kv_heads=1 model.context=16 moe.experts=4 moe.active=2 moe.hidden=4 "
        "train.batch=8 train.warmup=20 train.eval_every=100 train.eval_windows=8 train.learning_rate=0.01")
CHECKPOINTS = {
    "mixtral-v0": ("", ["text.txt"], None),
    "switch-head-v0": ("attention.kind=switch-head attention.experts=2 attention.active=1 model.window=8 model.positions=learned "
                       "model.biases=true model.width=10 model.hidden=8 moe.first_dense=1 moe.experts=2 moe.active=1 "
                       "moe.renormalize=false", ["text.txt"], None),
    "task-v0": ("moe.router=task moe.active=1 moe.renormalize=false", ["tides=text.txt", "trains=labelled.txt"], "trains"),
    "deepseek-v0": ("moe.router=deepseek moe.balance_loss=0 moe.z_loss=0 moe.shared_experts=1 moe.expert_precision=bfloat16 "
                    "moe.bias_rate=0.01 moe.experts=3", ["text.txt"], None),
}
PROMPT = "the "
TEXTS = {
    "text.txt": ("the tide is {0} at noon and the {1} lies still\n", ["low", "high", "slack"], ["sea", "sand", "stone", "hold"]),
    "labelled.txt": ("a train to {0} stands in {1} at one and at ten\n", ["lee", "deal", "holt"], ["rain", "sleet", "sand", "dread"]),
}


def write_texts():
    """The texts that the checkpoints were trained on, by a formula."""
    for name, (line, first, second) in TEXTS.items():
        content = "".join(line.format(first[i * i % len(first)], second[(i * 7 + i // 5) % len(second)]) for i in range(100))
        path = os.path.join(HERE, name)
        if not os.path.exists(path):
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                file.write(content)


def run(build, *arguments):
    """Standard output of a command that works in the folder of the checkpoints."""
    done = subprocess.run(["dotnet", os.path.join(build, "tinymoe.dll"), *arguments, "--threads", "2"], cwd=HERE, check=False,
                          capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


def resume(build, name, folder):
    """Goes on with a copy of a checkpoint for some steps: the loss of each, and the sha256 of every tensor with its two moments."""
    out = os.path.join(folder, name)
    shutil.copytree(os.path.join(HERE, name, "last"), os.path.join(out, "last"))
    run(build, "train", "--resume", "--out", out, "--data", *CHECKPOINTS[name][1], "--stop-at", str(RESUMED), "--json")
    with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as file:
        losses = [line["loss"] for line in map(json.loads, file) if line["kind"] == "train"]
    model, optimizer = (read(os.path.join(out, "last", f"{part}.safetensors")) for part in ("model", "optimizer"))
    if not optimizer.keys() <= {name + moment for name in model for moment in (".m", ".v")}:
        sys.exit(f"{name}: the optimizer has moments of what the model does not have")
    return {"stop_at": RESUMED, "losses": losses, "sha256": {
        tensor: hashlib.sha256(values + optimizer.get(f"{tensor}.m", b"") + optimizer.get(f"{tensor}.v", b"")).hexdigest()
        for tensor, values in sorted(model.items())}}


def read(path):
    """Name -> bytes of every tensor of a file."""
    with open(path, "rb") as file:
        content = file.read()
    length = int.from_bytes(content[:8], "little")
    return {name: content[8 + length:][slice(*entry["data_offsets"])]
            for name, entry in json.loads(content[8:8 + length]).items() if name != "__metadata__"}


def make(build, name):
    """Trains a checkpoint, and keeps what this version evaluates, writes and computes from it."""
    keys, data, label = CHECKPOINTS[name]
    settings = dict(setting.split("=") for setting in f"{TINY} {keys}".split())
    run(build, "train", "--out", name, "--data", *data, "--steps", str(STEPS), "--stop-at", str(STOPPED), "--json",
        "--set", *(f"{key}={value}" for key, value in settings.items()))
    shutil.rmtree(os.path.join(HERE, name, "best"))
    os.remove(os.path.join(HERE, name, "metrics.jsonl"))
    evaluation = json.loads(run(build, "eval", "--run", name, "--data", *data, "--json").splitlines()[0])
    text = run(build, "generate", "--run", name, "--prompt", PROMPT, "--tokens", "40", "--temperature", "0",
               *(["--label", label] if label else []))
    with tempfile.TemporaryDirectory() as folder:
        resumed = resume(build, name, folder)
    expected = {"data": data, "eval": {"step": evaluation["step"], "loss": evaluation["loss"]},
                "generate": {"prompt": PROMPT, "label": label, "text": text[:-1]}, "resume": resumed}
    with open(os.path.join(HERE, name, "expected.json"), "w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


def check(build):
    """Resumes every checkpoint with a build; the exit code says whether it computes the bits that were kept."""
    wrong = 0
    for name in CHECKPOINTS:
        with open(os.path.join(HERE, name, "expected.json"), encoding="utf-8") as file:
            expected = json.load(file)["resume"]
        with tempfile.TemporaryDirectory() as folder:
            found = resume(build, name, folder)
        expected, found = expected["sha256"], found["sha256"]
        differ = [tensor for tensor in expected | found if expected.get(tensor) != found.get(tensor)]
        wrong += bool(differ)
        print(f"DIFFERENT {name}: {len(differ)} tensors, first {differ[0]}" if differ else f"same  {name}")
    return 1 if wrong else 0


def main():
    """See the top of the file."""
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "check"):
        sys.exit(__doc__)
    build = os.path.abspath(sys.argv[2])
    if sys.argv[1] == "check":
        sys.exit(check(build))
    os.makedirs(HERE, exist_ok=True)
    write_texts()
    for name in CHECKPOINTS:
        if os.path.exists(os.path.join(HERE, name)):
            print(f"{name} is there already: it is never made anew")
        else:
            make(build, name)
            print(f"made {name}")


if __name__ == "__main__":
    main()
