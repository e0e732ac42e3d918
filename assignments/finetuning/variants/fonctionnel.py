# %% [markdown]
# # Ajustement fin : adapter un modèle sans tout réapprendre
#
# Des fonctions pures : `accumulate`, `reduce`, `map`, des générateurs, et rien que l’on modifie.

# %%
# ruff: noqa: T201
import itertools
import math
from functools import partial, reduce
from itertools import accumulate, chain
from pathlib import Path

import torch
from torch.func import grad

torch.set_printoptions(precision=4, sci_mode=False)


# %%
def absorber(etat, z):
    """Un nombre de plus dans un ln de somme d’exponentielles : l’état est (maximum, somme par rapport à lui)."""
    maximum, somme = etat
    nouveau = max(maximum, z)
    return nouveau, somme * math.exp(maximum - nouveau) + math.exp(z - nouveau)


def ln_somme_exp(nombres):
    premier, *autres = (nombre for nombre in nombres if nombre > -math.inf)  # e^-inf n’ajoute rien
    maximum, somme = reduce(absorber, autres, (premier, 1.0))
    return maximum + math.log(somme)


def ln_p(z, jeton):
    return z[jeton] - ln_somme_exp(z)


def ln_p_marques(logits, ids, mask):
    """Pour chaque ligne du lot, le générateur des ln p de ses jetons marqués."""
    for z, jetons, marques in zip(logits.tolist(), ids.tolist(), mask.tolist(), strict=True):
        yield (ln_p(avant, jeton) for avant, jeton, marque in zip(z, jetons[1:], marques[1:], strict=False) if marque)


def composer(f, n):
    """La fonction qui applique n fois f."""
    return lambda depart: reduce(lambda valeur, _: f(valeur), range(n), depart)


# %% [markdown]
# ## 1. Quels jetons apprendre ?


# %%
def answer_mask(ids, assistant, end):
    def apres(repond, jeton):
        return {assistant: True, end: False}.get(jeton, repond)

    return list(accumulate(ids, apres, initial=False))[: len(ids)]


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. La perte sur les réponses


# %%
def answer_loss(logits, ids, mask):
    tous = list(chain.from_iterable(ln_p_marques(logits, ids, mask)))
    return -math.fsum(tous) / len(tous)


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
    """La forme duale : W est une combinaison des exemples, et le système a n inconnues au lieu de D."""
    moyennes = features.mean(0), targets.mean(0)
    xc, yc = (tableau - moyenne for tableau, moyenne in zip((features, targets), moyennes, strict=True))
    noyau = xc @ xc.T + penalty * torch.eye(len(xc), dtype=xc.dtype)
    w = xc.T @ torch.linalg.solve(noyau, yc)
    return w, moyennes[1] - moyennes[0] @ w


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
    return rank * sum(map(sum, shapes)), sum(map(math.prod, shapes))


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA : par où commencer ?


# %%
def lora_start(n_outputs, n_inputs, rank, seed):
    generateur = torch.Generator().manual_seed(seed)
    tirer = partial(torch.rand, n_inputs, generator=generateur, dtype=torch.float64)
    a = torch.stack([tirer() for _ in range(rank)])
    return (2 * a - 1) / math.sqrt(n_inputs), torch.zeros(n_outputs, rank, dtype=torch.float64)


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA : la couche adaptée


# %%
def lora_forward(x, weight, a, b, alpha):
    def composee(*matrices):
        return reduce(lambda vecteurs, matrice: vecteurs @ matrice.T, matrices, x)

    return composee(weight) + (alpha / len(a)) * composee(a, b)


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
    return reduce(torch.add, map(torch.outer, b.T * (alpha / len(a)), a), weight)


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA : la descente


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    x, cibles = features[ids[:, :-1]][mask[:, 1:]], ids[:, 1:][mask[:, 1:]]

    def perte(adaptateur):
        z = lora_forward(x, weight, *adaptateur, alpha)
        return (z.logsumexp(-1) - z.take_along_dim(cibles[:, None], -1).squeeze(-1)).mean()

    def pas(adaptateur):
        return tuple(m - learning_rate * g for m, g in zip(adaptateur, grad(perte)(adaptateur), strict=True))

    return composer(pas, n_steps)((a, b))


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
    def diviser(z):
        return [nombre / temperature for nombre in z]

    def divergence(maitre, eleve):
        ln_maitre, ln_eleve = map(ln_somme_exp, (maitre, eleve))
        ecarts = ((m - ln_maitre, e - ln_eleve) for m, e in zip(maitre, eleve, strict=True) if m > -math.inf)
        return math.fsum(math.exp(p) * (p - q) for p, q in ecarts)

    def une_ligne(ligne):
        eleve, maitre, etiquette = ligne
        doux = temperature**2 * divergence(*map(diviser, (maitre, eleve)))
        return soft_weight * doux - (1 - soft_weight) * ln_p(eleve, etiquette)

    lignes = zip(student.tolist(), teacher.tolist(), labels.tolist(), strict=True)
    return math.fsum(map(une_ligne, lignes)) / len(labels)


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
    return torch.tensor(list(map(math.fsum, ln_p_marques(logits, ids, mask))), dtype=torch.float64)


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. Le modèle de récompense


# %%
def surprise_du_choix(z):
    return max(-z, 0.0) + math.log1p(math.exp(-abs(z)))


def pairwise_losses(chosen, rejected):
    return (chosen - rejected).clone().apply_(surprise_du_choix)


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO : se passer de modèle de récompense


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    def ecart(paire):
        bonne, autre, bonne_ref, autre_ref = paire
        return beta * (bonne - bonne_ref) - beta * (autre - autre_ref)

    vecteurs = (policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    pertes = list(map(surprise_du_choix, map(ecart, zip(*(v.tolist() for v in vecteurs), strict=True))))
    return math.fsum(pertes) / len(pertes)


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
