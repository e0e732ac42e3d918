# %% [markdown]
# # The transformer: from the residual block to a trained decoder
#
# Loops over lists of floats, without any library for the sums. Lists carry no gradient, so training has a second
# version of the decoder, with tensors.

# %%
import math
import random
from pathlib import Path

import torch


def part(weights, prefix):
    """{"blocks.0.a": 1, "b": 2}, "blocks.0." -> {"a": 1}"""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def count_blocks(weights):
    """{"blocks.0.a": 1, "blocks.1.a": 2} -> 2"""
    return len({name.split(".")[1] for name in weights if name.startswith("blocks.")})


def to_tensor(numbers, shape):
    return torch.tensor(numbers, dtype=torch.float64).reshape(shape)


def to_lists(weights):
    return {name: weight.tolist() for name, weight in weights.items()}


# %%
def angle(position, pair, width, base):
    return position / base ** (2 * pair / width)


def sinusoidal(n_positions, width):
    table = []
    for position in range(n_positions):
        for column in range(width):
            a = angle(position, column // 2, width, 10000.0)
            if column % 2 == 0:
                table.append(math.sin(a))
            else:
                table.append(math.cos(a))
    return to_tensor(table, (n_positions, width))


# %%
def turn_row(row, position, base):
    half = len(row) // 2
    result = [0.0] * len(row)
    for i in range(half):
        a = angle(position, i, len(row), base)
        u, w = row[i], row[i + half]
        result[i] = u * math.cos(a) - w * math.sin(a)
        result[i + half] = u * math.sin(a) + w * math.cos(a)
    return result


def rotary(x, positions, base=10000.0):
    positions = positions.tolist()
    result = []
    for r, row in enumerate(x.reshape(-1, x.shape[-1]).tolist()):
        result.append(turn_row(row, positions[r % len(positions)], base))
    return to_tensor(result, x.shape)


rotary(torch.tensor([[1, 2, 3, 4], [1, 2, 3, 4]], dtype=torch.float64), torch.tensor([0, 1]))


# %%
def layer_norm_row(row, weight, bias, eps):
    mean = 0.0
    for value in row:
        mean += value / len(row)
    variance = 0.0
    for value in row:
        variance += (value - mean) ** 2 / len(row)
    root = math.sqrt(variance + eps)
    return [w * (value - mean) / root + b for value, w, b in zip(row, weight, bias, strict=True)]


def rms_norm_row(row, weight, eps):
    square = 0.0
    for value in row:
        square += value * value / len(row)
    root = math.sqrt(square + eps)
    return [w * value / root for value, w in zip(row, weight, strict=True)]


def layer_norm(x, weight, bias, eps=1e-05):
    weight, bias = weight.tolist(), bias.tolist()
    rows = []
    for row in x.reshape(-1, x.shape[-1]).tolist():
        rows.append(layer_norm_row(row, weight, bias, eps))  # noqa: PERF401
    return to_tensor(rows, x.shape)


def rms_norm(x, weight, eps=1e-06):
    weight = weight.tolist()
    rows = []
    for row in x.reshape(-1, x.shape[-1]).tolist():
        rows.append(rms_norm_row(row, weight, eps))  # noqa: PERF401
    return to_tensor(rows, x.shape)


# %%
def gelu_number(x):
    return x / 2 * (1 + math.erf(x / math.sqrt(2)))


def sigmoid_number(x):
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    e = math.exp(x)
    return e / (1 + e)


def gelu(x):
    result = []
    for value in x.flatten().tolist():
        result.append(gelu_number(value))  # noqa: PERF401
    return to_tensor(result, x.shape)


def swiglu(gate, up):
    result = []
    for g, u in zip(gate.flatten().tolist(), up.flatten().tolist(), strict=True):
        result.append(g * sigmoid_number(g) * u)
    return to_tensor(result, gate.shape)


# %%
def dot(a, b):
    total = 0.0
    for u, w in zip(a, b, strict=True):
        total += u * w
    return total


def project_row(row, projection, bias=None):
    result = []
    for i, line in enumerate(projection):
        result.append(dot(row, line) + (0.0 if bias is None else bias[i]))
    return result


def add_rows(a, b):
    return [u + w for u, w in zip(a, b, strict=True)]


def look(query, keys, values, seen):
    """What one query draws from the places that it sees."""
    scores = {}
    for place in seen:
        scores[place] = dot(query, keys[place]) / math.sqrt(len(query))
    highest = max(scores.values())
    total = 0.0
    result = [0.0] * len(query)
    for place, score in scores.items():
        share = math.exp(score - highest)
        total += share
        for column in range(len(query)):
            result[column] += share * values[place][column]
    return [value / total for value in result]


def attend(queries, keys, values, n_heads, seen, turn):
    """Rows (T, D) of one text; seen[t] lists the places that t looks at."""
    width = len(queries[0]) // n_heads
    mixed = [[] for _ in queries]
    for head in range(n_heads):
        columns = slice(head * width, (head + 1) * width)
        q, k, v = [], [], []
        for t in range(len(queries)):
            q.append(turn(queries[t][columns], t))
            k.append(turn(keys[t][columns], t))
            v.append(values[t][columns])
        for t in range(len(queries)):
            mixed[t] += look(q[t], k, v, seen[t])
    return mixed


# %%
def decoder_block_text(rows, w, n_heads):
    q, k, v = [], [], []
    for row in rows:
        z = rms_norm_row(row, w["attention_norm.weight"], 1e-6)
        q.append(project_row(z, w["attention.q_proj.weight"]))
        k.append(project_row(z, w["attention.k_proj.weight"]))
        v.append(project_row(z, w["attention.v_proj.weight"]))
    seen = [range(t + 1) for t in range(len(rows))]
    result = []
    for row, mixed in zip(rows, attend(q, k, v, n_heads, seen, lambda r, t: turn_row(r, t, 10000.0)), strict=True):
        h = add_rows(row, project_row(mixed, w["attention.o_proj.weight"]))
        z = rms_norm_row(h, w["feed_forward_norm.weight"], 1e-6)
        gate = project_row(z, w["feed_forward.gate_proj.weight"])
        up = project_row(z, w["feed_forward.up_proj.weight"])
        inner = [g * sigmoid_number(g) * u for g, u in zip(gate, up, strict=True)]
        result.append(add_rows(h, project_row(inner, w["feed_forward.down_proj.weight"])))
    return result


def decoder_block(x, weights, n_heads):
    weights = to_lists(weights)
    texts = []
    for rows in x.tolist():
        texts.append(decoder_block_text(rows, weights, n_heads))  # noqa: PERF401
    return to_tensor(texts, x.shape)


def decoder(ids, weights, n_heads):
    weights = to_lists(weights)
    texts = []
    for text in ids.tolist():
        rows = [weights["token_embedding.weight"][token] for token in text]
        for index in range(count_blocks(weights)):
            rows = decoder_block_text(rows, part(weights, f"blocks.{index}."), n_heads)
        logits = []
        for row in rows:
            z = rms_norm_row(row, weights["final_norm.weight"], 1e-6)
            logits.append(project_row(z, weights["lm_head.weight"]))
        texts.append(logits)
    return to_tensor(texts, (*ids.shape, len(weights["lm_head.weight"])))


# %%
def encoder_block_text(rows, w, n_heads, real):
    def project(row, name):
        return project_row(row, w[f"{name}_proj.weight"], w[f"{name}_proj.bias"])

    q, k, v = [], [], []
    for row in rows:
        z = layer_norm_row(row, w["attention_norm.weight"], w["attention_norm.bias"], 1e-5)
        q.append(project(z, "attention.q"))
        k.append(project(z, "attention.k"))
        v.append(project(z, "attention.v"))
    result = []
    for row, mixed in zip(rows, attend(q, k, v, n_heads, [real] * len(rows), lambda r, _: r), strict=True):
        h = add_rows(row, project(mixed, "attention.o"))
        z = layer_norm_row(h, w["feed_forward_norm.weight"], w["feed_forward_norm.bias"], 1e-5)
        inner = [gelu_number(value) for value in project(z, "feed_forward.up")]
        result.append(add_rows(h, project(inner, "feed_forward.down")))
    return result


def encoder(ids, weights, n_heads, mask=None):
    weights = to_lists(weights)
    table = weights["token_embedding.weight"]
    signatures = sinusoidal(ids.shape[1], len(table[0])).tolist()
    texts = []
    for number, text in enumerate(ids.tolist()):
        real = [t for t in range(len(text)) if mask is None or mask[number, t]]
        rows = [add_rows(table[token], signature) for token, signature in zip(text, signatures, strict=True)]
        for index in range(count_blocks(weights)):
            rows = encoder_block_text(rows, part(weights, f"blocks.{index}."), n_heads, real)
        logits = []
        for row in rows:
            z = layer_norm_row(row, weights["final_norm.weight"], weights["final_norm.bias"], 1e-5)
            logits.append(project_row(z, table, weights["lm_head.bias"]))
        texts.append(logits)
    return to_tensor(texts, (*ids.shape, len(table)))


# %%
def corrupt(ids, mask_id, n_tokens, special_ids, seed, fraction=0.15):
    rng = random.Random(seed)  # noqa: S311
    corrupted, labels = [], []
    for token in ids.flatten().tolist():
        new, label = token, -100
        if token not in special_ids and rng.random() < fraction:
            label = token
            die = rng.randrange(10)
            if die < 8:
                new = mask_id
            elif die == 8:
                new = rng.randrange(n_tokens)
        corrupted.append(new)
        labels.append(label)
    corrupted = torch.tensor(corrupted, dtype=torch.int64).reshape(ids.shape)
    return corrupted, torch.tensor(labels, dtype=torch.int64).reshape(ids.shape)


# %%
def cross_entropy(logits, targets, ignored=-100):
    total, count = 0.0, 0
    for row, target in zip(logits.reshape(-1, logits.shape[-1]).tolist(), targets.flatten().tolist(), strict=True):
        if target == ignored:
            continue
        highest = max(row)
        denominator = 0.0
        for value in row:
            denominator += math.exp(value - highest)
        total += highest + math.log(denominator) - row[target]
        count += 1
    return total / count


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
def loss_with_gradient(inputs, targets, weights):
    """The decoder of one block and its loss once more, with tensors."""

    def norm(x, name):
        return weights[f"{name}.weight"] * x / torch.sqrt((x * x).mean(dim=2, keepdim=True) + 1e-6)

    width = WIDTH // N_HEADS
    pairs = torch.arange(width // 2).double()
    angles = torch.arange(LENGTH).double().unsqueeze(1) / 10000.0 ** (2 * pairs / width)
    cos, sin = torch.cos(angles), torch.sin(angles)

    def turn(x):
        u, w = x[:, :, : width // 2], x[:, :, width // 2 :]
        return torch.cat([u * cos - w * sin, u * sin + w * cos], dim=2)

    x = weights["token_embedding.weight"][inputs]
    z = norm(x, "blocks.0.attention_norm")
    q, k, v = (z @ weights[f"blocks.0.attention.{name}_proj.weight"].T for name in "qkv")
    future = torch.ones(LENGTH, LENGTH).triu(1) > 0
    heads = []
    for head in range(N_HEADS):
        columns = slice(head * width, (head + 1) * width)
        scores = turn(q[:, :, columns]) @ turn(k[:, :, columns]).transpose(1, 2) / math.sqrt(width)
        scores = scores.masked_fill(future, -math.inf)
        heads.append(torch.softmax(scores, dim=2) @ v[:, :, columns])
    h = x + torch.cat(heads, dim=2) @ weights["blocks.0.attention.o_proj.weight"].T
    z = norm(h, "blocks.0.feed_forward_norm")
    gate = z @ weights["blocks.0.feed_forward.gate_proj.weight"].T
    up = z @ weights["blocks.0.feed_forward.up_proj.weight"].T
    y = h + (gate * torch.sigmoid(gate) * up) @ weights["blocks.0.feed_forward.down_proj.weight"].T
    logits = norm(y, "final_norm") @ weights["lm_head.weight"].T
    surprises = torch.logsumexp(logits, dim=2) - logits.gather(2, targets.unsqueeze(2)).squeeze(2)
    return surprises.mean()


def train_decoder(ids, n_tokens, seed, steps=200):
    rng = random.Random(seed)  # noqa: S311
    weights = initial_weights(n_tokens, torch.Generator().manual_seed(seed))
    for weight in weights.values():
        weight.requires_grad_(True)
    optimizer = torch.optim.Adam(list(weights.values()), lr=RATE)
    for _ in range(steps):
        inputs, targets = [], []
        for _ in range(BATCH_SIZE):
            start = rng.randint(0, len(ids) - LENGTH - 1)
            inputs.append(ids[start : start + LENGTH])
            targets.append(ids[start + 1 : start + LENGTH + 1])
        optimizer.zero_grad()
        loss_with_gradient(torch.stack(inputs), torch.stack(targets), weights).backward()
        optimizer.step()
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
