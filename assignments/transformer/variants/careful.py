# %% [markdown]
# # The transformer: from the residual block to a trained decoder
#
# With an eye on rounding: angles in extended precision, no square that could overflow, no difference of close numbers
# in the tails, a softmax that streams over the keys.

# %%
import math
from pathlib import Path

import numpy as np
import torch


# %%
def attention(q, k, v, mask):
    """q (B, H, T, d), k (B, H, S, d), v (B, H, S, d), mask (..., T, S) -> (B, H, T, d)"""
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1) @ v


def split_heads(x, n_heads):
    """(B, T, D) -> (B, H, T, D/H)"""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x):
    """(B, H, T, D/H) -> (B, T, D)"""
    return x.transpose(1, 2).flatten(start_dim=2)


def part(weights, prefix):
    """{"blocks.0.a": 1, "b": 2}, "blocks.0." -> {"a": 1}"""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def count_blocks(weights):
    """{"blocks.0.a": 1, "blocks.1.a": 2} -> 2"""
    return len({name.split(".")[1] for name in weights if name.startswith("blocks.")})


# %% [markdown]
# ## Angles


# %%
def waves(positions, exponents, base):
    """Cosine and sine of p * base ** exponent, computed with np.longdouble and rounded once, at the end."""
    speeds = np.power(np.longdouble(base), exponents)
    angles = np.multiply.outer(np.asarray(positions).astype(np.longdouble), speeds)
    return torch.from_numpy(np.cos(angles).astype(np.float64)), torch.from_numpy(np.sin(angles).astype(np.float64))


def sinusoidal(n_positions, width):
    pairs = np.arange((width + 1) // 2, dtype=np.longdouble)
    cos, sin = waves(np.arange(n_positions), -2 * pairs / width, 10000)
    table = torch.empty(n_positions, width, dtype=torch.float64)
    for column in range(width):
        table[:, column] = (cos if column % 2 else sin)[:, column // 2]
    return table


def rotary(x, positions, base=10000.0):
    width = x.shape[-1]
    pairs = np.arange(width // 2, dtype=np.longdouble)
    cos, sin = waves(positions, -2 * pairs / width, base)
    first, second = x[..., : width // 2], x[..., width // 2 :]
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)


# %% [markdown]
# ## Norms
#
# Dividing by the largest entry first (if it is above 1) keeps squares finite; centring twice removes what rounding
# left of a large mean.


# %%
def over_root_mean_square(x, eps):
    scale = x.detach().abs().amax(dim=-1, keepdim=True).clamp(min=1.0)
    y = x / scale
    return y / torch.sqrt((y * y).mean(dim=-1, keepdim=True) + eps / scale / scale)


def layer_norm(x, weight, bias, eps=1e-05):
    for _ in range(2):
        x = x - x.mean(dim=-1, keepdim=True)
    return weight * over_root_mean_square(x, eps) + bias


def rms_norm(x, weight, eps=1e-06):
    return weight * over_root_mean_square(x, eps)


# %% [markdown]
# ## Activations


# %%
def gelu(x):
    tail = 0.5 * torch.special.erfc(x.abs() / math.sqrt(2))
    return x * torch.where(x < 0, tail, 1 - tail)


def sigmoid(x):
    small = torch.exp(-x.abs())
    return torch.where(x < 0, small, torch.ones_like(small)) / (1 + small)


def swiglu(gate, up):
    return gate * sigmoid(gate) * up


# %% [markdown]
# ## Attention, a few keys at a time
#
# A running maximum, a running sum and a running mixture; the first keys must be visible to all queries.

# %%
KEYS_AT_ONCE = 16


def streamed(q, k, v, visible):
    highest = total = mixture = None
    for start in range(0, k.shape[-2], KEYS_AT_ONCE):
        keys = slice(start, start + KEYS_AT_ONCE)
        scores = q @ k[..., keys, :].mT / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(~visible[:, keys], -math.inf)
        peak = scores.detach().amax(dim=-1, keepdim=True)
        if highest is not None:
            peak = torch.maximum(peak, highest)
        shares = torch.exp(scores - peak)
        sums, mixtures = shares.sum(dim=-1, keepdim=True), shares @ v[..., keys, :]
        if highest is None:
            total, mixture = sums, mixtures
        else:
            fade = torch.exp(highest - peak)
            total, mixture = total * fade + sums, mixture * fade + mixtures
        highest = peak
    return mixture / total


def decoder_block(x, weights, n_heads):
    length = x.shape[1]
    positions = torch.arange(length)
    visible = torch.ones(length, length, dtype=torch.bool).tril()
    z = rms_norm(x, weights["attention_norm.weight"])
    q = rotary(split_heads(z @ weights["attention.q_proj.weight"].T, n_heads), positions)
    k = rotary(split_heads(z @ weights["attention.k_proj.weight"].T, n_heads), positions)
    v = split_heads(z @ weights["attention.v_proj.weight"].T, n_heads)
    h = x + merge_heads(streamed(q, k, v, visible)) @ weights["attention.o_proj.weight"].T
    z = rms_norm(h, weights["feed_forward_norm.weight"])
    gate = z @ weights["feed_forward.gate_proj.weight"].T
    up = z @ weights["feed_forward.up_proj.weight"].T
    return h + swiglu(gate, up) @ weights["feed_forward.down_proj.weight"].T


def decoder(ids, weights, n_heads):
    x = weights["token_embedding.weight"][ids]
    for index in range(count_blocks(weights)):
        x = decoder_block(x, part(weights, f"blocks.{index}."), n_heads)
    return rms_norm(x, weights["final_norm.weight"]) @ weights["lm_head.weight"].T


# %% [markdown]
# In the encoder the real tokens are sorted to the front, so that the first keys are real ones; then the padding is cut.


# %%
def encoder(ids, weights, n_heads, mask=None):
    if mask is None:
        mask = torch.ones(ids.shape, dtype=torch.bool)
    table = weights["token_embedding.weight"]
    x = table[ids] + sinusoidal(ids.shape[1], table.shape[1])
    for index in range(count_blocks(weights)):
        block = part(weights, f"blocks.{index}.")

        def project(z, name, block=block):
            return torch.addmm(block[f"{name}.bias"], z.reshape(-1, z.shape[-1]), block[f"{name}.weight"].T).reshape(
                *z.shape[:-1], -1
            )

        z = layer_norm(x, block["attention_norm.weight"], block["attention_norm.bias"])
        q, k, v = (split_heads(project(z, f"attention.{name}_proj"), n_heads) for name in "qkv")
        mixed = []
        for text, real in enumerate(mask):
            visible = torch.ones(ids.shape[1], int(real.sum()), dtype=torch.bool)
            mixed.append(streamed(q[text], k[text][:, real], v[text][:, real], visible))
        x = x + project(merge_heads(torch.stack(mixed)), "attention.o_proj")
        z = layer_norm(x, block["feed_forward_norm.weight"], block["feed_forward_norm.bias"])
        x = x + project(gelu(project(z, "feed_forward.up_proj")), "feed_forward.down_proj")
    z = layer_norm(x, weights["final_norm.weight"], weights["final_norm.bias"])
    return z @ table.T + weights["lm_head.bias"]


# %% [markdown]
# ## Hiding words
#
# The fate is a whole number from 0 to 9: no fraction to round.


# %%
def corrupt(ids, mask_id, n_tokens, special_ids, seed, fraction=0.15):
    choosing, deciding, replacing = (
        np.random.Generator(np.random.Philox(s)) for s in np.random.SeedSequence(seed).spawn(3)
    )
    old = ids.numpy()
    chosen = choosing.random(old.shape) < fraction
    for special in special_ids:
        chosen = chosen & (old != special)
    fate = deciding.integers(0, 10, size=old.shape)
    new = np.where(fate == 9, old, np.where(fate == 8, replacing.integers(0, n_tokens, size=old.shape), mask_id))
    return torch.from_numpy(np.where(chosen, new, old)), torch.from_numpy(np.where(chosen, old, -100))


# %% [markdown]
# ## The loss
#
# With the largest logit $l_m$, the surprise is $(l_m - l_y) + \ln(1 + \text{the rest})$, and `log1p` keeps a rest that
# is far below 1.


# %%
def cross_entropy(logits, targets, ignored=-100):
    counted = (targets != ignored).reshape(-1)
    rows = logits.reshape(-1, logits.shape[-1])[counted]
    right = targets.reshape(-1)[counted].unsqueeze(1)
    highest, place = rows.max(dim=1, keepdim=True)
    rest = torch.exp(rows - highest).scatter(1, place, 0.0).sum(dim=1, keepdim=True)
    surprises = (highest - rows.gather(1, right)) + torch.log1p(rest)
    return surprises.sum() / counted.sum()


# %%
WIDTH, N_HEADS, INNER_WIDTH = 32, 2, 64  # D, H, F
BATCH_SIZE, LENGTH = 8, 64
RATE = 0.01


def initial_weights(n_tokens, generator):
    shapes = {"token_embedding": (n_tokens, WIDTH)}
    shapes |= {f"blocks.0.attention.{name}_proj": (WIDTH, WIDTH) for name in "qkvo"}
    shapes |= {f"blocks.0.feed_forward.{name}_proj": (INNER_WIDTH, WIDTH) for name in ("gate", "up")}
    shapes |= {"blocks.0.feed_forward.down_proj": (WIDTH, INNER_WIDTH), "lm_head": (n_tokens, WIDTH)}
    weights = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = 0.02 * torch.randn(shape, generator=generator, dtype=torch.float64)
    for name in ("blocks.0.attention_norm", "blocks.0.feed_forward_norm", "final_norm"):
        weights[f"{name}.weight"] = torch.ones(WIDTH, dtype=torch.float64)
    return weights


# %%
class Adam:
    def __init__(self, weights, rate, decay=(0.9, 0.999), eps=1e-8):
        self.weights, self.rate, self.decay, self.eps = list(weights), rate, decay, eps
        self.first = [torch.zeros_like(weight) for weight in self.weights]
        self.second = [torch.zeros_like(weight) for weight in self.weights]
        self.steps = 0

    @torch.no_grad()
    def step(self, gradients):
        self.steps += 1
        # 1 - b ** n without cancellation
        corrections = [-math.expm1(self.steps * math.log(b)) for b in self.decay]
        for weight, gradient, first, second in zip(self.weights, gradients, self.first, self.second, strict=True):
            first.lerp_(gradient, 1 - self.decay[0])
            second.lerp_(gradient * gradient, 1 - self.decay[1])
            weight.sub_(self.rate * (first / corrections[0]) / (torch.sqrt(second / corrections[1]) + self.eps))


def train_decoder(ids, n_tokens, seed, steps=200):
    rng = np.random.default_rng(seed)
    weights = initial_weights(n_tokens, torch.Generator().manual_seed(int(rng.integers(2**62))))
    leaves = [weight.requires_grad_() for weight in weights.values()]
    adam = Adam(leaves, RATE)
    for _ in range(steps):
        starts = torch.from_numpy(rng.integers(0, len(ids) - LENGTH, size=BATCH_SIZE))
        windows = ids[starts[:, None] + torch.arange(LENGTH + 1)]
        loss = cross_entropy(decoder(windows[:, :LENGTH], weights, N_HEADS), windows[:, 1:])
        adam.step(torch.autograd.grad(loss, leaves))
    return {name: weight.detach() for name, weight in weights.items()}


# %%
text = Path("phrases.txt").read_text(encoding="utf-8")
alphabet = "\n" + "".join(sorted(set(text) - {"\n"}))
ids = torch.tensor([alphabet.index(character) for character in text])
learned, unseen = ids[: len(ids) * 9 // 10], ids[len(ids) * 9 // 10 :]
weights = train_decoder(learned, len(alphabet), seed=1)

windows = unseen[: (len(unseen) - 1) // LENGTH * LENGTH + 1]
inputs, targets = windows[:-1].view(-1, LENGTH), windows[1:].view(-1, LENGTH)
n_bytes = len("".join(alphabet[i] for i in targets.flatten().tolist()).encode())
nats = cross_entropy(decoder(inputs, weights, N_HEADS), targets) * targets.numel()
round(float(nats) / math.log(2) / n_bytes, 3)
