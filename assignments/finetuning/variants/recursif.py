# %% [markdown]
# # Ajustement fin : adapter un modèle sans tout réapprendre
#
# Chaque fonction se rappelle elle-même sur une moitié, une ligne ou une dimension de moins.

# %%
# ruff: noqa: T201
import itertools
import math
from pathlib import Path

import torch
from torch.nn import functional

torch.set_printoptions(precision=4, sci_mode=False)


# %%
def ln_somme(z):
    """ln de la somme des exponentielles de la dernière dimension : celle de ses deux moitiés."""
    if z.shape[-1] == 1:
        return z[..., 0]
    milieu = z.shape[-1] // 2
    return torch.logaddexp(ln_somme(z[..., :milieu]), ln_somme(z[..., milieu:]))


def somme_et_nombre(logits, ids, mask):
    """La somme des ln p des jetons marqués d’une conversation, et leur nombre, moitié par moitié."""
    if len(ids) < 2:
        return 0.0, 0
    if len(ids) == 2:
        if not mask[1]:
            return 0.0, 0
        return (logits[0, ids[1]] - ln_somme(logits[0])).item(), 1
    milieu = len(ids) // 2
    gauche, n_gauche = somme_et_nombre(logits[: milieu + 1], ids[: milieu + 1], mask[: milieu + 1])
    droite, n_droite = somme_et_nombre(logits[milieu:], ids[milieu:], mask[milieu:])
    return gauche + droite, n_gauche + n_droite


# %% [markdown]
# ## 1. Quels jetons apprendre ?


# %%
def parler(ids, assistant, end, repond):
    """Le masque d’un morceau, sachant si l’assistant parle avant lui, et s’il parle après."""
    if not ids:
        return [], repond
    if len(ids) == 1:
        return [repond], ids[0] == assistant or (repond and ids[0] != end)
    milieu = len(ids) // 2
    debut, repond = parler(ids[:milieu], assistant, end, repond)
    suite, repond = parler(ids[milieu:], assistant, end, repond)
    return debut + suite, repond


def answer_mask(ids, assistant, end):
    return parler(ids, assistant, end, repond=False)[0]


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. La perte sur les réponses


# %%
def answer_loss(logits, ids, mask):
    def du_lot(premiere, derniere):
        if derniere - premiere == 1:
            return somme_et_nombre(logits[premiere], ids[premiere], mask[premiere])
        milieu = (premiere + derniere) // 2
        gauche, droite = du_lot(premiere, milieu), du_lot(milieu, derniere)
        return gauche[0] + droite[0], gauche[1] + droite[1]

    somme, nombre = du_lot(0, len(ids))
    return -somme / nombre


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
def resoudre(matrice, droite):
    """Une matrice symétrique définie positive, par blocs : complément de Schur, puis chaque moitié."""
    taille = matrice.shape[0]
    if taille == 1:
        return droite / matrice[0, 0]
    m = taille // 2
    haut, coin, bas = matrice[:m, :m], matrice[:m, m:], matrice[m:, m:]
    partiel = resoudre(haut, torch.cat([coin, droite[:m]], dim=1))
    coin_resolu, droite_resolue = partiel[:, : taille - m], partiel[:, taille - m :]
    seconde = resoudre(bas - coin.T @ coin_resolu, droite[m:] - coin.T @ droite_resolue)
    return torch.cat([droite_resolue - coin_resolu @ seconde, seconde])


def least_squares_probe(features, targets, penalty):
    x_moyen, y_moyen = features.mean(dim=0), targets.mean(dim=0)
    xc, yc = features - x_moyen, targets - y_moyen
    w = resoudre(xc.T @ xc + penalty * torch.eye(features.shape[1], dtype=torch.float64), xc.T @ yc)
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
    if not shapes:
        return 0, 0
    (k, d), *autres = shapes
    petits, grands = lora_parameters(autres, rank)
    return petits + rank * (k + d), grands + k * d


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA : par où commencer ?


# %%
def melanger(nombre):
    """Un pas de SplitMix64 : 64 bits qui paraissent tirés au hasard."""
    nombre = (nombre ^ (nombre >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    nombre = (nombre ^ (nombre >> 27)) * 0x94D049BB133111EB % 2**64
    return nombre ^ (nombre >> 31)


def tirages(etat, combien):
    if combien == 0:
        return []
    if combien == 1:
        return [melanger(etat) / 2**64]
    moitie = combien // 2
    return tirages(etat, moitie) + tirages((etat + moitie * 0x9E3779B97F4A7C15) % 2**64, combien - moitie)


def lora_start(n_outputs, n_inputs, rank, seed):
    depart = melanger((seed + 1) * 0xD1342543DE82EF95 % 2**64)
    u = torch.tensor(tirages(depart, rank * n_inputs), dtype=torch.float64).reshape(rank, n_inputs)
    return (2 * u - 1) / math.sqrt(n_inputs), torch.zeros(n_outputs, rank, dtype=torch.float64)


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA : la couche adaptée


# %%
def lora_forward(x, weight, a, b, alpha):
    if x.dim() == 1:
        return weight @ x + alpha / a.shape[0] * (b @ (a @ x))
    if x.shape[0] == 0:
        return x.new_zeros(*x.shape[:-1], weight.shape[0])
    return torch.stack([lora_forward(tranche, weight, a, b, alpha) for tranche in x])


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
    """Une colonne de B et une ligne de A à la fois : BA est une somme de matrices de rang 1."""

    def produit(premier, dernier):
        if dernier - premier == 1:
            return torch.outer(b[:, premier], a[premier])
        milieu = (premier + dernier) // 2
        return produit(premier, milieu) + produit(milieu, dernier)

    return weight + alpha / a.shape[0] * produit(0, a.shape[0])


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA : la descente


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    x, cibles = features[ids[:, :-1]][mask[:, 1:]], ids[:, 1:][mask[:, 1:]]

    def perte(a, b):
        logits = x @ weight.T + alpha / a.shape[0] * (x @ a.T) @ b.T
        return -functional.log_softmax(logits, dim=-1)[torch.arange(len(cibles)), cibles].mean()

    def avancer(a, b, pas):
        if pas == 0:
            return a, b
        if pas > 1:
            return avancer(*avancer(a, b, pas // 2), pas - pas // 2)
        a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
        perte(a, b).backward()
        return a.detach() - learning_rate * a.grad, b.detach() - learning_rate * b.grad

    return avancer(a, b, n_steps)


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
        ln_p = maitre / temperature - ln_somme(maitre / temperature)
        ln_q = eleve / temperature - ln_somme(eleve / temperature)

        def divergence(debut, fin):
            if fin - debut == 1:
                p = ln_p[debut].exp()
                return p * (ln_p[debut] - ln_q[debut]) if p > 0 else torch.zeros_like(p)
            milieu = (debut + fin) // 2
            return divergence(debut, milieu) + divergence(milieu, fin)

        doux = temperature**2 * divergence(0, len(ln_p))
        return soft_weight * doux + (1 - soft_weight) * (ln_somme(eleve) - eleve[etiquette])

    def lignes(debut, fin):
        if fin - debut == 1:
            return une_ligne(student[debut], teacher[debut], labels[debut])
        milieu = (debut + fin) // 2
        return lignes(debut, milieu) + lignes(milieu, fin)

    return lignes(0, len(student)) / len(student)


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
    if len(ids) == 0:
        return torch.zeros(0, dtype=torch.float64)
    premiere = torch.tensor([somme_et_nombre(logits[0], ids[0], mask[0])[0]], dtype=torch.float64)
    return torch.cat([premiere, sequence_logprobs(logits[1:], ids[1:], mask[1:])])


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. Le modèle de récompense


# %%
def moins_ln_sigma(z):
    """-ln sigma(z) = -z - ln sigma(-z) : on se ramène à z positif ou nul."""
    if z < 0:
        return -z + moins_ln_sigma(-z)
    return math.log1p(math.exp(-z))


def pairwise_losses(chosen, rejected):
    if chosen.dim() == 0:
        return torch.tensor(moins_ln_sigma((chosen - rejected).item()), dtype=torch.float64)
    if len(chosen) == 0:
        return torch.zeros(0, dtype=torch.float64)
    return torch.stack([pairwise_losses(bonne, autre) for bonne, autre in zip(chosen, rejected, strict=True)])


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO : se passer de modèle de récompense


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    if len(policy_chosen) == 1:
        gain = policy_chosen - reference_chosen
        perdu = policy_rejected - reference_rejected
        return moins_ln_sigma((beta * (gain - perdu)).item())
    tous = (policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    n, m = len(policy_chosen), len(policy_chosen) // 2
    gauche = dpo_loss(*(v[:m] for v in tous), beta)
    droite = dpo_loss(*(v[m:] for v in tous), beta)
    return (m * gauche + (n - m) * droite) / n


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
