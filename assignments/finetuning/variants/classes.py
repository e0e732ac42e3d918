# %% [markdown]
# # Fine-tuning: adapting a model without learning everything again
#
# Objects that do one thing each; the functions that were asked for use them.

# %%
# ruff: noqa: T201
import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

torch.set_printoptions(precision=4, sci_mode=False)


# %%
class Adapter(NamedTuple):
    a: torch.Tensor
    b: torch.Tensor


class AdaptedLinear(nn.Module):
    """A frozen layer and its adapter."""

    def __init__(self, weight, a, b, alpha):
        super().__init__()
        self.register_buffer("weight", weight)
        self.a = nn.Parameter(a.detach().clone())
        self.b = nn.Parameter(b.detach().clone())
        self.scale = alpha / a.size(0)

    def forward(self, x):
        return functional.linear(x, self.weight) + self.scale * functional.linear(functional.linear(x, self.a), self.b)

    @torch.no_grad()
    def merged(self):
        return self.weight + self.scale * (self.b @ self.a)

    @torch.no_grad()
    def descend(self, learning_rate):
        for parameter in self.parameters():
            parameter.sub_(learning_rate * parameter.grad)
            parameter.grad = None

    @property
    def adapter(self):
        return Adapter(self.a.detach(), self.b.detach())


class MarkedTokens:
    """The tokens of a batch that count, as three flat vectors: row, place of the logits, token."""

    def __init__(self, ids, mask):
        self.n_rows = ids.size(0)
        self.row, place = mask.nonzero(as_tuple=True)
        self.before = place - 1
        self.token = ids[self.row, place]

    def logprobs(self, logits):
        z = logits[self.row, self.before]
        return z[torch.arange(len(z)), self.token] - z.logsumexp(dim=-1)

    def mean_loss(self, logits):
        return -self.logprobs(logits).mean()

    def sums(self, logits):
        return torch.zeros(self.n_rows, dtype=torch.float64).index_add(0, self.row, self.logprobs(logits))


# %% [markdown]
# ## 1. Which tokens are to be learned?


# %%
@dataclass
class Listener:
    """Hears a conversation token by token, and remembers whether the assistant is speaking."""

    assistant: int
    end: int
    answering: bool = False

    def hear(self, token):
        learned = self.answering
        if token in (self.assistant, self.end):
            self.answering = token == self.assistant
        return learned


def answer_mask(ids, assistant, end):
    listener = Listener(assistant, end)
    return [listener.hear(token) for token in ids]


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. The loss on the answers


# %%
def answer_loss(logits, ids, mask):
    return MarkedTokens(ids, mask).mean_loss(logits).item()


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
class Ridge:
    """Ridge regression through the singular values of the centred features."""

    def __init__(self, penalty):
        self.penalty = penalty

    def fit(self, x, y):
        mean_x, mean_y = x.mean(0), y.mean(0)
        u, s, vh = torch.linalg.svd(x - mean_x, full_matrices=False)
        shrunk = s / (s.square() + self.penalty)
        self.weights = vh.mT @ (shrunk[:, None] * (u.mT @ (y - mean_y)))
        self.bias = mean_y - mean_x @ self.weights
        return self


def least_squares_probe(features, targets, penalty):
    ridge = Ridge(penalty).fit(features, targets)
    return ridge.weights, ridge.bias


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
class Sizes(NamedTuple):
    adapters: int
    weights: int

    def plus(self, shape, rank):
        n_outputs, n_inputs = shape
        return Sizes(self.adapters + rank * n_inputs + n_outputs * rank, self.weights + n_outputs * n_inputs)


def lora_parameters(shapes, rank):
    sizes = Sizes(0, 0)
    for shape in shapes:
        sizes = sizes.plus(shape, rank)
    return sizes


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA: where to start?


# %%
class Uniform:
    """Numbers between -bound and bound, from a generator of its own."""

    def __init__(self, bound, seed):
        self.bound = bound
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self, *shape):
        numbers = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return self.bound * (2 * numbers - 1)


def lora_start(n_outputs, n_inputs, rank, seed):
    return Adapter(
        a=Uniform(1 / math.sqrt(n_inputs), seed).draw(rank, n_inputs),
        b=torch.zeros((n_outputs, rank), dtype=torch.float64),
    )


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA: the adapted layer


# %%
def lora_forward(x, weight, a, b, alpha):
    return AdaptedLinear(weight, a, b, alpha)(x)


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
    return AdaptedLinear(weight, a, b, alpha).merged()


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA: the descent


# %%
class Trainer:
    def __init__(self, features, layer, ids, mask):
        self.vectors, self.layer, self.marked = features[ids], layer, MarkedTokens(ids, mask)

    def step(self, learning_rate):
        self.marked.mean_loss(self.layer(self.vectors)).backward()
        self.layer.descend(learning_rate)


def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    layer = AdaptedLinear(weight, a, b, alpha)
    trainer = Trainer(features, layer, ids, mask)
    for _ in range(n_steps):
        trainer.step(learning_rate)
    return layer.adapter


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
class Categorical:
    """Categorical distributions, one a row, kept as log-probabilities."""

    def __init__(self, logits):
        self.log_p = logits.log_softmax(-1)

    def divergence_to(self, other):
        possible = self.log_p.isfinite()
        gap = torch.where(possible, self.log_p - other.log_p, 0.0)
        return (self.log_p.exp() * gap).sum(-1)

    def surprise(self, labels):
        return -self.log_p[torch.arange(len(labels)), labels]


def distillation_loss(student, teacher, labels, temperature, soft_weight):
    soft = Categorical(teacher / temperature).divergence_to(Categorical(student / temperature)).mean()
    hard = Categorical(student).surprise(labels).mean()
    return (soft_weight * temperature**2 * soft + (1 - soft_weight) * hard).item()


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
    return MarkedTokens(ids, mask).sums(logits)


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. The reward model


# %%
class BradleyTerry:
    """The log-odds that the first of two answers is preferred."""

    def __init__(self, log_odds):
        self.log_odds = log_odds

    def surprise(self):
        return self.log_odds.neg().clamp(min=0) + self.log_odds.abs().neg().exp().log1p()


def pairwise_losses(chosen, rejected):
    return BradleyTerry(chosen - rejected).surprise()


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO: doing without a reward model


# %%
class ImplicitReward:
    def __init__(self, policy, reference, beta):
        self.value = beta * (policy - reference)

    def over(self, other):
        return BradleyTerry(self.value - other.value)


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    chosen = ImplicitReward(policy_chosen, reference_chosen, beta)
    rejected = ImplicitReward(policy_rejected, reference_rejected, beta)
    return chosen.over(rejected).surprise().mean().item()


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
