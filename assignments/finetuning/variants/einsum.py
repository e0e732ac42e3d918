# %% [markdown]
# # Fine-tuning: adapting a model without learning everything again
#
# Every contraction is an einsum; tokens are picked with one-hot tensors; the descent is left to `torch.optim.SGD`.

# %%
# ruff: noqa: T201
import itertools
import math
from pathlib import Path

import torch
from torch import einsum
from torch.nn import functional

torch.set_printoptions(precision=4, sci_mode=False)


# %%
def picked(logits, ids, mask):
    """One-hot targets (B, T - 1, V), zero where nothing is marked, and the log-probabilities before them."""
    one_hot = functional.one_hot(ids[:, 1:], logits.shape[-1]).double()
    targets = einsum("btv,bt->btv", one_hot, mask[:, 1:].double())
    return targets, logits[:, :-1] - torch.logsumexp(logits[:, :-1], dim=-1, keepdim=True)


# %% [markdown]
# ## 1. Which tokens are to be learned?


# %%
def answer_mask(ids, assistant, end):
    """Cut the conversation behind each end; in a piece, what follows its first marker assistant is to be learned."""
    mask, start = [], 0
    while start < len(ids):
        stop = ids.index(end, start) + 1 if end in ids[start:] else len(ids)
        piece = ids[start:stop]
        silent = piece.index(assistant) + 1 if assistant in piece else len(piece)
        mask += [False] * silent + [True] * (len(piece) - silent)
        start = stop
    return mask


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. The loss on the answers


# %%
def answer_loss(logits, ids, mask):
    targets, log_p = picked(logits, ids, mask)
    return -einsum("btv,btv->", targets, log_p) / mask[:, 1:].sum()


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
    """The penalty as D more rows: sqrt(penalty) times the identity is to give zero."""
    n, width = features.shape
    mean_x, mean_y = einsum("nd->d", features) / n, einsum("nk->k", targets) / n
    rows = torch.cat([features - mean_x, math.sqrt(penalty) * torch.eye(width, dtype=torch.float64)])
    values = torch.cat([targets - mean_y, torch.zeros(width, targets.shape[1], dtype=torch.float64)])
    weights = torch.linalg.lstsq(rows, values).solution
    return weights, mean_y - einsum("d,dk->k", mean_x, weights)


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
    table = torch.tensor(shapes, dtype=torch.long).reshape(-1, 2)
    return rank * einsum("sk->", table).item(), einsum("s,s->", table[:, 0], table[:, 1]).item()


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA: where to start?


# %%
def lora_start(n_outputs, n_inputs, rank, seed):
    generator = torch.Generator()
    generator.manual_seed(seed)
    uniform = torch.rand(rank, n_inputs, generator=generator, dtype=torch.float64)
    return (1 - 2 * uniform) / math.sqrt(n_inputs), torch.zeros(n_outputs, rank, dtype=torch.float64)


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA: the adapted layer


# %%
def lora_forward(x, weight, a, b, alpha):
    low = einsum("...d,rd->...r", x, a)
    return einsum("...d,kd->...k", x, weight) + alpha / len(a) * einsum("...r,kr->...k", low, b)


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
    return weight + einsum("kr,rd->kd", b, a) * (alpha / len(a))


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA: the descent


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    x = einsum("btv,vd->btd", functional.one_hot(ids, len(features)).double(), features)
    optimizer = torch.optim.SGD([a, b], lr=learning_rate)
    for _ in range(n_steps):
        optimizer.zero_grad()
        answer_loss(lora_forward(x, weight, a, b, alpha), ids, mask).backward()
        optimizer.step()
    return a, b


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
    soft_student, soft_teacher = student / temperature, teacher / temperature
    p = torch.softmax(soft_teacher, dim=-1)
    log_q = soft_student - torch.logsumexp(soft_student, dim=-1, keepdim=True)
    # p ln p, counted as 0 where p is 0
    divergence = -torch.special.entr(p).sum() - einsum("nv,nv->", p, log_q)
    log_student = student - torch.logsumexp(student, dim=-1, keepdim=True)
    hard = -einsum("nv,nv->", functional.one_hot(labels, student.shape[1]).double(), log_student)
    return (soft_weight * temperature**2 * divergence + (1 - soft_weight) * hard) / len(student)


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
    return einsum("btv,btv->b", *picked(logits, ids, mask))


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. The reward model


# %%
def pairwise_losses(chosen, rejected):
    return torch.logaddexp(torch.zeros_like(chosen), rejected - chosen)


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO: doing without a reward model


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    table = torch.stack([policy_chosen, policy_rejected, reference_chosen, reference_rejected])
    signs = torch.tensor([1, -1, -1, 1], dtype=torch.float64)
    difference = beta * einsum("s,sb->b", signs, table)
    return einsum("b->", torch.logaddexp(torch.zeros_like(difference), -difference)) / len(difference)


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
