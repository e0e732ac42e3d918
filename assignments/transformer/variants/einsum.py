# %% [markdown]
# # The transformer: from the residual block to a trained decoder
#
# Every sum is written out by its indices; a rotation is a matrix.

# %%
import math
from pathlib import Path

import torch
from torch import einsum


def part(weights, prefix):
    """{"blocks.0.a": 1, "b": 2}, "blocks.0." -> {"a": 1}"""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def count_blocks(weights):
    """{"blocks.0.a": 1, "blocks.1.a": 2} -> 2"""
    return len({name.split(".")[1] for name in weights if name.startswith("blocks.")})


# %% [markdown]
# ## Positions


# %%
def sinusoidal(n_positions, width):
    columns = torch.arange(width)
    frequencies = 10000.0 ** (-(columns - columns % 2).double() / width)
    angles = einsum("p,c->pc", torch.arange(n_positions).double(), frequencies)
    # a cosine is a sine a quarter of a turn ahead
    even = (columns % 2 == 0).double()
    return einsum("pc,c->pc", angles.sin(), even) + einsum("pc,c->pc", angles.cos(), 1 - even)


def rotary(x, positions, base=10000.0):
    width = x.shape[-1]
    frequencies = base ** (-2 * torch.arange(width // 2).double() / width)
    angles = einsum("t,i->ti", positions.double(), frequencies)
    cos, sin = torch.diag_embed(angles.cos()), torch.diag_embed(angles.sin())
    turns = torch.cat([torch.cat([cos, -sin], dim=2), torch.cat([sin, cos], dim=2)], dim=1)
    return einsum("tij,...tj->...ti", turns, x)


# %% [markdown]
# ## Norms and activations


# %%
def layer_norm(x, weight, bias, eps=1e-05):
    width = x.shape[-1]
    centred = x - (einsum("...d->...", x) / width)[..., None]
    variance = einsum("...d,...d->...", centred, centred) / width
    return einsum("...d,...,d->...d", centred, 1 / torch.sqrt(variance + eps), weight) + bias


def rms_norm(x, weight, eps=1e-06):
    square = einsum("...d,...d->...", x, x) / x.shape[-1]
    return einsum("...d,...,d->...d", x, 1 / torch.sqrt(square + eps), weight)


def gelu(x):
    return 0.5 * einsum("...,...->...", x, 1 + torch.erf(x / math.sqrt(2)))


def swiglu(gate, up):
    return einsum("...,...,...->...", gate, 1 / (1 + torch.exp(-gate.clamp(min=-700))), up)


# %% [markdown]
# ## Attention, its projections included
#
# The (D, D) projections are seen as (H, d, D) for q, k and v, and as (D, H, d) for o.


# %%
def attend(x, weights, n_heads, visible, turn):
    def heads(name):
        projection = weights[f"{name}_proj.weight"].unflatten(0, (n_heads, -1))
        y = einsum("btd,hkd->bhtk", x, projection)
        if f"{name}_proj.bias" in weights:
            y = y + weights[f"{name}_proj.bias"].unflatten(0, (n_heads, 1, -1))
        return y

    q, k, v = turn(heads("q")), turn(heads("k")), heads("v")
    scores = einsum("bhtk,bhsk->bhts", q, k) / math.sqrt(q.shape[-1])
    chances = torch.softmax(torch.where(visible, scores, -math.inf), dim=-1)
    output = weights["o_proj.weight"].unflatten(1, (n_heads, -1))
    return einsum("bhts,bhsk,dhk->btd", chances, v, output) + weights.get("o_proj.bias", 0)


# %%
def decoder_block(x, weights, n_heads):
    positions = torch.arange(x.shape[1])
    visible = positions[:, None] >= positions
    z = rms_norm(x, weights["attention_norm.weight"])
    h = x + attend(z, part(weights, "attention."), n_heads, visible, lambda y: rotary(y, positions))
    z = rms_norm(h, weights["feed_forward_norm.weight"])
    gate = einsum("btd,fd->btf", z, weights["feed_forward.gate_proj.weight"])
    up = einsum("btd,fd->btf", z, weights["feed_forward.up_proj.weight"])
    return h + einsum("btf,df->btd", swiglu(gate, up), weights["feed_forward.down_proj.weight"])


def decoder(ids, weights, n_heads):
    table = weights["token_embedding.weight"]
    x = einsum("btv,vd->btd", torch.nn.functional.one_hot(ids, len(table)).double(), table)
    for index in range(count_blocks(weights)):
        x = decoder_block(x, part(weights, f"blocks.{index}."), n_heads)
    return einsum("btd,vd->btv", rms_norm(x, weights["final_norm.weight"]), weights["lm_head.weight"])


# %%
def encoder(ids, weights, n_heads, mask=None):
    table = weights["token_embedding.weight"]
    x = einsum("btv,vd->btd", torch.nn.functional.one_hot(ids, len(table)).double(), table)
    x = x + sinusoidal(ids.shape[1], table.shape[1])
    visible = torch.tensor(True) if mask is None else mask[:, None, None, :]
    for index in range(count_blocks(weights)):
        block = part(weights, f"blocks.{index}.")
        z = layer_norm(x, block["attention_norm.weight"], block["attention_norm.bias"])
        x = x + attend(z, part(block, "attention."), n_heads, visible, lambda y: y)
        z = layer_norm(x, block["feed_forward_norm.weight"], block["feed_forward_norm.bias"])
        inner = einsum("btd,fd->btf", z, block["feed_forward.up_proj.weight"]) + block["feed_forward.up_proj.bias"]
        x = x + einsum("btf,df->btd", gelu(inner), block["feed_forward.down_proj.weight"])
        x = x + block["feed_forward.down_proj.bias"]
    z = layer_norm(x, weights["final_norm.weight"], weights["final_norm.bias"])
    return einsum("btd,vd->btv", z, table) + weights["lm_head.bias"]


# %% [markdown]
# ## Hiding words
#
# One number in [0, 1) decides the whole fate of a position.


# %%
def corrupt(ids, mask_id, n_tokens, special_ids, seed, fraction=0.15):
    torch.manual_seed(seed)
    draw = torch.rand(ids.shape, dtype=torch.float64)
    special = torch.zeros(ids.shape, dtype=torch.bool)
    for token in special_ids:
        special = special | (ids == token)
    draw = torch.where(special, 2.0, draw)
    replaced = torch.where(draw < 0.9 * fraction, torch.randint(0, n_tokens, ids.shape), ids)
    masked = torch.where(draw < 0.8 * fraction, mask_id, replaced)
    return masked, torch.where(draw < fraction, ids, -100)


# %% [markdown]
# ## The loss and the training


# %%
def cross_entropy(logits, targets, ignored=-100):
    n_tokens = logits.shape[-1]
    counts = (targets != ignored).double()
    right = torch.nn.functional.one_hot(torch.where(targets == ignored, 0, targets), n_tokens).double()
    surprise = -torch.log_softmax(logits, dim=-1)
    return einsum("...v,...v,...->", surprise, right, counts) / counts.sum()


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
    generator = torch.Generator()
    generator.manual_seed(seed)
    weights = initial_weights(n_tokens, generator)
    places = torch.randint(0, len(ids) - LENGTH, (steps, BATCH_SIZE, 1), generator=generator)
    batches = ids[places + torch.arange(LENGTH + 1)]
    for weight in weights.values():
        weight.requires_grad = True
    optimizer = torch.optim.Adam(list(weights.values()), lr=RATE)
    for batch in batches:
        loss = cross_entropy(decoder(batch[:, :-1], weights, N_HEADS), batch[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: weight.detach().clone() for name, weight in weights.items()}


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
