# %% [markdown]
# # Fine-tuning: adapting a model without learning everything again
#
# Every sum is guarded: long doubles, `fsum`, orthogonal factorisations, and differences taken before anything large.

# %%
# ruff: noqa: T201
import itertools
import math
from pathlib import Path

import numpy as np
import torch

torch.set_printoptions(precision=4, sci_mode=False)


# %%
def extended(values):
    """A copy in extended precision."""
    return torch.as_tensor(values).detach().cpu().numpy().astype(np.longdouble)


def log_sum_exp(z):
    """Over the last axis; the largest term, 1 after the shift, is left out of the sum and given to log1p."""
    order = np.sort(z, axis=-1)
    top = order[..., -1:]
    return (top + np.log1p(np.exp(order[..., :-1] - top).sum(axis=-1, keepdims=True)))[..., 0]


def surprise_of(z, token):
    """-ln p(token), as ln(1 + the sum of exp(z_k - z_token) over the others): right even when p is close to 1."""
    others = np.delete(z, token) - z[token]
    top = max(others.max(initial=0), 0)
    if top == 0:
        return np.log1p(np.exp(others).sum())
    return top + np.log(np.exp(-top) + np.exp(others - top).sum())


def surprises_by_row(logits, ids, mask):
    z, ids, mask = extended(logits), np.asarray(ids), np.asarray(mask)
    return [[surprise_of(z[row, t - 1], ids[row, t]) for t in np.flatnonzero(mask[row])] for row in range(len(ids))]


# %% [markdown]
# ## 1. Which tokens are to be learned?


# %%
def answer_mask(ids, assistant, end):
    """A token is learned if the last marker before it is assistant, whichever marker that may be."""
    if assistant == end:
        raise ValueError("the markers must differ")
    mask, last_marker = [], None
    for token in ids:
        mask.append(last_marker == assistant)
        if token in {assistant, end}:
            last_marker = token
    return mask


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. The loss on the answers


# %%
def answer_loss(logits, ids, mask):
    found = [surprise for row in surprises_by_row(logits, ids, mask) for surprise in row]
    return float(np.sum(found) / len(found))


# %%
logits = torch.tensor([[[0, math.log(3)], [math.log(9), 0], [0, 0]]], dtype=torch.float64)
ids = torch.tensor([[0, 1, 1]])
print(answer_loss(logits, ids, torch.tensor([[False, True, True]])), math.log(40 / 3) / 2)
print(answer_loss(logits, ids, torch.tensor([[False, False, True]])), math.log(10))

# %% [markdown]
# ## A base model


# %%
def sentences(name):
    return Path(name).read_text(encoding="utf-8").lower().splitlines()


FRENCH, ENGLISH = sentences("francais.txt"), sentences("anglais.txt")
ALPHABET = "\n" + "".join(sorted(set("".join(FRENCH + ENGLISH))))
INDEX = {symbol: number for number, symbol in enumerate(ALPHABET)}


def encode(text):
    return [INDEX[symbol] for symbol in text]


def train_base(lines, width=8, n_steps=150, seed=0):
    """The features of each symbol (V, width) and the head (V, width), trained on all pairs of symbols of `lines`."""
    counts = torch.full((len(ALPHABET), len(ALPHABET)), 0.1, dtype=torch.float64)  # no pair is impossible
    for line in lines:
        symbols = encode("\n" + line + "\n")
        for first, second in itertools.pairwise(symbols):
            counts[first, second] += 1
    generator = torch.Generator().manual_seed(seed)
    features, head = 0.5 * torch.randn(2, len(ALPHABET), width, generator=generator, dtype=torch.float64)
    features.requires_grad_()
    head.requires_grad_()
    optimizer = torch.optim.Adam([features, head], lr=0.1)
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss = -(counts * torch.log_softmax(features @ head.T, dim=-1)).sum() / counts.sum()
        loss.backward()
        optimizer.step()
    return features.detach(), head.detach()


def surprise(logits, lines):
    """Bits per symbol of `lines`, for the table of logits (V, V) of a model."""
    bits = -torch.log_softmax(logits, dim=-1) / math.log(2)
    pairs = [pair for line in lines for pair in zip(encode("\n" + line), encode(line + "\n"), strict=True)]
    return sum(bits[first, second].item() for first, second in pairs) / len(pairs)


FEATURES, HEAD = train_base(FRENCH[:300])
TEST_FRENCH, TEST_ENGLISH = FRENCH[300:], ENGLISH[40:]
print(len(ALPHABET), FRENCH[0], ENGLISH[0])
print(surprise(FEATURES @ HEAD.T, TEST_FRENCH), surprise(FEATURES @ HEAD.T, TEST_ENGLISH))

# %% [markdown]
# ## 3. Probing a frozen model


# %%
def least_squares_probe(features, targets, penalty):
    """QR of the centred rows above sqrt(penalty) times the identity: the condition number is not squared."""
    x, y = extended(features), extended(targets)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    xc, yc = x - mean_x, y - mean_y
    width = x.shape[1]
    rows = np.vstack([xc, math.sqrt(penalty) * np.eye(width)]).astype(np.float64)
    factor = np.linalg.qr(rows, mode="r")
    weights = np.zeros((width, y.shape[1]), dtype=np.longdouble)
    for _ in range(3):  # the normal equations' residual, in extended precision, refines the solution
        residual = xc.T @ (yc - xc @ weights) - penalty * weights
        half = np.linalg.solve(factor.T, residual.astype(np.float64))
        weights += np.linalg.solve(factor, half)
    return torch.from_numpy(weights.astype(np.float64)), torch.from_numpy(
        (mean_y - mean_x @ weights).astype(np.float64)
    )


# %%
x, y = torch.tensor([[0], [1], [2]], dtype=torch.float64), torch.tensor([[1], [4], [7]], dtype=torch.float64)
print(least_squares_probe(x, y, penalty=2.0))

letters = [symbol for symbol in ALPHABET if symbol.isalpha()]
vowels = torch.tensor([[1.0, 0.0] if symbol in "aeiouyàâçèéêôû" else [0.0, 1.0] for symbol in letters]).double()
rows = FEATURES[encode(letters)]
weights, bias = least_squares_probe(rows[::2], vowels[::2], penalty=1.0)
found = (rows[1::2] @ weights + bias).argmax(dim=-1)
print((found == vowels[1::2].argmax(dim=-1)).double().mean())

# %% [markdown]
# ## 4. LoRA: how many parameters?


# %%
def lora_parameters(shapes, rank):
    adapters = weights = 0
    for n_outputs, n_inputs in shapes:
        adapters += int(rank) * (int(n_outputs) + int(n_inputs))  # Python's integers do not overflow
        weights += int(n_outputs) * int(n_inputs)
    return adapters, weights


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA: where to start?


# %%
def lora_start(n_outputs, n_inputs, rank, seed):
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    bound = 1 / math.sqrt(n_inputs)
    a = np.clip(generator.uniform(-bound, bound, size=(rank, n_inputs)), -bound, bound)
    return torch.from_numpy(a), torch.zeros(n_outputs, rank, dtype=torch.float64)


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA: the adapted layer


# %%
def lora_forward(x, weight, a, b, alpha):
    x, weight, a, b = map(extended, (x, weight, a, b))
    return torch.from_numpy(np.asarray(x @ weight.T + (x @ a.T) @ b.T * alpha / len(a), dtype=np.float64))


# %%
weight = torch.tensor([[1, 0], [0, 1]], dtype=torch.float64)
a = torch.tensor([[1, 1], [0, 2]], dtype=torch.float64)
b = torch.tensor([[1, 0], [0, -1]], dtype=torch.float64)
x = torch.tensor([[3, 1]], dtype=torch.float64)
print(lora_forward(x, weight, a, b, alpha=4.0))

# %% [markdown]
# ## 7. LoRA: the merge


# %%
def lora_merge(weight, a, b, alpha):
    weight, a, b = map(extended, (weight, a, b))
    return torch.from_numpy((weight + b @ a * alpha / len(a)).astype(np.float64))


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA: the descent


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    """Extended precision from first step to last; distinct pairs of tokens are visited once, with their count."""
    x, w, a, b = map(extended, (features, weight, a, b))
    ids, mask = np.asarray(ids), np.asarray(mask)
    pairs = np.stack([ids[:, :-1][mask[:, 1:]], ids[:, 1:][mask[:, 1:]]])
    (before, after), counts = np.unique(pairs, axis=1, return_counts=True)
    shares = counts / np.longdouble(counts.sum())
    x, places, scale = x[before], np.arange(len(before)), np.longdouble(alpha) / len(a)
    base = x @ w.T
    for _ in range(n_steps):
        low = x @ a.T
        z = base + scale * (low @ b.T)
        error = np.exp(z - log_sum_exp(z)[:, None])
        error[places, after] -= 1
        error *= scale * shares[:, None]
        a, b = a - learning_rate * ((error @ b).T @ x), b - learning_rate * (error.T @ low)
    return torch.from_numpy(a.astype(np.float64)), torch.from_numpy(b.astype(np.float64))


# %%
identity, zeros = torch.eye(2, dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64)
a, b = torch.ones(1, 2, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
ids, mask = torch.tensor([[0, 1]]), torch.tensor([[False, True]])
print(train_lora(identity, zeros, a, b, 2.0, ids, mask, learning_rate=1.0, n_steps=1))


# %%
def question_and_answer(question, answer, length=256):
    """A line of French, then one of English; what is to be learned is the English, its end included."""
    asked, said = encode("\n" + question + "\n"), encode(answer + "\n")
    padding = [0] * (length - len(asked) - len(said))
    mask = [False] * len(asked) + [True] * len(said) + [False] * len(padding)
    return asked + said + padding, mask


examples = [question_and_answer(*pair) for pair in zip(FRENCH, ENGLISH[:40], strict=False)]
ids, mask = torch.tensor([row for row, _ in examples]), torch.tensor([marks for _, marks in examples])
for rank in (1, 4):
    a, b = lora_start(*HEAD.shape, rank, seed=1)
    a, b = train_lora(FEATURES, HEAD, a, b, 2.0 * rank, ids, mask, learning_rate=0.5, n_steps=60)
    adapted = FEATURES @ lora_merge(HEAD, a, b, 2.0 * rank).T
    print(rank, lora_parameters([HEAD.shape], rank), surprise(adapted, TEST_ENGLISH), surprise(adapted, TEST_FRENCH))

# %% [markdown]
# ## 9. Distillation


# %%
def distillation_loss(student, teacher, labels, temperature, soft_weight):
    """The divergence as a sum of p (ln(p/q) - 1) + q, whose terms are never negative: nothing cancels."""
    z, m = extended(student), extended(teacher)
    losses = []
    for row_z, row_m, label in zip(z, m, np.asarray(labels), strict=True):
        possible = np.isfinite(row_m)
        ln_q = row_z / temperature - log_sum_exp(row_z / temperature)
        ln_p = row_m[possible] / temperature - log_sum_exp(row_m[possible] / temperature)
        gap = ln_p - ln_q[possible]
        terms = np.exp(ln_p) * (gap + np.expm1(-gap.clip(-700, None)))
        far = gap < -700  # exp(-gap) would be too large for a float64
        terms[far] = np.exp(ln_p[far]) * (gap[far] - 1) + np.exp(ln_q[possible][far])
        divergence = terms.sum() + np.exp(ln_q[~possible]).sum()
        losses.append(soft_weight * temperature**2 * divergence + (1 - soft_weight) * surprise_of(row_z, label))
    return math.fsum(losses) / len(losses)


# %%
student = torch.tensor([[0, 0]], dtype=torch.float64)
teacher = torch.tensor([[2 * math.log(3), 0]], dtype=torch.float64)
label = torch.tensor([1])
print(distillation_loss(student, teacher, label, temperature=2.0, soft_weight=1.0))
print(distillation_loss(student, teacher, label, temperature=2.0, soft_weight=0.25))

# %% [markdown]
# ## 10. The log-probability of an answer


# %%
def sequence_logprobs(logits, ids, mask):
    return torch.tensor([-float(np.sum(row)) for row in surprises_by_row(logits, ids, mask)], dtype=torch.float64)


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. The reward model


# %%
def pairwise_losses(chosen, rejected):
    z = extended(chosen) - extended(rejected)
    tail = np.log1p(np.exp(-np.abs(z)))
    return torch.from_numpy(np.where(z < 0, tail - z, tail).astype(np.float64))


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO: doing without a reward model


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    gain = extended(policy_chosen) - extended(reference_chosen)
    lost = extended(policy_rejected) - extended(reference_rejected)
    z = beta * (gain - lost)
    return math.fsum(np.log1p(np.exp(-np.abs(z))) + np.maximum(-z, 0)) / len(z)


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
