"""
The peer of native/device/run.sh's speed part, on an NVIDIA card: the model of moe.py as a PyTorch user would write it for a card, with
scaled_dot_product_attention, tokens sorted by expert, fused AdamW, and torch._grouped_mm for the experts where PyTorch has it and the
mode is bfloat16, a loop over the experts else.

Trains some steps on random ids in each shape and mode, all in one process, and prints a line for each: the median time of a step, tokens
per second, arithmetic per second, peak memory. The time is without the making of the batch; TinyMoE's includes it.
"""
import argparse
import statistics
import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Sizes:
    vocabulary: int = 256
    width: int = 256
    layers: int = 4
    heads: int = 8
    kv_heads: int = 4
    experts: int = 8
    active: int = 2
    hidden: int = 512
    context: int = 256
    batch: int = 8


# with the number of steps of a measurement
SHAPES = {
    "bench": (Sizes(), 100),
    "big": (Sizes(width=1024, layers=8, heads=16, kv_heads=8, hidden=1024, context=1024, batch=16), 16),
    "tiny": (Sizes(width=32, layers=2, heads=4, kv_heads=2, hidden=48, context=32, batch=2), 8),  # to try this script
}
COMPILED_TAKES = 40  # seconds


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), 1e-5)


class Attention(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.sizes, self.size = s, s.width // s.heads
        self.query = nn.Linear(s.width, s.width, bias=False)
        self.key = nn.Linear(s.width, s.kv_heads * self.size, bias=False)
        self.value = nn.Linear(s.width, s.kv_heads * self.size, bias=False)
        self.output = nn.Linear(s.width, s.width, bias=False)
        angles = torch.outer(torch.arange(s.context).float(), 10000.0 ** (-torch.arange(0, self.size, 2) / self.size))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def rotate(self, x):
        a, b = x.chunk(2, -1)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def forward(self, x):
        B, T, C = x.shape
        q = self.rotate(self.query(x).view(B, T, -1, self.size).transpose(1, 2))
        k = self.rotate(self.key(x).view(B, T, -1, self.size).transpose(1, 2))
        v = self.value(x).view(B, T, -1, self.size).transpose(1, 2)
        shared = self.sizes.heads // self.sizes.kv_heads
        k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.output(y.transpose(1, 2).reshape(B, T, C))


class Mixture(nn.Module):
    def __init__(self, s):
        super().__init__()

        def weights(inputs, outputs):
            return nn.Parameter(torch.randn(s.experts, inputs, outputs) * 0.02)

        self.sizes = s
        self.router = nn.Linear(s.width, s.experts, bias=False)
        self.w1, self.w3, self.w2 = weights(s.width, s.hidden), weights(s.width, s.hidden), weights(s.hidden, s.width)

    def forward(self, x, grouped):
        shape, E, K = x.shape, self.sizes.experts, self.sizes.active
        x = x.reshape(-1, self.sizes.width)                      # (N, C)
        logits = self.router(x).float()                          # (N, E)
        largest, chosen = logits.topk(K, -1)                     # (N, K)
        gates = largest.softmax(-1)
        expert = chosen.reshape(-1)
        order = expert.argsort(stable=True)                      # rows in expert order: which choice a row carries
        counts = torch.bincount(expert, minlength=E)
        token = order // K
        rows = x[token]
        computed = self.in_one_call(rows, counts) if grouped else self.in_a_loop(rows, counts)
        y = torch.zeros(x.shape, device=x.device).index_add(0, token, computed.float() * gates.reshape(-1)[order].unsqueeze(1))
        share = F.one_hot(chosen, E).float().mean((0, 1))
        return y.view(shape), E * (share * logits.softmax(-1).mean(0)).sum()

    def in_one_call(self, rows, counts):
        ends, rows = counts.cumsum(0).to(torch.int32), rows.bfloat16()

        def multiply(x, w):
            return torch._grouped_mm(x, w.bfloat16(), offs=ends)

        return multiply(F.silu(multiply(rows, self.w1)) * multiply(rows, self.w3), self.w2)

    def in_a_loop(self, rows, counts):
        return torch.cat([
            (F.silu(mine @ self.w1[e].to(mine.dtype)) * (mine @ self.w3[e].to(mine.dtype))) @ self.w2[e].to(mine.dtype)
            for e, mine in enumerate(rows.split(counts.tolist())) if len(mine) > 0
        ])


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.attention_norm, self.attention, self.mixture_norm, self.mixture = Norm(s.width), Attention(s), Norm(s.width), Mixture(s)

    def forward(self, x, grouped):
        x = x + self.attention(self.attention_norm(x))
        y, balance = self.mixture(self.mixture_norm(x), grouped)
        return x + y.to(x.dtype), balance


class Model(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.sizes = s
        self.tokens = nn.Embedding(s.vocabulary, s.width)
        self.blocks = nn.ModuleList(Block(s) for _ in range(s.layers))
        self.norm = Norm(s.width)
        nn.init.normal_(self.tokens.weight, std=0.02)

    def forward(self, ids, targets, grouped):
        x, balance = self.tokens(ids), 0.0
        for block in self.blocks:
            x, one = block(x, grouped)
            balance = balance + one
        logits = F.linear(self.norm(x), self.tokens.weight)      # the head shares the embedding's weights
        loss = F.cross_entropy(logits.float().view(-1, self.sizes.vocabulary), targets.view(-1))
        return loss + 0.01 * balance / self.sizes.layers


def operations(model, s):
    """Floating-point operations of a step, forward and backward: 6 for each weight that a token meets, and attention's."""
    all_weights = sum(weight.numel() for weight in model.parameters())
    of_experts = s.layers * s.experts * 3 * s.width * s.hidden
    met = all_weights - of_experts + of_experts * s.active // s.experts
    return 6 * met * s.batch * s.context + 6 * s.layers * s.batch * s.context ** 2 * s.width


def measure(o, name, mode, compiled=False, grouped=False):
    s, steps = SHAPES[name]
    on_card = o.device != "cpu"
    torch.manual_seed(0)
    if on_card:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = mode != "float32"
    model = Model(s).to(o.device)
    network = torch.compile(model) if compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=on_card)
    data = torch.randint(0, s.vocabulary, (200_000,), device=o.device)

    def now():
        if on_card:
            torch.cuda.synchronize()
        return time.perf_counter()

    seconds = []
    for _ in range(steps):
        starts = torch.randint(len(data) - s.context - 1, (s.batch,)).tolist()
        ids = torch.stack([data[i : i + s.context] for i in starts])
        targets = torch.stack([data[i + 1 : i + s.context + 1] for i in starts])
        start = now()
        with torch.autocast(o.device, torch.bfloat16, enabled=mode == "bfloat16"):
            loss = network(ids, targets, grouped)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(now() - start)
    median = statistics.median(seconds[len(seconds) // 4 :])     # a quarter warms up
    memory = f"{torch.cuda.max_memory_allocated() / 2 ** 20:.0f} MiB" if on_card else "memory unknown"
    how = f"{mode}{' compiled' if compiled else ''}{' grouped' if grouped else ''}"
    print(
        f"torch {torch.__version__} {name} {how}: {median * 1e3:.2f} ms, {s.batch * s.context / median:.0f} tokens/s, "
        f"{operations(model, s) / median / 1e12:.1f} TFLOP/s, {memory}", flush=True)


def tried(o, name, mode, **how):
    """Whether it could be measured; else a line says why not."""
    try:
        measure(o, name, mode, **how)
        return True
    except Exception as e:  # out of memory, an operation that this PyTorch or this card lacks: the next one may do
        why = (str(e) or type(e).__name__).splitlines()[0][:150]
        print("torch", name, mode, *(word for word in how if how[word]), "failed:", why, flush=True)
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=100,
                        help="no compiled run begins that would end later")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["bench", "big"])
    parser.add_argument("--device", default="cuda")
    o = parser.parse_args()
    began = time.perf_counter()
    has_grouped = hasattr(torch, "_grouped_mm") and o.device != "cpu"
    for name in o.shapes:
        for mode in ["float32", "tf32", "bfloat16"]:
            grouped = has_grouped and mode == "bfloat16"
            if not tried(o, name, mode, grouped=grouped) and grouped:
                tried(o, name, mode)
    for name in o.shapes:
        if time.perf_counter() - began < o.seconds - COMPILED_TAKES:
            tried(o, name, "bfloat16", compiled=True, grouped=has_grouped)


if __name__ == "__main__":
    main()
