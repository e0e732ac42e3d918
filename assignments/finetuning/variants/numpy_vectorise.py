# %% [markdown]
# # Ajustement fin : adapter un modèle sans tout réapprendre
#
# Tout est calculé par tableaux NumPy, sans boucle, et rendu en tableaux NumPy.

# %%
# ruff: noqa: T201
import itertools
import math
from pathlib import Path

import numpy as np
import torch

torch.set_printoptions(precision=4, sci_mode=False)


# %%
def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def logs_des_jetons(logits, ids):
    """ln p de chaque jeton depuis le deuxième, de forme (B, T - 1)."""
    logs = log_softmax(np.asarray(logits)[:, :-1])
    return np.take_along_axis(logs, np.asarray(ids)[:, 1:, None], axis=-1)[..., 0]


# %% [markdown]
# ## 1. Quels jetons apprendre ?


# %%
def answer_mask(ids, assistant, end):
    ids = np.asarray(ids, dtype=np.int64)
    places = np.arange(1, len(ids) + 1)
    dernier_assistant = np.maximum.accumulate(np.where(ids == assistant, places, 0))
    dernier_end = np.maximum.accumulate(np.where(ids == end, places, 0))
    ouvert = dernier_assistant > dernier_end  # après avoir lu le jeton
    return np.concatenate([[False], ouvert])[: len(ids)].astype(bool).tolist()


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. La perte sur les réponses


# %%
def answer_loss(logits, ids, mask):
    return -logs_des_jetons(logits, ids)[np.asarray(mask)[:, 1:]].mean()


# %%
logits = torch.tensor([[[0, math.log(3)], [math.log(9), 0], [0, 0]]], dtype=torch.float64)
ids = torch.tensor([[0, 1, 1]])
print(answer_loss(logits, ids, torch.tensor([[False, True, True]])), math.log(40 / 3) / 2)
print(answer_loss(logits, ids, torch.tensor([[False, False, True]])), math.log(10))

# %% [markdown]
# ## Un modèle de base


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
# ## 3. Sonder un modèle gelé


# %%
def least_squares_probe(features, targets, penalty):
    x, y = np.asarray(features), np.asarray(targets)
    x_moyen, y_moyen = x.mean(axis=0), y.mean(axis=0)
    xc, yc = x - x_moyen, y - y_moyen
    w = np.linalg.solve(xc.T @ xc + penalty * np.eye(x.shape[1]), xc.T @ yc)
    return w, y_moyen - x_moyen @ w


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
# ## 4. LoRA : combien de paramètres ?


# %%
def lora_parameters(shapes, rank):
    formes = np.array(shapes, dtype=np.int64).reshape(-1, 2)
    return rank * formes.sum(), formes.prod(axis=1).sum()


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA : par où commencer ?


# %%
def lora_start(n_outputs, n_inputs, rank, seed):
    borne = 1 / np.sqrt(n_inputs)
    return np.random.default_rng(seed).uniform(-borne, borne, (rank, n_inputs)), np.zeros((n_outputs, rank))


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA : la couche adaptée


# %%
def lora_forward(x, weight, a, b, alpha):
    x, weight, a, b = (np.asarray(tableau) for tableau in (x, weight, a, b))
    return x @ weight.T + alpha / len(a) * ((x @ a.T) @ b.T)


# %%
weight = torch.tensor([[1, 0], [0, 1]], dtype=torch.float64)
a = torch.tensor([[1, 1], [0, 2]], dtype=torch.float64)
b = torch.tensor([[1, 0], [0, -1]], dtype=torch.float64)
x = torch.tensor([[3, 1]], dtype=torch.float64)
print(lora_forward(x, weight, a, b, alpha=4.0))

# %% [markdown]
# ## 7. LoRA : la fusion


# %%
def lora_merge(weight, a, b, alpha):
    return np.asarray(weight) + alpha / len(a) * (np.asarray(b) @ np.asarray(a))


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA : la descente


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    features, weight, ids, mask = (np.asarray(tableau) for tableau in (features, weight, ids, mask))
    a, b = np.asarray(a), np.asarray(b)
    echelle = alpha / len(a)
    x, cibles = features[ids[:, :-1][mask[:, 1:]]], ids[:, 1:][mask[:, 1:]]  # (N, D) et (N,)
    lignes = np.arange(len(cibles))
    for _ in range(n_steps):
        cache = x @ a.T  # (N, r)
        gradient = np.exp(log_softmax(x @ weight.T + echelle * cache @ b.T))
        gradient[lignes, cibles] -= 1
        gradient *= echelle / len(cibles)
        a, b = a - learning_rate * (gradient @ b).T @ x, b - learning_rate * gradient.T @ cache
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
# ## 9. La distillation


# %%
def distillation_loss(student, teacher, labels, temperature, soft_weight):
    student, teacher, labels = (np.asarray(tableau) for tableau in (student, teacher, labels))
    ln_p, ln_q = log_softmax(teacher / temperature), log_softmax(student / temperature)
    p = np.exp(ln_p)
    divergence = (p * np.where(p > 0, ln_p - ln_q, 0.0)).sum(axis=-1).mean()
    entropie = -log_softmax(student)[np.arange(len(labels)), labels].mean()
    return soft_weight * temperature**2 * divergence + (1 - soft_weight) * entropie


# %%
student = torch.tensor([[0, 0]], dtype=torch.float64)
teacher = torch.tensor([[2 * math.log(3), 0]], dtype=torch.float64)
label = torch.tensor([1])
print(distillation_loss(student, teacher, label, temperature=2.0, soft_weight=1.0))
print(distillation_loss(student, teacher, label, temperature=2.0, soft_weight=0.25))

# %% [markdown]
# ## 10. La log-probabilité d’une réponse


# %%
def sequence_logprobs(logits, ids, mask):
    return np.where(np.asarray(mask)[:, 1:], logs_des_jetons(logits, ids), 0.0).sum(axis=1)


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. Le modèle de récompense


# %%
def pairwise_losses(chosen, rejected):
    return np.logaddexp(0.0, np.asarray(rejected) - np.asarray(chosen))


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO : se passer de modèle de récompense


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    quatre = (policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    bonne, autre, bonne_ref, autre_ref = (np.asarray(tableau) for tableau in quatre)
    return pairwise_losses(beta * (bonne - bonne_ref), beta * (autre - autre_ref)).mean()


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
