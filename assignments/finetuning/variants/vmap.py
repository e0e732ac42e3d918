# %% [markdown]
# # Ajustement fin : adapter un modèle sans tout réapprendre
#
# Chaque fonction est écrite pour une seule ligne, un seul vecteur ou une seule paire ; `torch.vmap` fait le reste.

# %%
# ruff: noqa: T201
import itertools
import math
from pathlib import Path

import torch
from torch import vmap
from torch.func import grad

torch.set_printoptions(precision=4, sci_mode=False)


# %%
def ln_p(logits, jeton):
    """La log-probabilité d’un jeton, pour un vecteur de logits."""
    return torch.log_softmax(logits, dim=-1).gather(-1, jeton[None])[0]


def d_une_conversation(logits, jetons, marques):
    """La somme des ln p des jetons marqués d’une seule conversation."""
    return (vmap(ln_p)(logits[:-1], jetons[1:]) * marques[1:]).sum()


def perte_d_une_paire(bonne, autre):
    z = bonne - autre
    return torch.log1p(torch.exp(-z.abs())) + torch.relu(-z)


# %% [markdown]
# ## 1. Quels jetons apprendre ?


# %%
def answer_mask(ids, assistant, end):
    """Un seul parcours, par un itérateur que deux boucles se partagent."""
    masque, jetons = [], iter(ids)
    for jeton in jetons:
        masque.append(False)
        if jeton != assistant:
            continue
        for appris in jetons:
            masque.append(True)
            if appris == end:
                break
    return masque


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. La perte sur les réponses


# %%
def answer_loss(logits, ids, mask):
    return -vmap(d_une_conversation)(logits, ids, mask).sum() / mask.sum()


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
    """On annule le gradient de la fonction à minimiser : il est affine, sa pente et son départ suffisent."""
    xc, yc = features - features.mean(dim=0), targets - targets.mean(dim=0)

    def gradient(colonne, cible):
        return xc.T @ (xc @ colonne - cible) + penalty * colonne

    identite = torch.eye(features.shape[1], dtype=torch.float64)
    depart = vmap(lambda cible: gradient(torch.zeros_like(identite[0]), cible), in_dims=1, out_dims=1)(yc)
    pente = vmap(lambda colonne: gradient(colonne, torch.zeros_like(yc[:, 0])), out_dims=1)(identite)
    w = torch.linalg.solve(pente, -depart)
    return w, targets.mean(dim=0) - features.mean(dim=0) @ w


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
    return sum((rank * (k + d) for k, d in shapes), start=0), sum((k * d for k, d in shapes), start=0)


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA : par où commencer ?


# %%
def lora_start(n_outputs, n_inputs, rank, seed):
    generateur = torch.Generator().manual_seed(seed)
    u = torch.rand((rank, n_inputs), generator=generateur, dtype=torch.float64)
    return (u - 0.5) * 2 / math.sqrt(n_inputs), torch.zeros((n_outputs, rank), dtype=torch.float64)


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA : la couche adaptée


# %%
def lora_forward(x, weight, a, b, alpha):
    def un_vecteur(vecteur):
        return weight @ vecteur + alpha / len(a) * (b @ (a @ vecteur))

    fonction = un_vecteur
    for _ in range(x.dim() - 1):
        fonction = vmap(fonction)
    return fonction(x)


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
    return vmap(lambda ligne, ligne_b: ligne + alpha / len(a) * (ligne_b @ a))(weight, b)


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA : la descente


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    def perte(a, b):
        return answer_loss(lora_forward(features, weight, a, b, alpha)[ids], ids, mask)

    for _ in range(n_steps):
        grad_a, grad_b = grad(perte, argnums=(0, 1))(a, b)
        a, b = a - learning_rate * grad_a, b - learning_rate * grad_b
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
    def une_ligne(eleve, maitre, etiquette):
        p = torch.softmax(maitre / temperature, dim=-1)
        ln_q = torch.log_softmax(eleve / temperature, dim=-1)
        divergence = (torch.xlogy(p, p) - p * ln_q).sum()
        return soft_weight * temperature**2 * divergence - (1 - soft_weight) * ln_p(eleve, etiquette)

    return vmap(une_ligne)(student, teacher, labels).mean()


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
    return vmap(d_une_conversation)(logits, ids, mask)


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. Le modèle de récompense


# %%
def pairwise_losses(chosen, rejected):
    return vmap(perte_d_une_paire)(chosen, rejected)


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO : se passer de modèle de récompense


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    def une_paire(bonne, autre, bonne_ref, autre_ref):
        return perte_d_une_paire(beta * (bonne - bonne_ref), beta * (autre - autre_ref))

    return vmap(une_paire)(policy_chosen, policy_rejected, reference_chosen, reference_rejected).mean()


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
