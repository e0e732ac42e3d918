# %% [markdown]
# # Ajustement fin : adapter un modèle sans tout réapprendre
#
# Le modèle est appliqué à chaque jeton marqué, à chaque pas, comme l’énoncé le décrit : lent, mais sans détour.

# %%
# ruff: noqa: T201
import itertools
import math
import random
from pathlib import Path

import torch

torch.set_printoptions(precision=4, sci_mode=False)


# %%
def scalaire(u, v):
    return sum(p * q for p, q in zip(u, v, strict=True))


def appliquer(matrice, vecteur):
    return [scalaire(ligne, vecteur) for ligne in matrice]


def probabilites(logits):
    sommet = max(logits)
    poids = [math.exp(z - sommet) for z in logits]
    total = sum(poids)
    return [p / total for p in poids]


def ln_probabilite(logits, jeton):
    sommet = max(logits)
    return logits[jeton] - sommet - math.log(sum(math.exp(z - sommet) for z in logits))


def jetons_marques(ids, mask):
    """Les couples (b, t) où le masque est vrai."""
    for b, marques in enumerate(mask.tolist()):
        for t, marque in enumerate(marques):
            if marque:
                yield b, t


# %% [markdown]
# ## 1. Quels jetons apprendre ?


# %%
def answer_mask(ids, assistant, end):
    """Pour chaque jeton, on remonte la conversation jusqu’au dernier marqueur `assistant` ou `end`."""
    masque = []
    for t in range(len(ids)):
        avant = t - 1
        while avant >= 0 and ids[avant] != assistant and ids[avant] != end:
            avant -= 1
        masque.append(avant >= 0 and ids[avant] == assistant)
    return masque


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. La perte sur les réponses


# %%
def answer_loss(logits, ids, mask):
    pertes = [-ln_probabilite(logits[b, t - 1].tolist(), ids[b, t].item()) for b, t in jetons_marques(ids, mask)]
    return sum(pertes) / len(pertes)


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
    """Les équations normales, par élimination de Gauss-Jordan ; la pénalité garde les pivots positifs."""
    x, y = features.tolist(), targets.tolist()
    n, largeur, classes = len(x), len(x[0]), len(y[0])
    moyenne_x = [math.fsum(ligne[d] for ligne in x) / n for d in range(largeur)]
    moyenne_y = [math.fsum(ligne[k] for ligne in y) / n for k in range(classes)]
    colonnes = [[ligne[d] - moyenne_x[d] for ligne in x] for d in range(largeur)]
    cibles = [[ligne[k] - moyenne_y[k] for ligne in y] for k in range(classes)]
    systeme = []
    for d in range(largeur):
        ligne = appliquer(colonnes, colonnes[d]) + appliquer(cibles, colonnes[d])
        ligne[d] += penalty
        systeme.append(ligne)
    for d in range(largeur):
        pivot = systeme[d][d]
        systeme[d] = [valeur / pivot for valeur in systeme[d]]
        for autre in range(largeur):
            if autre != d:
                facteur = systeme[autre][d]
                systeme[autre] = [u - facteur * v for u, v in zip(systeme[autre], systeme[d], strict=True)]
    w = [ligne[largeur:] for ligne in systeme]
    biais = [moyenne_y[k] - sum(moyenne_x[d] * w[d][k] for d in range(largeur)) for k in range(classes)]
    return torch.tensor(w, dtype=torch.float64), torch.tensor(biais, dtype=torch.float64)


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
    petits = grands = 0
    for k, d in shapes:
        for _ in range(rank):
            petits += d + k
        grands += k * d
    return petits, grands


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA : par où commencer ?


# %%
def lora_start(n_outputs, n_inputs, rank, seed):
    hasard = random.Random(f"LoRA {seed}")  # noqa: S311
    borne = 1 / math.sqrt(n_inputs)
    a = [[borne * (1 - 2 * hasard.random()) for _ in range(n_inputs)] for _ in range(rank)]
    return torch.tensor(a, dtype=torch.float64), torch.zeros((n_outputs, rank), dtype=torch.float64)


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA : la couche adaptée


# %%
def lora_forward(x, weight, a, b, alpha):
    if x.dim() > 1:
        return torch.stack([lora_forward(tranche, weight, a, b, alpha) for tranche in x])
    echelle = alpha / len(a)
    base = appliquer(weight.tolist(), x.tolist())
    correction = appliquer(b.tolist(), appliquer(a.tolist(), x.tolist()))
    return torch.tensor([p + echelle * q for p, q in zip(base, correction, strict=True)], dtype=torch.float64)


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
    fusion = weight.clone()
    for k in range(weight.shape[0]):
        for d in range(weight.shape[1]):
            for r in range(a.shape[0]):
                fusion[k, d] += alpha / a.shape[0] * b[k, r] * a[r, d]
    return fusion


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA : la descente


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    x, w, a, b, jetons = features.tolist(), weight.tolist(), a.tolist(), b.tolist(), ids.tolist()
    marques = list(jetons_marques(ids, mask))
    echelle, rangs, largeurs = alpha / len(a), range(len(a)), range(len(x[0]))
    for _ in range(n_steps):
        grad_a = [[0.0 for _ in largeurs] for _ in rangs]
        grad_b = [[0.0 for _ in rangs] for _ in b]
        for i, t in marques:
            vecteur = x[jetons[i][t - 1]]
            milieu = appliquer(a, vecteur)
            logits = [base + echelle * c for base, c in zip(appliquer(w, vecteur), appliquer(b, milieu), strict=True)]
            ecart = probabilites(logits)
            ecart[jetons[i][t]] -= 1
            retour = [0.0 for _ in rangs]
            for v, e in enumerate(ecart):
                for r in rangs:
                    grad_b[v][r] += e * milieu[r]
                    retour[r] += e * b[v][r]
            for r in rangs:
                for d in largeurs:
                    grad_a[r][d] += retour[r] * vecteur[d]
        pas = learning_rate * echelle / len(marques)
        a = [[u - pas * g for u, g in zip(*lignes, strict=True)] for lignes in zip(a, grad_a, strict=True)]
        b = [[u - pas * g for u, g in zip(*lignes, strict=True)] for lignes in zip(b, grad_b, strict=True)]
    return torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)


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
    total = 0.0
    for eleve, maitre, etiquette in zip(student.tolist(), teacher.tolist(), labels.tolist(), strict=True):
        tiede, modele = [z / temperature for z in eleve], [z / temperature for z in maitre]
        divergence = 0.0
        for j, p in enumerate(probabilites(modele)):
            if p > 0:
                divergence += p * (ln_probabilite(modele, j) - ln_probabilite(tiede, j))
        total += soft_weight * temperature**2 * divergence
        total -= (1 - soft_weight) * ln_probabilite(eleve, etiquette)
    return total / len(student)


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
    sommes = [0.0] * len(ids)
    for b, t in jetons_marques(ids, mask):
        sommes[b] += ln_probabilite(logits[b, t - 1].tolist(), ids[b, t].item())
    return torch.tensor(sommes, dtype=torch.float64)


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. Le modèle de récompense


# %%
def pairwise_losses(chosen, rejected):
    pertes = []
    for z in (chosen - rejected).tolist():
        if z > 0:
            pertes.append(math.log1p(math.exp(-z)))
        else:
            pertes.append(math.log1p(math.exp(z)) - z)
    return torch.tensor(pertes, dtype=torch.float64)


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO : se passer de modèle de récompense


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    bonnes = beta * (policy_chosen - reference_chosen)
    autres = beta * (policy_rejected - reference_rejected)
    return sum(pairwise_losses(bonnes, autres).tolist()) / len(bonnes)


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
