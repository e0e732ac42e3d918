# %% [markdown]
# # The transformer: from the residual block to a trained decoder
#
# As short as it gets: a rotation is a product of complex numbers.

# %%
import math
from pathlib import Path

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


# %%
def units(positions, width, base):
    """exp(i p base^(-2j/width)), of shape (positions, pairs)"""
    angles = positions.double()[:, None] * base ** (-torch.arange(0, width, 2).double() / width)
    return torch.polar(torch.ones_like(angles), angles)


def sinusoidal(n_positions, width):
    z = torch.view_as_real(units(torch.arange(n_positions), width, 10000.0))
    return z.flip(-1).flatten(1)[:, :width]


sinusoidal(2, 4)


# %%
def rotary(x, positions, base=10000.0):
    z = torch.complex(*x.chunk(2, dim=-1)) * units(positions, x.shape[-1], base)
    return torch.cat([z.real, z.imag], dim=-1)


rotary(torch.tensor([[1, 2, 3, 4], [1, 2, 3, 4]]).double(), torch.tensor([0, 1]))


# %%
def rms_norm(x, weight, eps=1e-06):
    return weight * x * (x.square().mean(-1, keepdim=True) + eps).rsqrt()


def layer_norm(x, weight, bias, eps=1e-05):
    return rms_norm(x - x.mean(-1, keepdim=True), weight, eps) + bias


def gelu(x):
    return x * torch.special.ndtr(x)


def swiglu(gate, up):
    return gate * torch.sigmoid(gate) * up


# %%
def decoder_block(x, weights, n_heads):
    p, t = part(weights, "attention."), torch.arange(x.shape[1])
    z = rms_norm(x, weights["attention_norm.weight"])
    q, k, v = (split_heads(z @ p[f"{name}_proj.weight"].T, n_heads) for name in "qkv")
    mixed = attention(rotary(q, t), rotary(k, t), v, t[:, None] >= t)
    x = x + merge_heads(mixed) @ p["o_proj.weight"].T
    z = rms_norm(x, weights["feed_forward_norm.weight"])
    gate, up, down = (weights[f"feed_forward.{name}_proj.weight"].T for name in ("gate", "up", "down"))
    return x + swiglu(z @ gate, z @ up) @ down


def decoder(ids, weights, n_heads):
    x = weights["token_embedding.weight"][ids]
    for i in range(count_blocks(weights)):
        x = decoder_block(x, part(weights, f"blocks.{i}."), n_heads)
    return rms_norm(x, weights["final_norm.weight"]) @ weights["lm_head.weight"].T


# %%
def encoder(ids, weights, n_heads, mask=None):
    table = weights["token_embedding.weight"]
    x = table[ids] + sinusoidal(ids.shape[1], table.shape[1])
    seen = (torch.ones_like(ids).bool() if mask is None else mask)[:, None, None]
    for i in range(count_blocks(weights)):
        w = part(weights, f"blocks.{i}.")

        def normed(x, name, w=w):
            return layer_norm(x, w[name + "_norm.weight"], w[name + "_norm.bias"])

        def project(x, name, w=w):
            return x @ w[name + "_proj.weight"].T + w[name + "_proj.bias"]

        z = normed(x, "attention")
        q, k, v = (split_heads(project(z, f"attention.{name}"), n_heads) for name in "qkv")
        x = x + project(merge_heads(attention(q, k, v, seen)), "attention.o")
        x = x + project(gelu(project(normed(x, "feed_forward"), "feed_forward.up")), "feed_forward.down")
    return layer_norm(x, weights["final_norm.weight"], weights["final_norm.bias"]) @ table.T + weights["lm_head.bias"]


# %%
def corrupt(ids, mask_id, n_tokens, special_ids, seed, fraction=0.15):
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(ids.shape, generator=generator, dtype=torch.float64)
    fate = torch.bucketize(draws, fraction * torch.tensor([0.8, 0.9, 1.0]).double(), right=True)
    fate[torch.isin(ids, torch.tensor(special_ids, dtype=torch.int64))] = 3
    anything = torch.randint(n_tokens, ids.shape, generator=generator)
    choices = torch.stack([torch.full_like(ids, mask_id), anything, ids, ids])
    return choices.gather(0, fate[None])[0], ids.where(fate < 3, -100)


corrupt(torch.tensor([1, 5, 6, 7, 2]), 3, 9, [1, 2], seed=0, fraction=1)


# %%
def cross_entropy(logits, targets, ignored=-100):
    keep = targets != ignored
    rows, right = logits[keep], targets[keep]
    return (rows.logsumexp(-1) - rows[range(len(right)), right]).mean()


cross_entropy(torch.tensor([[0, 0], [0, math.log(3)], [3, 7]]).double(), torch.tensor([1, 1, -100]))

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
def train_decoder(ids, n_tokens, seed, steps=200):
    generator = torch.manual_seed(seed)
    weights = {name: w.requires_grad_() for name, w in initial_weights(n_tokens, generator).items()}
    adam = torch.optim.Adam(weights.values(), lr=RATE)
    windows = ids.unfold(0, LENGTH + 1, 1)
    for _ in range(steps):
        batch = windows[torch.randint(len(windows), (BATCH_SIZE,))]
        adam.zero_grad()
        cross_entropy(decoder(batch[:, :-1], weights, N_HEADS), batch[:, 1:]).backward()
        adam.step()
    return {name: w.detach() for name, w in weights.items()}


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
