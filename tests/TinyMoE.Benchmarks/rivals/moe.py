"""
The peer of the presets `bench`, `bench-64-experts` and `bench-narrow`: a decoder with RMSNorm, rotary positions, grouped queries,
SwiGLU experts, gates that are the softmax over the chosen logits, and the Switch balance loss. As fast as plain PyTorch was made to be;
works from PyTorch 1.13 on.
Trains a few steps on random ids and prints one JSON object: the median time of a step, its tokens, the peak memory.

What was tried, in seconds of processor time per step on one thread of a Zen 5 core (PyTorch 1.13, OpenBLAS 0.3.21, the best of eight),
for `bench` and `bench-64-experts`; what is here is the first line:
  0.418 0.466  query heads that share a key head in one product, rows added up by index_add
  0.423 0.445  rows gathered by a backward written by hand (--dispatch gather)
  0.433 0.455  keys and values repeated for each query head
  0.421 0.431  keys and values expanded instead
  0.416 0.420  the two products that go up in one
  0.448 0.449  queries, keys and values in one product
  0.438 0.414  the experts' weights in one tensor
  0.447 0.440  backward of the norm and of SwiGLU written by hand
  0.440 0.436  norm and SwiGLU compiled by TorchScript
  0.428 0.443  rotation by complex numbers
  0.519 0.685  experts padded to one length, in one batched product
So it is all one but for padding: the time goes into products and passes over memory. What does matter is threads. PyTorch computes
elementwise work on one pool and OpenBLAS has another, and threads of both that wait by spinning take the cores from each other:
see --torch-threads and --blas-threads.

PyTorch 2 has more to try, and debian13.sh runs it with one pool of threads for both. Seconds of a step on two threads of an Emerald Rapids
virtual machine at 256 bits (PyTorch 2.6, OpenBLAS 0.3.29 Haswell; one turn each on a noisy machine, which takes or gives a tenth), for
`bench`, `bench-64-experts` and `bench-narrow`; what the benchmark `train` calls 2.6 is the second line:
  0.85  0.69  0.31   no switch
  0.72  0.67  0.22   --attention fused --projections joined --optimizer fused
  0.73   -    0.22   and --norm fused
  0.73  0.90   -     and --dispatch gather
  0.75   -     -     --attention fused alone
  0.73   -     -     --projections joined alone
In a second run, the second line and what was taken from it or added to it:
  0.62   -    0.22   as it is
  0.64   -     -     and --norm fused
  0.81   -    0.19   --optimizer foreach
  0.77   -    0.20   without tcmalloc
   -     -    0.21   --projections separate
   -     -    0.22   OMP_PROC_BIND=true
   -     -    0.20   OMP_WAIT_POLICY=active
   -     -    0.43   OMP_WAIT_POLICY=passive
   -     -    0.29   one thread
"""
import argparse
import os

import timing


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = dict(
        vocabulary=256, width=256, layers=4, heads=8, kv_heads=4, experts=8, active=2, hidden=512, context=256, batch=8, steps=15,
        torch_threads=1, blas_threads=os.cpu_count(),
    )
    for name, value in sizes.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=value)
    parser.add_argument("--dispatch", choices=["sort", "gather"], default="sort",
                        help="how rows return to their tokens: added up, or gathered and summed")
    parser.add_argument("--attention", choices=["plain", "fused"], default="plain",
                        help="scores, softmax and values one by one, or scaled_dot_product_attention (PyTorch 2)")
    parser.add_argument("--projections", choices=["separate", "joined"], default="separate",
                        help="whether queries, keys and values are one product, and so gate and up of an expert")
    parser.add_argument("--norm", choices=["plain", "fused"], default="plain", help="by hand, or rms_norm (PyTorch 2.4)")
    parser.add_argument("--optimizer", choices=["foreach", "fused"], default="foreach", help="which AdamW (fused: PyTorch 2.4)")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--warm-up-seconds", type=float, default=2.0)
    return parser.parse_args()


o = arguments()
os.environ["OPENBLAS_NUM_THREADS"] = str(o.blas_threads)  # read when torch loads it

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Gather(torch.autograd.Function):
    """x[rows], where every row of x is taken `copies` times and `inverse` says by whom.

    Its backward gathers too, where PyTorch's would add row by row.
    """

    @staticmethod
    def forward(context, x, rows, inverse, copies):
        context.save_for_backward(inverse)
        context.copies = copies
        return x.index_select(0, rows)

    @staticmethod
    def backward(context, dy):
        (inverse,) = context.saved_tensors
        dx = dy.index_select(0, inverse)
        return dx if context.copies == 1 else dx.view(-1, context.copies, dy.shape[-1]).sum(1), None, None, None


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(o.width))

    def forward(self, x):
        if o.norm == "fused":
            return F.rms_norm(x, (o.width,), self.weight, 1e-5)
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.size = o.width // o.heads
        kv_width, self.shared = o.kv_heads * self.size, o.heads // o.kv_heads
        self.widths = [o.width, kv_width, kv_width]
        if o.projections == "joined":
            self.joined = nn.Linear(o.width, sum(self.widths), bias=False)
        else:
            self.query, self.key, self.value = (nn.Linear(o.width, outputs, bias=False) for outputs in self.widths)
        self.output = nn.Linear(o.width, o.width, bias=False)
        self.register_buffer("mask", torch.full((o.context, o.context), float("-inf")).triu(1).repeat(self.shared, 1))

    def forward(self, x, cos, sin):
        B, T, C = x.shape
        if o.projections == "joined":
            q, k, v = self.joined(x).split(self.widths, -1)
        else:
            q, k, v = self.query(x), self.key(x), self.value(x)
        q = rotate(q.view(B, T, o.heads, self.size).transpose(1, 2), cos, sin)
        k = rotate(k.view(B, T, o.kv_heads, self.size).transpose(1, 2), cos, sin)
        v = v.view(B, T, o.kv_heads, self.size).transpose(1, 2)
        y = self.attend_fused(q, k, v) if o.attention == "fused" else self.attend(q, k, v)
        return self.output(y.transpose(1, 2).reshape(B, T, C))

    def attend(self, q, k, v):
        # The query heads that share a key head stand below one another in one product: nothing is repeated.
        B, _, T, _ = q.shape
        q = q.reshape(B * o.kv_heads, self.shared * T, self.size)
        k, v = k.reshape(B * o.kv_heads, T, self.size), v.reshape(B * o.kv_heads, T, self.size)
        weights = torch.softmax(torch.baddbmm(self.mask, q, k.transpose(1, 2), alpha=self.size ** -0.5), -1)
        return torch.bmm(weights, v).view(B, o.heads, T, self.size)

    def attend_fused(self, q, k, v):
        if self.shared > 1:  # its own way to share heads has no kernel that is fast on a CPU
            k, v = k.repeat_interleave(self.shared, 1), v.repeat_interleave(self.shared, 1)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class Mixture(nn.Module):
    def __init__(self):
        super().__init__()

        def weights(*sizes):
            return nn.ParameterList(nn.Parameter(torch.randn(*sizes) * 0.02) for _ in range(o.experts))

        self.router = nn.Linear(o.width, o.experts, bias=False)
        if o.projections == "joined":  # (outputs, inputs), as a linear layer has them
            self.up, self.down = weights(2 * o.hidden, o.width), weights(o.width, o.hidden)
        else:
            self.w1, self.w3, self.w2 = weights(o.width, o.hidden), weights(o.width, o.hidden), weights(o.hidden, o.width)

    def expert(self, e, x):
        if o.projections == "joined":
            gate, up = F.linear(x, self.up[e]).chunk(2, -1)
            return F.linear(F.silu(gate) * up, self.down[e])
        return (F.silu(x @ self.w1[e]) * (x @ self.w3[e])) @ self.w2[e]

    def forward(self, x):
        shape, K = x.shape, o.active
        x = x.view(-1, o.width)                                  # (N, C)
        logits = self.router(x)                                  # (N, E)
        largest, chosen = logits.topk(K, -1)                     # (N, K)
        gates = torch.softmax(largest, -1)
        expert = chosen.view(-1)
        order = torch.argsort(expert)                            # rows in expert order: which choice a row carries
        token = torch.div(order, K, rounding_mode="floor")
        counts = torch.bincount(expert, minlength=o.experts).tolist()
        if o.dispatch == "gather":
            inverse = torch.empty_like(order)
            inverse[order] = torch.arange(len(order))
            rows = Gather.apply(x, token, inverse, K)
        else:
            rows = x.index_select(0, token)
        computed = torch.cat([self.expert(e, mine) for e, mine in enumerate(rows.split(counts)) if len(mine) > 0])
        if o.dispatch == "gather":
            y = (Gather.apply(computed, inverse, order, 1).view(-1, K, o.width) * gates.unsqueeze(-1)).sum(1)
        else:
            y = torch.zeros_like(x).index_add(0, token, computed * gates.view(-1)[order].unsqueeze(1))
        share = torch.tensor(counts, dtype=x.dtype) / len(order)
        balance = o.experts * (share * torch.softmax(logits, -1).mean(0)).sum()
        return y.view(shape), balance


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm, self.attention, self.mixture_norm, self.mixture = Norm(), Attention(), Norm(), Mixture()

    def forward(self, x, cos, sin):
        x = x + self.attention(self.attention_norm(x), cos, sin)
        y, balance = self.mixture(self.mixture_norm(x))
        return x + y, balance


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(o.vocabulary, o.width)
        self.blocks = nn.ModuleList(Block() for _ in range(o.layers))
        self.norm = Norm()
        nn.init.normal_(self.tokens.weight, std=0.02)
        size = o.width // o.heads
        angles = torch.outer(torch.arange(o.context).float(), 10000.0 ** (-torch.arange(0, size, 2) / size))
        self.cos, self.sin = angles.cos(), angles.sin()

    def forward(self, ids, targets):
        x, balance = self.tokens(ids), 0.0
        for block in self.blocks:
            x, one = block(x, self.cos, self.sin)
            balance = balance + one
        logits = F.linear(self.norm(x), self.tokens.weight)      # the head shares the embedding's weights
        return F.cross_entropy(logits.view(-1, o.vocabulary), targets.view(-1)) + 0.01 * balance / o.layers


def main():
    torch.manual_seed(1)
    torch.set_num_threads(o.torch_threads)
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=o.learning_rate, **{o.optimizer: True})
    data = torch.randint(o.vocabulary, (100_000,))

    def step():
        starts = torch.randint(len(data) - o.context, (o.batch,))
        ids = torch.stack([data[i : i + o.context] for i in starts])
        targets = torch.stack([data[i + 1 : i + o.context + 1] for i in starts])
        loss = model(ids, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    timing.measure(step, model, o)


if __name__ == "__main__":
    main()
