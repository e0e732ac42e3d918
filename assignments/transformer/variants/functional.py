# %% [markdown]
# # The transformer: from the residual block to a trained decoder
#
# No statement is executed for its effect where an expression will do: maps, reductions, comprehensions. A block is a
# function of one text, mapped over the batch; Adam is a function from a state to the next one.

# %%
import math
import random
from functools import partial, reduce
from itertools import cycle, islice
from operator import itemgetter, mul
from pathlib import Path
from statistics import NormalDist

import torch
from torch.func import grad, vmap


# %%
def part(weights, prefix):
    """{"blocks.0.a": 1, "b": 2}, "blocks.0." -> {"a": 1}"""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def count_blocks(weights):
    """{"blocks.0.a": 1, "blocks.1.a": 2} -> 2"""
    return len({name.split(".")[1] for name in weights if name.startswith("blocks.")})


def compose(*functions):
    return lambda x: reduce(lambda y, function: function(y), functions, x)


def residual(function):
    return lambda x: x + function(x)


def linear(weight, bias=0.0):
    return lambda x: x @ weight.T + bias


def float64(numbers, *shape):
    return torch.tensor(list(numbers), dtype=torch.float64).reshape(shape)


# %%
def sinusoidal(n_positions, width):
    waves = list(zip(islice(cycle((math.sin, math.cos)), width), range(width), strict=True))
    return float64(
        (wave(p / 10000 ** (2 * (c // 2) / width)) for p in range(n_positions) for wave, c in waves),
        n_positions,
        width,
    )


def rotary(x, positions, base=10000.0):
    half = x.shape[-1] // 2
    angles = [positions.double() * base ** (-i / half) for i in range(half)]
    columns = x.unbind(-1)
    pairs = [
        (u * a.cos() - w * a.sin(), u * a.sin() + w * a.cos())
        for u, w, a in zip(columns[:half], columns[half:], angles, strict=True)
    ]
    return torch.stack([*map(itemgetter(0), pairs), *map(itemgetter(1), pairs)], dim=-1)


# %%
def rms_norm(x, weight, eps=1e-06):
    return weight * x / torch.sqrt(x.square().mean(dim=-1, keepdim=True) + eps)


def layer_norm(x, weight, bias, eps=1e-05):
    return (lambda centred: rms_norm(centred, weight, eps) + bias)(x - x.mean(dim=-1, keepdim=True))


def gelu(x):
    return float64(map(mul, x.flatten().tolist(), map(NormalDist().cdf, x.flatten().tolist())), *x.shape)


def swiglu(gate, up):
    return reduce(mul, (gate, torch.sigmoid(gate), up))


# %% [markdown]
# ## Blocks, as functions of the rows of one text


# %%
def head(q, k, v, hidden):
    scores = (q @ k.transpose(0, 1) / math.sqrt(q.shape[-1])).masked_fill(hidden, -math.inf)
    return scores.softmax(dim=-1) @ v


def heads(n_heads, hidden, place, x, projections, output):
    q, k, v = (projection(x).chunk(n_heads, dim=-1) for projection in projections)
    return output(torch.cat(list(map(partial(head, hidden=hidden), map(place, q), map(place, k), v)), dim=-1))


def decoder_text(weights, n_heads, x):
    positions = torch.arange(x.shape[0])
    w = {name: linear(weight) for name, weight in weights.items()}
    attention = partial(
        heads,
        n_heads,
        positions[:, None] < positions,
        partial(rotary, positions=positions),
        projections=[w[f"attention.{name}_proj.weight"] for name in "qkv"],
        output=w["attention.o_proj.weight"],
    )
    gate, up, down = (w[f"feed_forward.{name}_proj.weight"] for name in ("gate", "up", "down"))
    return compose(
        residual(compose(partial(rms_norm, weight=weights["attention_norm.weight"]), attention)),
        residual(
            compose(
                partial(rms_norm, weight=weights["feed_forward_norm.weight"]),
                lambda z: swiglu(gate(z), up(z)),
                down,
            )
        ),
    )(x)


def decoder_block(x, weights, n_heads):
    return vmap(partial(decoder_text, weights, n_heads))(x)


def decoder(ids, weights, n_heads):
    return compose(
        weights["token_embedding.weight"].__getitem__,
        *(
            partial(decoder_block, weights=part(weights, f"blocks.{i}."), n_heads=n_heads)
            for i in range(count_blocks(weights))
        ),
        partial(rms_norm, weight=weights["final_norm.weight"]),
        linear(weights["lm_head.weight"]),
    )(ids)


# %%
def encoder_text(weights, n_heads, hidden, x):
    def layer(name):
        return linear(weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(name):
        return partial(layer_norm, weight=weights[f"{name}.weight"], bias=weights[f"{name}.bias"])

    attention = partial(
        heads,
        n_heads,
        hidden,
        lambda y: y,
        projections=[layer(f"attention.{name}_proj") for name in "qkv"],
        output=layer("attention.o_proj"),
    )
    feed_forward = compose(layer("feed_forward.up_proj"), gelu, layer("feed_forward.down_proj"))
    return compose(
        residual(compose(norm("attention_norm"), attention)),
        residual(compose(norm("feed_forward_norm"), feed_forward)),
    )(x)


def encoder(ids, weights, n_heads, mask=None):
    table = weights["token_embedding.weight"]
    hidden = torch.zeros_like(ids, dtype=torch.bool) if mask is None else mask.logical_not()
    blocks = [part(weights, f"blocks.{i}.") for i in range(count_blocks(weights))]
    final = partial(layer_norm, weight=weights["final_norm.weight"], bias=weights["final_norm.bias"])

    def read(text, hidden):
        return compose(
            table.__getitem__,
            lambda x: x + sinusoidal(*x.shape),
            *(partial(encoder_text, block, n_heads, hidden) for block in blocks),
            final,
            linear(table, weights["lm_head.bias"]),
        )(text)

    return torch.stack(list(map(read, ids, hidden)))


# %%
def corrupt(ids, mask_id, n_tokens, special_ids, seed, fraction=0.15):
    rng = random.Random(seed)  # noqa: S311
    special = frozenset(special_ids)

    def replace(token):
        return rng.choices((mask_id, rng.randrange(n_tokens), token), weights=(8, 1, 1))[0]

    pairs = [
        (replace(token), token) if token not in special and rng.random() < fraction else (token, -100)
        for token in ids.flatten().tolist()
    ]
    return tuple(torch.tensor(list(map(itemgetter(k), pairs)), dtype=torch.int64).reshape(ids.shape) for k in (0, 1))


# %%
def cross_entropy(logits, targets, ignored=-100):
    rows, right = logits[targets != ignored], targets[targets != ignored]
    return -rows.log_softmax(dim=-1).take_along_dim(right.unsqueeze(-1), dim=-1).mean()


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
def loss(weights, windows):
    return cross_entropy(decoder(windows[:, :-1], weights, N_HEADS), windows[:, 1:])


def adam(state, step_and_windows):
    weights, means, squares = state
    step, windows = step_and_windows
    gradient = grad(loss)(weights, windows)
    means = {name: 0.9 * means[name] + 0.1 * g for name, g in gradient.items()}
    squares = {name: 0.999 * squares[name] + 0.001 * g * g for name, g in gradient.items()}
    return (
        {
            name: weight - RATE * (means[name] / (1 - 0.9**step)) / ((squares[name] / (1 - 0.999**step)).sqrt() + 1e-8)
            for name, weight in weights.items()
        },
        means,
        squares,
    )


def train_decoder(ids, n_tokens, seed, steps=200):
    rng = random.Random(seed)  # noqa: S311
    windows = ids.unfold(0, LENGTH + 1, 1)
    batches = (windows[rng.choices(range(len(windows)), k=BATCH_SIZE)] for _ in range(steps))
    weights = initial_weights(n_tokens, torch.Generator().manual_seed(rng.getrandbits(60)))
    zeros = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    return reduce(adam, enumerate(batches, start=1), (weights, zeros, zeros))[0]


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
