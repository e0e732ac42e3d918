# %% [markdown]
# # Ajustement fin : adapter un modèle sans tout réapprendre
#
# Tout est écrit avec des listes et des boucles ; PyTorch ne sert qu’à recevoir et à rendre.

# %%
# ruff: noqa: T201
import itertools
import math
import random
from pathlib import Path

import torch

torch.set_printoptions(precision=4, sci_mode=False)


# %%
def en_listes(valeurs):
    """Des listes Python, que l’on reçoive un tenseur, un tableau ou une liste."""
    return valeurs.tolist() if hasattr(valeurs, "tolist") else valeurs


def tenseur(listes, forme):
    return torch.tensor(listes, dtype=torch.float64).reshape(forme)


def log_somme_exp(nombres):
    plus_grand = nombres[0]
    for nombre in nombres:
        if nombre > plus_grand:
            plus_grand = nombre
    somme = 0.0
    for nombre in nombres:
        somme += math.exp(nombre - plus_grand)
    return plus_grand + math.log(somme)


def produit(gauche, droite):
    """Le produit de deux matrices, en listes de lignes."""
    resultat = []
    for ligne in gauche:
        nouvelle = [0.0] * len(droite[0])
        for k in range(len(droite)):
            for j in range(len(nouvelle)):
                nouvelle[j] += ligne[k] * droite[k][j]
        resultat.append(nouvelle)
    return resultat


# %% [markdown]
# ## 1. Quels jetons apprendre ?


# %%
def answer_mask(ids, assistant, end):
    masque = []
    en_reponse = False
    for jeton in ids:
        masque.append(en_reponse)
        if jeton == assistant:
            en_reponse = True
        elif jeton == end:
            en_reponse = False
    return masque


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. La perte sur les réponses


# %%
def answer_loss(logits, ids, mask):
    logits, ids, mask = en_listes(logits), en_listes(ids), en_listes(mask)
    total, nombre = 0.0, 0
    for b in range(len(ids)):
        for t in range(1, len(ids[b])):
            if mask[b][t]:
                avant = logits[b][t - 1]
                total += log_somme_exp(avant) - avant[ids[b][t]]
                nombre += 1
    return total / nombre


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
def resoudre(matrice, second_membre):
    """Pivot de Gauss : les listes sont copiées, puis mises sous forme triangulaire, puis remontées."""
    lignes = [list(ligne) + list(droite) for ligne, droite in zip(matrice, second_membre, strict=True)]
    taille = len(lignes)
    for colonne in range(taille):
        pivot = colonne
        for i in range(colonne + 1, taille):
            if abs(lignes[i][colonne]) > abs(lignes[pivot][colonne]):
                pivot = i
        lignes[colonne], lignes[pivot] = lignes[pivot], lignes[colonne]
        for i in range(colonne + 1, taille):
            facteur = lignes[i][colonne] / lignes[colonne][colonne]
            for j in range(colonne, len(lignes[i])):
                lignes[i][j] -= facteur * lignes[colonne][j]
    solution = [[0.0] * (len(lignes[0]) - taille) for _ in range(taille)]
    for i in range(taille - 1, -1, -1):
        for k in range(len(solution[i])):
            reste = lignes[i][taille + k]
            for j in range(i + 1, taille):
                reste -= lignes[i][j] * solution[j][k]
            solution[i][k] = reste / lignes[i][i]
    return solution


def least_squares_probe(features, targets, penalty):
    x, y = en_listes(features), en_listes(targets)
    n, largeur, classes = len(x), len(x[0]), len(y[0])
    moyenne_x = [sum(x[i][d] for i in range(n)) / n for d in range(largeur)]
    moyenne_y = [sum(y[i][k] for i in range(n)) / n for k in range(classes)]
    gauche = [[0.0] * largeur for _ in range(largeur)]
    droite = [[0.0] * classes for _ in range(largeur)]
    for i in range(n):
        xc = [x[i][d] - moyenne_x[d] for d in range(largeur)]
        yc = [y[i][k] - moyenne_y[k] for k in range(classes)]
        for d in range(largeur):
            for e in range(largeur):
                gauche[d][e] += xc[d] * xc[e]
            for k in range(classes):
                droite[d][k] += xc[d] * yc[k]
    for d in range(largeur):
        gauche[d][d] += penalty
    w = resoudre(gauche, droite)
    biais = []
    for k in range(classes):
        valeur = moyenne_y[k]
        for d in range(largeur):
            valeur -= moyenne_x[d] * w[d][k]
        biais.append(valeur)
    return tenseur(w, (largeur, classes)), tenseur(biais, (classes,))


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
    petits, grands = 0, 0
    for k, d in shapes:
        petits += rank * d + k * rank
        grands += k * d
    return petits, grands


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA : par où commencer ?


# %%
def lora_start(n_outputs, n_inputs, rank, seed):
    hasard = random.Random(seed)  # noqa: S311
    borne = 1 / math.sqrt(n_inputs)
    a = []
    for _ in range(rank):
        ligne = []
        for _ in range(n_inputs):
            ligne.append(hasard.uniform(-borne, borne))  # noqa: PERF401
        a.append(ligne)
    b = [[0.0] * rank for _ in range(n_outputs)]
    return tenseur(a, (rank, n_inputs)), tenseur(b, (n_outputs, rank))


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA : la couche adaptée


# %%
def lora_forward(x, weight, a, b, alpha):
    forme = tuple(x.shape)
    vecteurs = en_listes(x.reshape(-1, forme[-1]))
    w, a, b = en_listes(weight), en_listes(a), en_listes(b)
    echelle = alpha / len(a)
    sorties = []
    for vecteur in vecteurs:
        milieu = []
        for ligne in a:
            somme = 0.0
            for d in range(len(vecteur)):
                somme += ligne[d] * vecteur[d]
            milieu.append(somme)
        sortie = []
        for k in range(len(w)):
            base = 0.0
            for d in range(len(vecteur)):
                base += w[k][d] * vecteur[d]
            correction = 0.0
            for r in range(len(a)):
                correction += b[k][r] * milieu[r]
            sortie.append(base + echelle * correction)
        sorties.append(sortie)
    return tenseur(sorties, (*forme[:-1], len(w)))


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
    w, a, b = en_listes(weight), en_listes(a), en_listes(b)
    correction = produit(b, a)
    fusion = []
    for k in range(len(w)):
        ligne = []
        for d in range(len(w[k])):
            ligne.append(w[k][d] + alpha / len(a) * correction[k][d])  # noqa: PERF401
        fusion.append(ligne)
    return tenseur(fusion, (len(w), len(w[0])))


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA : la descente


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    x, w, a, b = en_listes(features), en_listes(weight), en_listes(a), en_listes(b)
    ids, mask = en_listes(ids), en_listes(mask)
    rang, largeur, vocabulaire = len(a), len(x[0]), len(w)
    echelle = alpha / rang
    # Le modèle ne voit qu’un jeton : il suffit de savoir combien de fois l’un suit l’autre.
    suites, nombre = {}, 0
    for b_, ligne in enumerate(ids):
        for t in range(1, len(ligne)):
            if mask[b_][t]:
                suivants = suites.setdefault(ligne[t - 1], {})
                suivants[ligne[t]] = suivants.get(ligne[t], 0) + 1
                nombre += 1
    for _ in range(n_steps):
        grad_a = [[0.0] * largeur for _ in range(rang)]
        grad_b = [[0.0] * rang for _ in range(vocabulaire)]
        for jeton, suivants in suites.items():
            vecteur = x[jeton]
            milieu = [sum(a[r][d] * vecteur[d] for d in range(largeur)) for r in range(rang)]
            logits = []
            for v in range(vocabulaire):
                z = sum(w[v][d] * vecteur[d] for d in range(largeur))
                z += echelle * sum(b[v][r] * milieu[r] for r in range(rang))
                logits.append(z)
            normalisation = log_somme_exp(logits)
            fois = sum(suivants.values())
            grad_milieu = [0.0] * rang
            for v in range(vocabulaire):
                grad_z = (fois * math.exp(logits[v] - normalisation) - suivants.get(v, 0)) / nombre
                for r in range(rang):
                    grad_b[v][r] += echelle * grad_z * milieu[r]
                    grad_milieu[r] += echelle * grad_z * b[v][r]
            for r in range(rang):
                for d in range(largeur):
                    grad_a[r][d] += grad_milieu[r] * vecteur[d]
        a = [[a[r][d] - learning_rate * grad_a[r][d] for d in range(largeur)] for r in range(rang)]
        b = [[b[v][r] - learning_rate * grad_b[v][r] for r in range(rang)] for v in range(vocabulaire)]
    return tenseur(a, (rang, largeur)), tenseur(b, (vocabulaire, rang))


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
    eleve, maitre, etiquettes = en_listes(student), en_listes(teacher), en_listes(labels)
    divergence, entropie = 0.0, 0.0
    for i in range(len(eleve)):
        z = [nombre / temperature for nombre in eleve[i]]
        m = [nombre / temperature for nombre in maitre[i]]
        log_z, log_m = log_somme_exp(z), log_somme_exp(m)
        for j in range(len(z)):
            if m[j] != -math.inf:
                ln_p, ln_q = m[j] - log_m, z[j] - log_z
                divergence += math.exp(ln_p) * (ln_p - ln_q)
        entropie += log_somme_exp(eleve[i]) - eleve[i][etiquettes[i]]
    n = len(eleve)
    return soft_weight * temperature**2 * divergence / n + (1 - soft_weight) * entropie / n


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
    logits, ids, mask = en_listes(logits), en_listes(ids), en_listes(mask)
    resultats = []
    for b in range(len(ids)):
        somme = 0.0
        for t in range(1, len(ids[b])):
            if mask[b][t]:
                somme += logits[b][t - 1][ids[b][t]] - log_somme_exp(logits[b][t - 1])
        resultats.append(somme)
    return tenseur(resultats, (len(ids),))


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. Le modèle de récompense


# %%
def perte_d_ecart(ecart):
    """-ln sigma(ecart), sans jamais prendre l’exponentielle d’un grand nombre."""
    if ecart >= 0:
        return math.log1p(math.exp(-ecart))
    return -ecart + math.log1p(math.exp(ecart))


def pairwise_losses(chosen, rejected):
    pertes = []
    for bonne, autre in zip(en_listes(chosen), en_listes(rejected), strict=True):
        perte = perte_d_ecart(bonne - autre)
        pertes.append(perte)
    return tenseur(pertes, (len(pertes),))


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO : se passer de modèle de récompense


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    somme = 0.0
    for i in range(len(policy_chosen)):
        gain = float(policy_chosen[i]) - float(reference_chosen[i])
        perdu = float(policy_rejected[i]) - float(reference_rejected[i])
        somme += perte_d_ecart(beta * (gain - perdu))
    return somme / len(policy_chosen)


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
