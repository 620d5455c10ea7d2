#!/usr/bin/env python3
"""Golden files: small models computed by PyTorch in double precision, with every gradient by its autograd.

Needs nothing but PyTorch (1.13 or later) and the standard library; see README.md. Parameters, ids and noise are drawn, rounded to float32
and then computed with in float64, so that a golden is the true value and float32 code may be held to 1e-4. Run once, for all or for the
names given: it refuses to overwrite.

Letters: B batch, T time, N = B*T tokens, C channels, V vocabulary, H heads, D head size, E experts, K experts per token, F hidden size.
"""
import copy, json, math, os, struct, sys
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

MODELS = {
    # Mixtral: RMSNorm, rotary positions, shared key and value heads, SwiGLU experts, softmax over the chosen logits, Switch loss, z-loss.
    "mixtral": {
        "model": dict(width=24, layers=2, heads=4, kv_heads=2, context=11, vocabulary=19,
                      norm="rms", positions="rope", feed_forward="swiglu", tie_embeddings=False),
        "moe": dict(experts=5, active=2, hidden=20, router="top-k", renormalize=True, balance_loss=0.01, z_loss=0.001),
    },
    # The other switches of the same family: softmax over all logits, a sliding window, tied embeddings, a first layer that is dense,
    # one kv head.
    "mixtral_plain": {
        "model": dict(width=24, layers=3, heads=3, kv_heads=1, context=11, vocabulary=23, window=4, hidden=36,
                      norm="rms", positions="rope", feed_forward="swiglu", tie_embeddings=True),
        "moe": dict(experts=7, active=3, hidden=12, first_dense=1, router="top-k", renormalize=False, balance_loss=0.01, z_loss=0.001),
    },
    # makeMoE, repaired: noisy top-k with the importance and load losses of Shazeer et al. 2017, ReLU experts, biases, learned positions.
    "makemoe": {
        "model": dict(width=28, layers=2, heads=4, context=11, vocabulary=17, norm="layer", positions="learned", feed_forward="relu",
                      biases=True, tie_embeddings=False),
        "moe": dict(experts=8, active=2, hidden=20, router="noisy-top-k", importance_loss=0.01, load_loss=0.01),
    },
    # nanoGPT without biases: a dense decoder with GELU, layer norm without bias, learned positions, tied embeddings.
    "nano": {
        "model": dict(width=32, layers=2, heads=4, context=11, vocabulary=21, hidden=52, norm="layer", positions="learned",
                      feed_forward="gelu", biases=False, tie_embeddings=True),
        "moe": dict(experts=0),
    },
}
BATCHES = {"mixtral": (3, 11), "mixtral_plain": (2, 11), "makemoe": (3, 11), "nano": (2, 9)}  # (B, T); nano leaves two positions unused
NORM_EPSILON, ROPE_THETA, NOISE_EPSILON = 1e-5, 10000.0, 1e-2
LEAST_GAP = 1e-3   # between values whose order decides a route: float32 must decide the same
LEAST_KINK = 1e-5  # distance of every ReLU from its kink


# ---- Parameters --------------------------------------------------------------------------------------------------------------------------
def parameter_shapes(config):
    """Name -> (shape, mean, standard deviation), under the names that Hugging Face's Mixtral has on disk."""
    m, e = config["model"], config["moe"]
    C, V, D = m["width"], m["vocabulary"], m["width"] // m["heads"]
    kv = (m.get("kv_heads") or m["heads"]) * D
    bias, tied = m.get("biases", False), m["tie_embeddings"]
    shapes = {}

    def linear(name, outputs, inputs, biased=bias, gain=1.0):
        shapes[name + ".weight"] = ((outputs, inputs), 0, gain / math.sqrt(inputs))
        if biased:
            shapes[name + ".bias"] = ((outputs,), 0, 0.1)

    def norm(name):
        shapes[name + ".weight"] = ((C,), 1, 0.1)
        if bias and m["norm"] == "layer":
            shapes[name + ".bias"] = ((C,), 0, 0.1)

    def feed_forward(name, hidden):
        linear(name + ".w1", hidden, C)
        linear(name + ".w2", C, hidden)
        if m["feed_forward"] == "swiglu":
            linear(name + ".w3", hidden, C)

    shapes["model.embed_tokens.weight"] = ((V, C), 0, 0.3 if tied else 1.0)
    if m["positions"] == "learned":
        shapes["model.embed_positions.weight"] = ((m["context"], C), 0, 0.3)
    for layer in range(m["layers"]):
        at = f"model.layers.{layer}"
        norm(at + ".input_layernorm")
        linear(at + ".self_attn.q_proj", C, C, biased=False)
        linear(at + ".self_attn.k_proj", kv, C, biased=False)
        linear(at + ".self_attn.v_proj", kv, C, biased=False)
        linear(at + ".self_attn.o_proj", C, C)
        norm(at + ".post_attention_layernorm")
        if has_experts(config, layer):
            linear(at + ".block_sparse_moe.gate", e["experts"], C, biased=False)
            if e["router"] == "noisy-top-k":
                linear(at + ".block_sparse_moe.noise", e["experts"], C, biased=False)
            for expert in range(e["experts"]):
                feed_forward(f"{at}.block_sparse_moe.experts.{expert}", e["hidden"])
        else:
            feed_forward(at + ".mlp", m["hidden"])
    norm("model.norm")
    if not tied:
        linear("lm_head", V, C)
    return shapes


def has_experts(config, layer):
    return config["moe"]["experts"] > 0 and layer >= config["moe"].get("first_dense", 0)


def draw(config, batch, seed):
    """Parameters, ids (B, T), targets (B, T) with some -1, noise {layer: (N, E)}; all exact in float32."""
    random = torch.Generator().manual_seed(seed)
    normal = lambda shape: torch.randn(shape, generator=random)
    exact = lambda x: x.float().double()
    parameters = {name: exact(mean + deviation * normal(shape)) for name, (shape, mean, deviation) in parameter_shapes(config).items()}
    V, E = config["model"]["vocabulary"], config["moe"]["experts"]
    ids = torch.randint(V, batch, generator=random)
    targets = torch.randint(V, batch, generator=random)
    targets[torch.rand(batch, generator=random) < 0.15] = -1
    targets[0, 0] = -1
    noise = {layer: exact(normal((batch[0] * batch[1], E))) for layer in range(config["model"]["layers"])
             if config["moe"].get("router") == "noisy-top-k"}
    return parameters, ids, targets, noise


# ---- Routing, one layer; logits (N, E) ---------------------------------------------------------------------------------------------------
def top_k_gates(logits, K, renormalize, kinks=None):
    """The chosen experts (N, K) and their gates: softmax over the chosen logits (Mixtral), or over all of them (OLMoE, Switch)."""
    chosen = order(logits, K, range(K - 1, K), kinks)[:, :K]
    return chosen, (logits.gather(1, chosen).softmax(1) if renormalize else logits.softmax(1).gather(1, chosen))


def noisy_top_k_gates(clean, raw, draws, K, kinks=None):
    """Shazeer et al. 2017, appendix A.

    The experts (N, K), their gates, the noisy logits, and P (N, E), the chance to be chosen on redrawn noise.
    """
    deviation = F.softplus(raw) + NOISE_EPSILON
    noisy = clean + draws * deviation
    ranked = order(noisy, K, range(K + 1), kinks)
    chosen = ranked[:, :K]
    threshold_out, threshold_in = noisy.gather(1, ranked[:, K - 1:K]), noisy.gather(1, ranked[:, K:K + 1])
    threshold = torch.where(noisy > threshold_in, threshold_in, threshold_out)
    P = 0.5 * (1 + torch.erf((clean - threshold) / deviation / math.sqrt(2)))
    return chosen, noisy.gather(1, chosen).softmax(1), noisy, P


def order(logits, K, decisive, kinks):
    """Columns from the largest logit down; the gaps between the decisive ranks and the next are noted."""
    ranked = logits.argsort(1, descending=True)
    if kinks is not None:
        values = logits.gather(1, ranked)
        for rank in decisive:
            if rank + 1 < logits.shape[1]:
                kinks["gap"].append((values[:, rank] - values[:, rank + 1]).min().item())
        kinks["rows"].append(torch.bincount(ranked[:, :K].flatten(), minlength=logits.shape[1]).min().item())
    return ranked


def spread(chosen, gates, E):
    """Gates (N, K) to (N, E), zero where not chosen."""
    return torch.zeros(gates.shape[0], E, dtype=gates.dtype).scatter(1, chosen, gates)


def fraction(chosen, E):
    """f (E): choices of an expert per token; they sum to K. A count: no gradient."""
    return torch.bincount(chosen.flatten(), minlength=E).to(torch.get_default_dtype()) / chosen.shape[0]


def balance_loss(logits, chosen):
    """Fedus et al. 2021 for any K: E/K * sum_e f_e P_e, P the mean of the full softmax; 1 when balanced."""
    E, K = logits.shape[1], chosen.shape[1]
    return E / K * (fraction(chosen, E).to(logits.dtype) * logits.softmax(1).mean(0)).sum()


def z_loss(logits):
    """Zoph et al. 2022: the mean of the squared log-sum-exp."""
    return logits.logsumexp(1).square().mean()


def squared_variation(v):
    """CV^2 with the population variance."""
    return (v - v.mean()).square().mean() / (v.mean().square() + 1e-10)


# ---- The decoder -------------------------------------------------------------------------------------------------------------------------
def forward(config, P, ids, targets, noise, kinks=None):
    """Logits (B, T, V) and the losses by name."""
    m, e = config["model"], config["moe"]
    (B, T), H, L = ids.shape, m["heads"], m["layers"]
    C, D, kv_heads = m["width"], m["width"] // H, m.get("kv_heads") or H
    dtype = P["model.embed_tokens.weight"].dtype
    per_layer = {}

    def linear(x, name):
        y = x @ P[name + ".weight"].T
        return y + P[name + ".bias"] if name + ".bias" in P else y

    def norm(x, name):
        w = P[name + ".weight"]
        if m["norm"] == "rms":
            return x / (x.square().mean(-1, keepdim=True) + NORM_EPSILON).sqrt() * w
        centred = x - x.mean(-1, keepdim=True)
        y = centred / (centred.square().mean(-1, keepdim=True) + NORM_EPSILON).sqrt() * w
        return y + P[name + ".bias"] if name + ".bias" in P else y

    def rotate(x):                                                          # (B, T, heads, D): pairs (i, i + D/2)
        angle = torch.arange(T).double()[:, None] * ROPE_THETA ** (-torch.arange(0, D, 2).double() / D)
        cos, sin = angle.cos().to(dtype)[:, None, :], angle.sin().to(dtype)[:, None, :]
        a, b = x[..., :D // 2], x[..., D // 2:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def attention(x, at):
        q = linear(x, at + ".q_proj").view(B, T, H, D)
        k = linear(x, at + ".k_proj").view(B, T, kv_heads, D)
        v = linear(x, at + ".v_proj").view(B, T, kv_heads, D)
        if m["positions"] == "rope":
            q, k = rotate(q), rotate(k)
        k, v = (t.repeat_interleave(H // kv_heads, 2) for t in (k, v))      # query head h reads kv head h / (H / kv_heads)
        scores = torch.einsum("bthd,bshd->bhts", q, k) / math.sqrt(D)
        back = torch.arange(T)[:, None] - torch.arange(T)[None, :]          # how far key s lies behind query t
        seen = (back >= 0) & (back < (m.get("window") or T))
        weights = scores.masked_fill(~seen, -math.inf).softmax(-1)
        return linear(torch.einsum("bhts,bshd->bthd", weights, v).reshape(B, T, C), at + ".o_proj")

    def feed_forward(x, at):
        h = linear(x, at + ".w1")
        if m["feed_forward"] == "swiglu":
            return linear(F.silu(h) * linear(x, at + ".w3"), at + ".w2")
        if m["feed_forward"] == "gelu":
            return linear(F.gelu(h), at + ".w2")
        if kinks is not None and h.numel() > 0:
            kinks["relu"].append(h.abs().min().item())
        return linear(F.relu(h), at + ".w2")

    def note(name, value):
        per_layer.setdefault(name, []).append(value)

    def experts(x, at, layer):                                              # x (N, C)
        E, K = e["experts"], e["active"]
        logits = linear(x, at + ".gate")                                    # (N, E)
        if e["router"] == "noisy-top-k":
            chosen, gates, _, chance = noisy_top_k_gates(logits, linear(x, at + ".noise"), noise[layer].to(dtype), K, kinks)
            note("importance", squared_variation(spread(chosen, gates, E).sum(0)))
            note("load", squared_variation(chance.sum(0)))
        else:
            chosen, gates = top_k_gates(logits, K, e["renormalize"], kinks)
            note("balance", balance_loss(logits, chosen))
            note("z", z_loss(logits))
        y = torch.zeros_like(x)
        for expert in range(E):
            token, choice = (chosen == expert).nonzero(as_tuple=True)
            y = y.index_add(0, token, gates[token, choice, None] * feed_forward(x[token], f"{at}.experts.{expert}"))
        return y

    x = P["model.embed_tokens.weight"][ids]                                 # (B, T, C)
    if m["positions"] == "learned":
        x = x + P["model.embed_positions.weight"][:T]
    for layer in range(L):
        at = f"model.layers.{layer}"
        x = x + attention(norm(x, at + ".input_layernorm"), at + ".self_attn")
        h = norm(x, at + ".post_attention_layernorm")
        if has_experts(config, layer):
            x = x + experts(h.reshape(B * T, C), at + ".block_sparse_moe", layer).view(B, T, C)
        else:
            x = x + feed_forward(h, at + ".mlp")
    x = norm(x, "model.norm")
    logits = x @ P["model.embed_tokens.weight"].T if m["tie_embeddings"] else linear(x, "lm_head")

    counts = targets.flatten() >= 0
    losses = {"cross_entropy": F.cross_entropy(logits.reshape(B * T, -1)[counts], targets.flatten()[counts])}
    losses.update({name: torch.stack(values).mean() for name, values in per_layer.items()})  # the mean over the layers with experts
    losses["total"] = losses["cross_entropy"] + sum(e[name + "_loss"] * losses[name] for name in per_layer)
    return logits, losses


def gradients(config, parameters, ids, targets, noise, kinks=None):
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    logits, losses = forward(config, leaves, ids, targets, noise, kinks)
    losses["total"].backward()
    return logits.detach(), {n: l.detach() for n, l in losses.items()}, {n: l.grad for n, l in leaves.items()}


# ---- Checks of the goldens themselves ----------------------------------------------------------------------------------------------------
def is_clear(kinks, grads):
    """Far from every tie and kink, every expert has work, and every parameter a gradient worth comparing."""
    return (min(kinks["gap"], default=1) > LEAST_GAP and min(kinks["relu"], default=1) > LEAST_KINK and min(kinks["rows"], default=2) >= 2
            and min(g.abs().max() for g in grads.values()) > 1e-3)


def check_model(name, config, parameters, ids, targets, noise, logits, grads):
    loss = lambda p: forward(config, p, ids, targets, noise)[1]["total"].item()
    worst, step = 0.0, 1e-5
    for key, grad in grads.items():  # central differences at the largest gradient of every parameter, and at a fixed place
        for i in {grad.abs().flatten().argmax().item(), grad.numel() // 2}:
            at = copy.copy(parameters)
            sides = []
            for sign in (1, -1):
                at[key] = parameters[key].clone()
                at[key].view(-1)[i] += sign * step
                sides.append(loss(at))
            numeric, exact = (sides[0] - sides[1]) / (2 * step), grad.flatten()[i].item()
            worst = max(worst, abs(numeric - exact) / (1e-3 + abs(exact)))
    assert worst < 1e-5, (name, worst)

    later = ids.clone()  # causality: the last token changes nothing before it
    later[:, -1] = (later[:, -1] + 1) % config["model"]["vocabulary"]
    changed = (forward(config, parameters, later, targets, noise)[0] - logits).abs().amax((0, 2))
    assert changed[:-1].max() < 1e-12 < changed[-1], name

    for term in [t for t in config["moe"] if t.endswith("_loss")]:  # a forgotten loss term must show in a router's gradient
        without = copy.deepcopy(config)
        without["moe"][term] = 0.0
        gates = [n for n in grads if n.endswith(".gate.weight")]
        bare = gradients(without, parameters, ids, targets, noise)[2]
        shows = min(((bare[n] - grads[n]).abs().max() / grads[n].abs().max()).item() for n in gates)
        assert shows > 5e-4, (name, term, shows)
        print(f"{name}: without {term} a router's gradient is off by {shows:.1e}")

    single = {n: v.float() for n, v in parameters.items()}  # what float32 can reach, in PyTorch's own hands
    torch.set_default_dtype(torch.float32)
    logits32, _, grads32 = gradients(config, single, ids, targets, {n: v.float() for n, v in noise.items()})
    torch.set_default_dtype(torch.float64)
    off = lambda a, b: ((a.double() - b).abs().max() / b.abs().max()).item() if b.abs().max() > 0 else a.abs().max().item()
    float32 = max([off(logits32, logits)] + [off(grads32[n], g) for n, g in grads.items()])
    assert float32 < 2e-5, (name, float32)
    smallest = min(g.abs().max().item() for g in grads.values())
    print(f"{name}: central differences within {worst:.1e}, float32 within {float32:.1e}, smallest of the largest gradients {smallest:.1e}")


# ---- Files -------------------------------------------------------------------------------------------------------------------------------
def write_safetensors(path, tensors):
    """Eight bytes of length (little-endian), a JSON header padded to eight bytes, the values as float32."""
    header, blob = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        data = struct.pack(f"<{tensor.numel()}f", *tensor.double().flatten().tolist())
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "xb") as file:
        file.write(struct.pack("<Q", len(text)) + text + blob)


def write_text(path, text):
    with open(path, "x") as file:
        file.write(text + "\n")


def make_model(name):
    config = MODELS[name]
    for seed in range(1, 1000):
        drawn = draw(config, BATCHES[name], seed)
        kinks = {"gap": [], "relu": [], "rows": []}
        logits, losses, grads = gradients(config, *drawn, kinks)
        if is_clear(kinks, grads):
            break
    else:
        raise SystemExit(f"{name}: no seed is clear of ties")
    parameters, ids, targets, noise = drawn
    print(f"{name}: seed {seed},", ", ".join(f"{n} {v.item():.6f}" for n, v in losses.items()))
    check_model(name, config, parameters, ids, targets, noise, logits, grads)

    tensors = {"param/" + n: v for n, v in parameters.items()}
    tensors.update({"grad/" + n: v for n, v in grads.items()})
    tensors.update({"ids": ids, "targets": targets, "logits": logits})
    tensors.update({f"noise/{layer}": v for layer, v in noise.items()})
    tensors.update({"loss/" + n: v.reshape(1) for n, v in losses.items()})
    write_safetensors(os.path.join(HERE, name + ".safetensors"), tensors)
    write_text(os.path.join(HERE, name + ".json"), json.dumps(config, indent=2))


def make_routers():
    """Four tokens, four experts, K = 2: every formula of the routers once, small enough to follow by hand, with gradients."""
    clean = torch.tensor([[1.0, 0.2, -0.5, 0.3], [0.5, 0.9, 0.4, -0.2], [-0.3, 0.5, 1.2, 0.0], [0.9, -0.1, 0.2, 0.7]], requires_grad=True)
    raw = torch.tensor([[0.0, 0.5, -0.5, 0.2], [0.1, -0.2, 0.3, 0.0], [-1.0, 0.0, 0.4, 0.1], [0.2, 0.2, -0.3, 0.6]], requires_grad=True)
    draws = torch.tensor([[0.3, -1.1, 0.8, 0.1], [-0.4, 0.2, 1.3, -0.6], [0.9, -0.2, 0.1, 0.5], [-1.2, 0.7, 0.4, -0.3]])
    E, K = 4, 2

    def noisy(clean, raw):
        chosen, gates, logits, P = noisy_top_k_gates(clean, raw, draws, K)
        return logits, spread(chosen, gates, E), P

    losses = {
        "importance": lambda c, r: squared_variation(noisy(c, r)[1].sum(0)),
        "load": lambda c, r: squared_variation(noisy(c, r)[2].sum(0)),
        "balance_top1": lambda c, r: balance_loss(c, top_k_gates(c, 1, True)[0]),
        "balance_top2": lambda c, r: balance_loss(c, top_k_gates(c, 2, True)[0]),
        "z": lambda c, r: z_loss(c),
    }
    numbers = lambda t: [numbers(row) for row in t] if t.dim() > 0 else (float(f"{t.item():.9g}") if t.is_floating_point() else t.item())
    values, slopes = {}, {}
    for name, loss in losses.items():
        inputs = {"clean": clean, "raw": raw} if name in ("importance", "load") else {"clean": clean}
        value = loss(clean, raw)
        grads = torch.autograd.grad(value, list(inputs.values()))
        values[name] = numbers(value)
        slopes[name] = {key: numbers(grad) for key, grad in zip(inputs, grads)}
        assert torch.autograd.gradcheck(lambda *x: loss(x[0], x[1] if len(x) > 1 else raw), list(inputs.values())), name

    logits, gates, P = noisy(clean, raw)
    top1, top2 = top_k_gates(clean, 1, True), top_k_gates(clean, 2, True)
    golden = {
        "experts": E, "active": K, "noise_epsilon": NOISE_EPSILON,
        "clean": numbers(clean), "raw": numbers(raw), "draws": numbers(draws),
        "noisy": {"logits": numbers(logits), "gates": numbers(gates), "probability": numbers(P),
                  "importance": numbers(gates.sum(0)), "load": numbers(P.sum(0))},
        "switch": {"mean_probability": numbers(clean.softmax(1).mean(0)), "fraction_top1": numbers(fraction(top1[0], E)),
                   "fraction_top2": numbers(fraction(top2[0], E))},
        "log_sum_exp": numbers(clean.logsumexp(1)),
        "chosen": numbers(top2[0]),
        "gates_renormalized": numbers(top2[1]),
        "gates_plain": numbers(top_k_gates(clean, 2, False)[1]),
        "loss": values,
        "gradient": slopes,
    }
    # The same formulas evaluated without PyTorch, to six digits.
    for got, expected in [(values["importance"], .239327), (values["load"], .008907), (values["balance_top1"], 1.097581),
                          (values["balance_top2"], 1.023226), (values["z"], 3.447294)]:
        assert abs(got - expected) < 1e-6, (got, expected)
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items()]
    write_text(os.path.join(HERE, "routers.json"), "{\n" + ",\n".join(lines) + "\n}")
    print("routers:", values)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or [*MODELS, "routers"]:
        make_routers() if wanted == "routers" else make_model(wanted)
