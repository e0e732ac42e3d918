# %% [markdown]
# # Fine-tuning: adapting a model without learning everything again
#
# Plain PyTorch: `log_softmax`, `gather`, losses of `functional`, and gradients from `torch.autograd.grad`.

# %%
# ruff: noqa: T201
import itertools
import math
from pathlib import Path

import torch
from torch.nn import functional

torch.set_printoptions(precision=4, sci_mode=False)


# %%
def token_logprobs(logits, ids):
    """ln p of each token from the second on, (B, T - 1)."""
    return functional.log_softmax(logits[:, :-1], dim=-1).gather(-1, ids[:, 1:, None]).squeeze(-1)


# %% [markdown]
# ## 1. Which tokens are to be learned?


# %%
def answer_mask(ids, assistant, end):
    tokens = torch.tensor(ids, dtype=torch.long)
    opens = (tokens == assistant).long()
    # an end closes the message that is open, whoever speaks: what counts is which marker came last
    position = torch.arange(1, len(ids) + 1)
    events = torch.where((tokens == assistant) | (tokens == end), position, torch.zeros_like(position))
    last = torch.cat([torch.zeros(1, dtype=torch.long), events])[:-1].cummax(0).values if len(ids) else events
    return (torch.cat([torch.zeros(1, dtype=torch.long), opens])[last] == 1).tolist()


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. The loss on the answers


# %%
def answer_loss(logits, ids, mask):
    return -token_logprobs(logits, ids).masked_select(mask[:, 1:]).mean()


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
    centred = features - features.mean(dim=0)
    gram = centred.T @ centred
    gram.diagonal().add_(penalty)
    factor = torch.linalg.cholesky(gram)
    weights = torch.cholesky_solve(centred.T @ (targets - targets.mean(dim=0)), factor)
    return weights, targets.mean(dim=0) - features.mean(dim=0) @ weights


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
    return sum(rank * (k + d) for k, d in shapes), sum(k * d for k, d in shapes)


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA: where to start?


# %%
def lora_start(n_outputs, n_inputs, rank, seed):
    generator = torch.Generator().manual_seed(seed)
    bound = n_inputs**-0.5
    a = torch.empty(rank, n_inputs, dtype=torch.float64).uniform_(-bound, bound, generator=generator)
    return a, torch.zeros(n_outputs, rank, dtype=torch.float64)


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA: the adapted layer


# %%
def lora_forward(x, weight, a, b, alpha):
    low = functional.linear(x, a)
    return functional.linear(x, weight) + alpha / a.shape[0] * functional.linear(low, b)


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
    return torch.addmm(weight, b, a, alpha=alpha / a.shape[0])


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA: the descent


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    x = features[ids]
    for _ in range(n_steps):
        a, b = a.detach().requires_grad_(), b.detach().requires_grad_()
        loss = answer_loss(lora_forward(x, weight, a, b, alpha), ids, mask)
        grad_a, grad_b = torch.autograd.grad(loss, (a, b))
        a, b = a - learning_rate * grad_a, b - learning_rate * grad_b
    return a.detach(), b.detach()


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
    p = functional.softmax(teacher / temperature, dim=-1)
    log_q = functional.log_softmax(student / temperature, dim=-1)
    divergence = (torch.special.xlogy(p, p) - p * log_q).sum(dim=-1).mean()
    hard = -functional.log_softmax(student, dim=-1).gather(-1, labels[:, None]).mean()
    return torch.lerp(hard, temperature**2 * divergence, soft_weight)


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
    return token_logprobs(logits, ids).masked_fill(~mask[:, 1:], 0).sum(dim=-1)


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. The reward model


# %%
def pairwise_losses(chosen, rejected):
    margin = chosen - rejected
    return functional.binary_cross_entropy_with_logits(margin, torch.ones_like(margin), reduction="none")


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO: doing without a reward model


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    chosen_reward = beta * (policy_chosen - reference_chosen)
    rejected_reward = beta * (policy_rejected - reference_rejected)
    return pairwise_losses(chosen_reward, rejected_reward).mean()


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
