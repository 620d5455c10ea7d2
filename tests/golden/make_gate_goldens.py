"""Writes gates.json: what every router makes of four tokens and four experts, evaluated from the formulas of the papers in float64.

Needs nothing but Python. The logits are those of routers.json. Run once: it refuses to overwrite.
Letters: T tokens, E experts, K experts per token.
"""
import json, math, os

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = json.load(open(os.path.join(HERE, "routers.json")))
CLEAN, NORMAL = BASE["clean"], BASE["draws"]
T, E = 4, 4


def softmax(row):
    top = max(row)
    exps = [math.exp(v - top) for v in row]
    return [v / sum(exps) for v in exps]


def sigmoid(v):
    return 1 / (1 + math.exp(-v))


def top(row, k):
    return sorted(range(len(row)), key=lambda i: (-row[i], i))[:k]


def dense(choices, gates):
    out = [[0.0] * E for _ in range(T)]
    for t in range(T):
        for e, g in zip(choices[t], gates[t]):
            out[t][e] += g
    return out


def variation(v):
    mean = sum(v) / len(v)
    return sum((a - mean) ** 2 for a in v) / len(v) / mean ** 2


P = [softmax(row) for row in CLEAN]


def switch():
    """Fedus et al. 2021: the probability over all of the one expert."""
    choices = [top(row, 1) for row in CLEAN]
    return dict(choices=choices, dense=dense(choices, [[P[t][c[0]]] for t, c in enumerate(choices)]))


def gshard():
    """Lepikhin et al. 2020: p of the first two over their sum; the second stays where 2·g exceeds its draw.

    The loss counts first choices only.
    """
    choices = [top(row, 2) for row in CLEAN]
    gates = [[P[t][e] / sum(P[t][i] for i in choices[t]) for e in choices[t]] for t in range(T)]
    draws = [0.5, 0.9, 0.7, 0.95]
    kept = [[c[0], c[1] if 2 * g[1] > u else -1] for c, g, u in zip(choices, gates, draws)]
    first = [sum(c[0] == e for c in choices) / T for e in range(E)]
    mean = [sum(P[t][e] for t in range(T)) / T for e in range(E)]
    return dict(choices=choices, gates=gates, draws=draws, kept=kept, loss=E * E * sum(f * p for f, p in zip(first, mean)) / E)


def deepseek():
    """DeepSeek-V3: chosen by sigmoid score plus bias, gated by the scores alone; the bias steps against the load."""
    bias, rate = [-0.3, 0.0, 0.0, 0.2], 1e-3
    scores = [[sigmoid(v) for v in row] for row in CLEAN]
    biased = [[s + b for s, b in zip(row, bias)] for row in scores]
    choices = [top(row, 2) for row in biased]
    gates = [[scores[t][e] / sum(scores[t][i] for i in choices[t]) for e in choices[t]] for t in range(T)]
    counts = [sum(e in c for c in choices) for e in range(E)]
    mean = sum(counts) / E
    next_bias = [b + rate * ((mean > c) - (mean < c)) for b, c in zip(bias, counts)]
    # Two groups of two experts, of which the one with the larger sum of its two best stays.
    groups = [top([sum(row[:2]), sum(row[2:])], 1)[0] for row in biased]
    grouped = [[2 * g + e for e in top(row[2 * g:2 * g + 2], 2)] for g, row in zip(groups, biased)]
    return dict(bias=bias, choices=choices, gates=gates, counts=counts, next_bias=next_bias,
                max_violation=(max(counts) - mean) / mean, grouped_choices=grouped)


def vmoe():
    """Riquelme et al. 2021: one deviation 1/E for all, the K-th largest noisy logit as threshold; K = 2."""
    sigma = 1 / E
    noisy = [[c + sigma * n for c, n in zip(a, b)] for a, b in zip(CLEAN, NORMAL)]
    load = [0.0] * E
    for t in range(T):
        threshold = noisy[t][top(noisy[t], 2)[1]]
        for e in range(E):
            load[e] += 0.5 * (1 + math.erf((CLEAN[t][e] - threshold) / sigma / math.sqrt(2)))
    return dict(noisy=noisy, load=load, loss=variation(load))


def expert_choice():
    """Zhou et al. 2022: each expert takes the C = 4·2/4 tokens with its largest probabilities."""
    taken = [top([P[t][e] for t in range(T)], 2) for e in range(E)]
    return dict(dense=[[P[t][e] if t in taken[e] else 0.0 for e in range(E)] for t in range(T)])


def base():
    """Lewis et al. 2021: the sigmoid of the best affinity at inference.

    In training the assignment with one token per expert and the largest sum, by trying all.
    """
    from itertools import permutations
    best = max(permutations(range(E)), key=lambda p: sum(CLEAN[t][e] for t, e in enumerate(p)))
    greedy = [top(row, 1) for row in CLEAN]
    return dict(assignment=list(best), dense=dense(greedy, [[sigmoid(CLEAN[t][c[0]])] for t, c in enumerate(greedy)]))


def sinkhorn():
    """Clark et al. 2022: exp(logits) scaled until rows sum to 1/T and columns to 1/E."""
    plan = [[math.exp(v) for v in row] for row in CLEAN]
    for _ in range(10000):
        plan = [[v / sum(row) / T for v in row] for row in plan]
        sums = [sum(plan[t][e] for t in range(T)) for e in range(E)]
        plan = [[v / s / E for v, s in zip(row, sums)] for row in plan]
    return dict(plan=plan)


def hierarchical():
    """Shazeer et al. 2017, appendix B, two groups of two experts; the logits of the groups are the first two logits."""
    outer = [softmax(row[:2]) for row in CLEAN]
    inner = [[softmax(row[:2]), softmax(row[2:])] for row in CLEAN]
    one_group = [[0.0] * E for _ in range(T)]     # the better group with both its experts
    each = [[0.0] * E for _ in range(T)]          # the better expert of both groups
    for t in range(T):
        g = top(outer[t], 1)[0]
        for e in range(2):
            one_group[t][2 * g + e] = outer[t][g] * inner[t][g][e]
        for g in range(2):
            e = top(inner[t][g], 1)[0]
            each[t][2 * g + e] = outer[t][g] * inner[t][g][e]
    return dict(one_group=one_group, each=each)


def sequence():
    """DeepSeek-V3's loss of two sequences of two tokens, each by itself; K = 2."""
    total = 0.0
    for b in range(2):
        rows = range(2 * b, 2 * b + 2)
        for e in range(E):
            f = sum(e in top(CLEAN[t], 2) for t in rows) / 2
            total += E / 2 * f * sum(P[t][e] for t in rows) / 2 / 2
    return dict(loss=total)


def rounded(value):
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def main():
    path = os.path.join(HERE, "gates.json")
    parts = [switch, gshard, deepseek, vmoe, expert_choice, base, sinkhorn, hierarchical, sequence]
    lines = [f'  "{part.__name__}": {json.dumps(rounded(part()))}' for part in parts]
    with open(path, "x") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


main()
