# %% [markdown]
# # Fine-tuning: adapting a model without learning everything again
#
# Tables instead of passes: a bigram table is all that the descent needs, and each token is looked up once.

# %%
# ruff: noqa: T201
import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import torch

torch.set_printoptions(precision=4, sci_mode=False)


# %%
def array(values):
    return values.detach().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def surprises(z, tokens):
    """-ln p(token) for each row of z: ln of the sum of exp(z_k - z_token), whose largest term is taken out."""
    gaps = z - z[np.arange(len(z)), tokens][:, None]
    top = np.maximum(gaps.max(axis=1), 0)
    return top + np.log(np.exp(gaps - top[:, None]).sum(axis=1))


def marked(logits, ids, mask):
    """The row, and the surprise, of each marked token."""
    rows, places = np.nonzero(array(mask))
    return rows, surprises(array(logits)[rows, places - 1], array(ids)[rows, places])


# %% [markdown]
# ## 1. Which tokens are to be learned?


# %%
def answer_mask(ids, assistant, end):
    """From right to left, where each token's message ends; then from each marker assistant to there."""
    next_end = [0] * len(ids)
    stop = len(ids)
    for i in range(len(ids) - 1, -1, -1):
        if ids[i] == end:
            stop = i + 1
        next_end[i] = stop
    mask = np.zeros(len(ids), dtype=bool)
    for i, token in enumerate(ids):
        if token == assistant:
            mask[i + 1 : next_end[i]] = True
    return mask.tolist()


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. The loss on the answers


# %%
def answer_loss(logits, ids, mask):
    return float(marked(logits, ids, mask)[1].mean())


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
    """The bias as one more weight, of a column of ones, that alone is not penalised."""
    x = np.column_stack([array(features), np.ones(len(features))])
    penalties = np.diag([penalty] * (x.shape[1] - 1) + [0.0])
    solution = np.linalg.solve(x.T @ x + penalties, x.T @ array(targets))
    return torch.from_numpy(solution[:-1]), torch.from_numpy(solution[-1])


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
    """Equal shapes are counted first: a model repeats the same layer many times."""
    counts = Counter(map(tuple, shapes)).items()
    return rank * sum(n * sum(shape) for shape, n in counts), sum(n * math.prod(shape) for shape, n in counts)


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA: where to start?


# %%
def lora_start(n_outputs, n_inputs, rank, seed):
    generator = np.random.Generator(np.random.Philox(seed))
    a = (generator.random((rank, n_inputs)) - 0.5) * (2 / math.sqrt(n_inputs))
    return torch.from_numpy(a), torch.zeros((n_outputs, rank), dtype=torch.float64)


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA: the adapted layer


# %%
def lora_forward(x, weight, a, b, alpha):
    """One product for A and W together, one for B."""
    n_outputs = weight.shape[0]
    both = x @ torch.cat([weight, a]).T
    return both[..., :n_outputs] + both[..., n_outputs:] @ (b.T * (alpha / a.shape[0]))


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
    """[W, s B] times [I; A]."""
    left = torch.cat([weight, b * (alpha / a.shape[0])], dim=1)
    right = torch.cat([torch.eye(a.shape[1], dtype=torch.float64), a])
    return left @ right


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA: the descent


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    x, w, a, b, ids, mask = map(array, (features, weight, a, b, ids, mask))
    n_tokens = len(w)
    pairs = (ids[:, :-1] * n_tokens + ids[:, 1:])[mask[:, 1:]]
    table = np.bincount(pairs, minlength=n_tokens**2).reshape(n_tokens, n_tokens) / len(pairs)
    firsts = table.sum(axis=1, keepdims=True)
    scale = alpha / len(a)
    base = x @ w.T
    for _ in range(n_steps):
        low = x @ a.T
        z = base + scale * (low @ b.T)
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        error = scale * (firsts * p - table)
        grad_a, grad_b = (error @ b).T @ x, error.T @ low
        a, b = a - learning_rate * grad_a, b - learning_rate * grad_b
    return torch.from_numpy(a), torch.from_numpy(b)


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
    """The divergence is the cross-entropy of teacher and student, less the entropy of the teacher."""
    z, m = array(student), array(teacher) / temperature
    p = np.exp(m - m.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    ln_p = np.log(p, out=np.zeros_like(p), where=p > 0)
    soft = z / temperature
    soft_top = soft.max(axis=1, keepdims=True)
    ln_q = soft - soft_top - np.log(np.exp(soft - soft_top).sum(axis=1, keepdims=True))
    divergence = (p * ln_p).sum(axis=1) - (p * ln_q).sum(axis=1)
    losses = soft_weight * temperature**2 * divergence + (1 - soft_weight) * surprises(z, array(labels))
    return losses.mean().item()


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
    rows, lost = marked(logits, ids, mask)
    return -np.bincount(rows, weights=lost, minlength=len(ids))


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. The reward model


# %%
def pairwise_losses(chosen, rejected):
    z = array(chosen) - array(rejected)
    losses = np.empty_like(z)
    won = z > 0
    losses[won] = np.log1p(np.exp(-z[won]))
    losses[~won] = np.log1p(np.exp(z[~won])) - z[~won]
    return losses


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO: doing without a reward model


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    gained = array(policy_chosen) - array(policy_rejected)
    started = array(reference_chosen) - array(reference_rejected)
    return np.mean(pairwise_losses(beta * gained, beta * started))


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
