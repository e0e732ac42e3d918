# %% [markdown]
# # Fine-tuning: adapting a model without learning everything again
#
# Other roads to the same place: a regular expression, conjugate gradients, forward differentiation, raw random bits.

# %%
# ruff: noqa: T201
import itertools
import math
import re
from pathlib import Path

import numpy as np
import torch
from torch.func import jacfwd

torch.set_printoptions(precision=4, sci_mode=False)


# %%
def log_partition(z):
    """ln of the sum of the exponentials: the last of the running ones."""
    return torch.logcumsumexp(z, dim=-1)[..., -1]


def conjugate_gradients(apply, right, n_rounds):
    """The solution of apply(w) = right, for one column, with apply symmetric positive."""
    solution, residual = torch.zeros_like(right), right.clone()
    direction, size = residual, residual @ residual
    goal = 1e-32 * size
    for _ in range(n_rounds):
        if size <= goal:
            break
        image = apply(direction)
        step = size / (direction @ image)
        solution, residual = solution + step * direction, residual - step * image
        before, size = size, residual @ residual
        direction = residual + size / before * direction
    return solution


# %% [markdown]
# ## 1. Which tokens are to be learned?


# %%
def answer_mask(ids, assistant, end):
    """One letter a token: what is to be learned follows an A, up to the next E."""
    letters = "".join("A" if token == assistant else "E" if token == end else "." for token in ids)
    mask = [False] * len(ids)
    for answer in re.finditer(r"(?<=A)[^E]*E?", letters):
        mask[answer.start() : answer.end()] = [True] * len(answer.group())
    return mask


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. The loss on the answers


# %%
def answer_loss(logits, ids, mask):
    row, place = torch.nonzero(mask, as_tuple=True)
    z = logits[row, place - 1]
    return (log_partition(z) - z[torch.arange(len(row)), ids[row, place]]).mean()


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
    mean_x, mean_y = features.mean(dim=0), targets.mean(dim=0)
    x, y = features - mean_x, targets - mean_y

    def solve(right, n_rounds):
        return conjugate_gradients(lambda w: x.T @ (x @ w) + penalty * w, right, n_rounds)

    columns = []
    for column in (x.T @ y).T:
        found = solve(column, 20 * len(column))
        # started once more from what is left, which repairs what rounding has lost
        left = column - x.T @ (x @ found) - penalty * found
        columns.append(found + solve(left, 20 * len(column)))
    weights = torch.stack(columns, dim=1)
    return weights, mean_y - mean_x @ weights


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
    pairs = [(torch.empty(k, d, device="meta"), torch.empty(rank, d + k, device="meta")) for k, d in shapes]
    return sum(small.numel() for _, small in pairs), sum(large.numel() for large, _ in pairs)


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA: where to start?


# %%
def lora_start(n_outputs, n_inputs, rank, seed):
    raw = np.random.PCG64(seed).random_raw(rank * n_inputs) >> np.uint64(11)  # 53 bits, as many as a float64 holds
    a = (raw.astype(np.float64) * 2.0**-52 - 1).reshape(rank, n_inputs) / math.sqrt(n_inputs)
    return torch.from_numpy(a), torch.zeros(n_outputs, rank, dtype=torch.float64)


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA: the adapted layer


# %%
def lora_forward(x, weight, a, b, alpha):
    flat = x.reshape(-1, x.shape[-1]).T  # the vectors are columns, as in the formula
    y = weight @ flat + alpha / len(a) * (b @ (a @ flat))
    return y.T.reshape(*x.shape[:-1], len(weight))


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
    """What the layer does to the identity."""
    return lora_forward(torch.eye(weight.shape[1], dtype=torch.float64), weight, a, b, alpha).T


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA: the descent


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    n_tokens, split = len(weight), a.numel()
    table = torch.zeros(n_tokens, n_tokens, dtype=torch.float64)
    marks = mask[:, 1:]
    one = torch.ones((), dtype=torch.float64)
    table.index_put_((ids[:, :-1][marks], ids[:, 1:][marks]), one, accumulate=True)
    table /= table.sum()

    def loss(theta):
        small, tall = theta[:split].view_as(a), theta[split:].view_as(b)
        return -(table * torch.log_softmax(lora_forward(features, weight, small, tall, alpha), dim=-1)).sum()

    theta = torch.cat([a.reshape(-1), b.reshape(-1)])
    for _ in range(n_steps):
        theta = theta - learning_rate * jacfwd(loss)(theta)
    return theta[:split].view_as(a), theta[split:].view_as(b)


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
    """KL as the gap of a convex function, the log-partition, above its tangent at the teacher."""
    z, m = student / temperature, teacher / temperature
    shift = torch.where(m.isfinite(), m - z, 0.0)
    divergence = log_partition(z) - log_partition(m) + (torch.softmax(m, dim=-1) * shift).sum(dim=-1)
    hard = log_partition(student) - student[torch.arange(len(labels)), labels]
    return (soft_weight * temperature**2 * divergence + (1 - soft_weight) * hard).mean()


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
    row, place = torch.nonzero(mask, as_tuple=True)
    z = logits[row, place - 1]
    values = z[torch.arange(len(row)), ids[row, place]] - log_partition(z)
    return torch.stack([piece.sum() for piece in values.split(mask.sum(dim=1).tolist())])


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. The reward model


# %%
def pairwise_losses(chosen, rejected):
    """With u = sigma(-|z|), at most one half: -ln sigma(|z|) = -ln(1 - u)."""
    z = chosen - rejected
    return -torch.log1p(-torch.special.expit(-z.abs())) - z.clamp(max=0)


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO: doing without a reward model


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    now, then = policy_chosen - policy_rejected, reference_chosen - reference_rejected
    return pairwise_losses(beta * now, beta * then).mean()


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
