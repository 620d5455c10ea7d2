"""
The peer of the preset `makemoe`: the model of makeMoE (https://github.com/AviSoori1x/makeMoE), written anew in the manner of its
notebook, for which readability came first: a module for each attention head, a router with trainable noise, and a loop over the experts
that picks their tokens by boolean masks. Trains a few steps on random ids and prints one JSON object: the median time of a step, its
tokens, the peak memory.

Written for speed instead, by switches; seconds of a step on two threads of an Emerald Rapids virtual machine at 256 bits (PyTorch 2.6,
OpenBLAS 0.3.29 Haswell, by debian13.sh; one turn each). What the benchmark `train` calls 2.6 is the last line:
  0.304  no switch: as the notebook has it
  0.236  --attention joined
  0.266  --dispatch sort
  0.226  --optimizer fused
  0.190  all three
"""
import argparse
import os

import timing


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = dict(
        vocabulary=65, width=128, layers=8, heads=8, experts=8, active=2, hidden=512, context=32, batch=16, steps=15,
        torch_threads=1, blas_threads=os.cpu_count(),
    )
    for name, value in sizes.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=value)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--attention", choices=["heads", "joined"], default="heads",
                        help="a module for each head, or all heads in one product and in scaled_dot_product_attention (PyTorch 2)")
    parser.add_argument("--dispatch", choices=["masks", "sort"], default="masks",
                        help="how experts find their tokens: by masks, or tokens are sorted by expert once")
    parser.add_argument("--optimizer", choices=["loop", "fused"], default="loop", help="which AdamW (fused: PyTorch 2.4)")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--warm-up-seconds", type=float, default=2.0)
    return parser.parse_args()


o = arguments()
os.environ["OPENBLAS_NUM_THREADS"] = str(o.blas_threads)  # read when torch loads it

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        size = o.width // o.heads
        self.query = nn.Linear(o.width, size, bias=False)
        self.key = nn.Linear(o.width, size, bias=False)
        self.value = nn.Linear(o.width, size, bias=False)
        self.dropout = nn.Dropout(o.dropout)
        self.register_buffer("past", torch.ones(o.context, o.context).tril())

    def forward(self, x):
        T = x.shape[1]
        q, k, v = self.query(x), self.key(x), self.value(x)      # (B, T, D)
        scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5   # (B, T, T)
        scores = scores.masked_fill(self.past[:T, :T] == 0, float("-inf"))
        return self.dropout(F.softmax(scores, dim=-1)) @ v


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList(Head() for _ in range(o.heads))
        self.output = nn.Linear(o.width, o.width)
        self.dropout = nn.Dropout(o.dropout)

    def forward(self, x):
        return self.dropout(self.output(torch.cat([head(x) for head in self.heads], dim=-1)))


class JoinedAttention(nn.Module):
    """All heads at once."""

    def __init__(self):
        super().__init__()
        self.joined = nn.Linear(o.width, 3 * o.width, bias=False)
        self.output = nn.Linear(o.width, o.width)
        self.dropout = nn.Dropout(o.dropout)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (part.view(B, T, o.heads, -1).transpose(1, 2) for part in self.joined(x).split(C, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=o.dropout)
        return self.dropout(self.output(y.transpose(1, 2).reshape(B, T, C)))


class NoisyRouter(nn.Module):
    def __init__(self):
        super().__init__()
        self.active = o.active
        self.clean = nn.Linear(o.width, o.experts, bias=False)   # with biases in the notebook; the preset has none here
        self.noise = nn.Linear(o.width, o.experts, bias=False)

    def forward(self, x):
        clean = self.clean(x)                                    # (B, T, E)
        noisy = clean + torch.randn_like(clean) * F.softplus(self.noise(x))
        largest, chosen = noisy.topk(self.active, dim=-1)        # (B, T, K)
        if o.dispatch == "sort":
            return F.softmax(largest, dim=-1), chosen            # (B, T, K) both
        kept = torch.full_like(noisy, float("-inf")).scatter(-1, chosen, largest)
        return F.softmax(kept, dim=-1), chosen


class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.router = NoisyRouter()
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(o.width, o.hidden), nn.ReLU(), nn.Linear(o.hidden, o.width), nn.Dropout(o.dropout))
            for _ in range(o.experts)
        )

    def forward(self, x):
        gates, chosen = self.router(x)                           # (B, T, E), (B, T, K)
        if o.dispatch == "sort":
            return self.forward_sorted(x, gates, chosen)
        y = torch.zeros_like(x)
        rows, row_gates = x.view(-1, x.shape[-1]), gates.view(-1, gates.shape[-1])
        for e, expert in enumerate(self.experts):
            mine = (chosen == e).any(dim=-1)                     # (B, T)
            flat = mine.view(-1)
            if flat.any():
                y[mine] += expert(rows[flat]) * row_gates[flat, e].unsqueeze(1)
        return y

    def forward_sorted(self, x, gates, chosen):
        rows, choices = x.view(-1, x.shape[-1]), chosen.view(-1)
        order = torch.argsort(choices)                           # rows in expert order: which choice a row carries
        token = torch.div(order, o.active, rounding_mode="floor")
        counts = torch.bincount(choices, minlength=o.experts).tolist()
        mine = rows.index_select(0, token).split(counts)
        y = torch.cat([expert(mine[e]) for e, expert in enumerate(self.experts) if counts[e] > 0])
        return torch.zeros_like(rows).index_add(0, token, y * gates.view(-1)[order].unsqueeze(1)).view(x.shape)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm, self.mixture_norm = nn.LayerNorm(o.width), nn.LayerNorm(o.width)
        self.attention = JoinedAttention() if o.attention == "joined" else Attention()
        self.mixture = Mixture()

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))
        return x + self.mixture(self.mixture_norm(x))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(o.vocabulary, o.width)
        self.positions = nn.Embedding(o.context, o.width)
        self.blocks = nn.Sequential(*(Block() for _ in range(o.layers)))
        self.norm = nn.LayerNorm(o.width)
        self.head = nn.Linear(o.width, o.vocabulary)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, ids, targets):
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        logits = self.head(self.norm(self.blocks(x)))            # (B, T, V)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def main():
    torch.manual_seed(1)
    torch.set_num_threads(o.torch_threads)
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=o.learning_rate, **({"fused": True} if o.optimizer == "fused" else {}))
    data = torch.randint(o.vocabulary, (100_000,))

    def step():
        starts = torch.randint(len(data) - o.context, (o.batch,))
        ids = torch.stack([data[i : i + o.context] for i in starts])
        targets = torch.stack([data[i + 1 : i + o.context + 1] for i in starts])
        loss = model(ids, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    timing.measure(step, model, o)


if __name__ == "__main__":
    main()
