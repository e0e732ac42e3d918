# %% [markdown]
# # Modèles de langue sur des prénoms
#
# Chaque symbole est un vecteur one-hot : compter, choisir une ligne et dériver deviennent des
# sommes de produits, que `einsum` écrit comme sur le papier.

# %%
# ruff: noqa: B007, B905, F401, PTH123, T201
import math
import random

import numpy as np
import torch

ALPHABET = ".abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü"
INDEX = {symbol: index for index, symbol in enumerate(ALPHABET)}
MAX_LENGTH = 30

with open("prenoms.txt", encoding="utf-8") as file:
    NAMES = file.read().split()

print(len(ALPHABET), len(NAMES), NAMES[:5])

# %%
IDENTITE = np.eye(40)


def indices(texte):
    return np.array([INDEX[symbole] for symbole in texte], dtype=np.int64)


def one_hot(texte):
    return IDENTITE[indices(texte)]


# %%
def bigram_counts(names):
    total = np.zeros((40, 40))
    for name in names:
        lignes = one_hot("." + name + ".")
        total += np.einsum("ti,tj->ij", lignes[:-1], lignes[1:])
    return np.rint(total).astype(np.int64)


# %%
counts = bigram_counts(["anna"])
print(counts.sum(), counts[INDEX["n"], INDEX["n"]], counts[INDEX["a"], INDEX["."]])


# %%
def bigram_probabilities(counts, k):
    V = counts.shape[0]
    numerateurs = counts + np.full((V, V), float(k))
    denominateurs = np.einsum("ij->i", numerateurs)
    vides = denominateurs == 0
    inverses = 1 / np.where(vides, V, denominateurs)
    return np.einsum("ij,i->ij", np.where(vides[:, None], 1.0, numerateurs), inverses)


# %%
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 0))
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 1))


# %%
def trigram_counts(names):
    # Les trois indices d'un trigramme sont les chiffres d'un nombre en base 40.
    cube = np.zeros(40**3, dtype=np.int64)
    for name in names:
        suite = indices(".." + name + ".")
        np.add.at(cube, np.ravel_multi_index((suite[:-2], suite[1:-1], suite[2:]), (40, 40, 40)), 1)
    cube = cube.reshape(40, 40, 40)
    return {ALPHABET[i] + ALPHABET[j] + ALPHABET[m]: cube[i, j, m] for i, j, m in zip(*cube.nonzero())}


# %%
print(trigram_counts(["léa"]))


# %%
def trigram_probability(counts, context, symbol, k):
    ligne = np.array([counts.get(context + suivant, 0) for suivant in ALPHABET], dtype=np.float64)
    ligne += k
    total = np.einsum("t->", ligne)
    if total == 0:
        return 1 / 40
    return float(np.einsum("t,t->", ligne, IDENTITE[INDEX[symbol]]) / total)


# %%
example = {"..l": 3, "..z": 1}
print(trigram_probability(example, "..", "l", 0), trigram_probability(example, "..", "l", 1))
print(trigram_probability(example, "qx", "l", 0))


# %%
def transition_table(name, probabilities):
    lignes = one_hot("." + name + ".")
    choisies = np.einsum("ti,ij,tj->t", lignes[:-1], probabilities, lignes[1:])
    return [(avant, apres, float(p)) for avant, apres, p in zip("." + name, name + ".", choisies)]


# %%
model = bigram_probabilities(bigram_counts(NAMES), 0.1)
for first, second, probability in transition_table("léonie", model):
    print(first, second, round(probability, 3))


# %%
def average_nll(names, probabilities):
    comptes = bigram_counts(names)
    # Zéro fois l'infini n'est pas un nombre : seules les paires présentes entrent dans la somme.
    presentes = comptes > 0
    if (probabilities[presentes] == 0).any():
        return math.inf
    surprises = -np.log(probabilities[presentes])
    return float(np.einsum("p,p->", comptes[presentes], surprises) / comptes.sum())


# %%
def bits_per_byte(names, nll):
    transitions = sum(len(name) + 1 for name in names)
    size = sum(len((name + ".").encode("utf-8")) for name in names)
    return nll * transitions / (math.log(2) * size)


example = np.full((40, 40), 1 / 40)
print(average_nll(["al", ""], example), math.log(40))
print(bits_per_byte(["éa"], math.log(40)))
print(average_nll(NAMES, model), bits_per_byte(NAMES, average_nll(NAMES, model)))

# %% [markdown]
# Un bruit de Gumbel ajouté aux logarithmes : l'indice du maximum suit la loi voulue.


# %%
def sample_names(probabilities, n, seed):
    rng = np.random.default_rng(seed)
    with np.errstate(divide="ignore"):
        logarithmes = np.log(probabilities)
    prenoms = []
    for _ in range(n):
        bruit = rng.gumbel(size=(MAX_LENGTH, 40))
        prenom, courant = "", 0
        for pas in range(MAX_LENGTH):
            courant = int((logarithmes[courant] + bruit[pas]).argmax())
            if courant == 0:
                break
            prenom += ALPHABET[courant]
        prenoms.append(prenom)
    return prenoms


# %%
print(sample_names(model, 10, seed=1))


# %%
def split_names(names, seed):
    # Un nombre au hasard pour chaque prénom, et l'on range les prénoms selon ces nombres.
    rangs = np.random.default_rng(seed).random(len(names)).argsort().argsort()
    dixieme = len(names) // 10
    validation = [name for name, rang in zip(names, rangs) if rang < dixieme]
    test = [name for name, rang in zip(names, rangs) if dixieme <= rang < 2 * dixieme]
    apprentissage = [name for name, rang in zip(names, rangs) if rang >= 2 * dixieme]
    return apprentissage, validation, test


# %%
train, validation, test = split_names(NAMES, seed=1)
print(len(train), len(validation), len(test), validation[:5])
for k in (0.01, 0.1, 1):
    print(k, average_nll(validation, bigram_probabilities(bigram_counts(train), k)))

# %% [markdown]
# Quarante indices : trente-deux bits suffisent.


# %%
def context_windows(names, n):
    contextes, cibles = [], []
    for name in names:
        suite = indices("." * n + name + ".")
        fenetres = np.lib.stride_tricks.sliding_window_view(suite, n + 1)
        contextes.append(fenetres[:, :n])
        cibles.append(fenetres[:, n])
    if not names:
        return np.zeros((0, n), dtype=np.int32), np.zeros(0, dtype=np.int32)
    return np.concatenate(contextes).astype(np.int32), np.concatenate(cibles).astype(np.int32)


# %%
contexts, targets = context_windows(["léa"], 3)
for context, target in zip(contexts, targets):
    print("".join(ALPHABET[index] for index in context), "->", ALPHABET[target])


# %%
def softmax(scores):
    exponentielles = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentielles / np.einsum("ij->i", exponentielles)[:, None]


def log_sommes(scores):
    maximums = scores.max(axis=1)
    return maximums + np.log(np.einsum("ij->i", np.exp(scores - maximums[:, None])))


def linear_loss(weights, symbols, targets):
    V, N = len(weights), len(symbols)
    S, T = np.eye(V)[symbols], np.eye(V)[targets]
    scores = np.einsum("ei,ij->ej", S, weights, optimize=True)
    perte = (log_sommes(scores) - np.einsum("ej,ej->e", scores, T)).sum() / N
    return float(perte), np.einsum("ei,ej->ij", S, softmax(scores) - T, optimize=True) / N


# %%
print(linear_loss(np.array([[0, math.log(3)], [0, 0]]), np.array([0]), np.array([1])))

contexts, targets = context_windows(train, 1)
weights = np.zeros((40, 40))
for step in range(100):
    loss, gradient = linear_loss(weights, contexts[:, 0], targets)
    weights -= 50 * gradient
print(loss, average_nll(train, bigram_probabilities(bigram_counts(train), 0)))


# %%
def en_tranches(parameters, n):
    """H vue comme n matrices (h, m), une pour chaque place du contexte."""
    return parameters["H"].reshape(len(parameters["d"]), n, parameters["C"].shape[1])


def mlp_logits(parameters, contexts):
    X = parameters["C"][contexts]
    H = en_tranches(parameters, contexts.shape[1])
    cachees = np.tanh(parameters["d"] + np.einsum("hpm,epm->eh", H, X, optimize=True))
    return parameters["b"] + np.einsum("vh,eh->ev", parameters["U"], cachees)


# %%
tiny = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
tiny = {name: np.array(values, dtype=np.float64) for name, values in tiny.items()}
print(mlp_logits(tiny, np.array([[1, 0]])))

# %% [markdown]
# Le gradient à la main, une somme par flèche ; descente avec inertie.


# %%
def gradients(parameters, contexts, targets):
    N, n = contexts.shape
    V = len(parameters["b"])
    X = parameters["C"][contexts]
    H = en_tranches(parameters, n)
    A = np.tanh(parameters["d"] + np.einsum("hpm,epm->eh", H, X, optimize=True))
    scores = parameters["b"] + np.einsum("vh,eh->ev", parameters["U"], A, optimize=True)
    erreurs = (softmax(scores) - np.eye(V)[targets]) / N
    Z = np.einsum("ev,vh,eh->eh", erreurs, parameters["U"], 1 - A * A, optimize=True)
    vers_X = np.einsum("eh,hpm->epm", Z, H, optimize=True)
    return {
        "C": np.einsum("epv,epm->vm", np.eye(V)[contexts], vers_X, optimize=True),
        "H": np.einsum("eh,epm->hpm", Z, X, optimize=True).reshape(parameters["H"].shape),
        "d": np.einsum("eh->h", Z),
        "U": np.einsum("ev,eh->vh", erreurs, A, optimize=True),
        "b": np.einsum("ev->v", erreurs),
    }


def train_mlp(train, validation, seed):
    rng = np.random.default_rng(seed)
    m, h, pas_en_tout, lot = 10, 60, 800, 128
    parameters = {
        "C": rng.standard_normal((40, m)),
        "H": rng.standard_normal((h, 3 * m)) / math.sqrt(3 * m),
        "d": np.zeros(h),
        "U": rng.standard_normal((40, h)) / (10 * math.sqrt(h)),
        "b": np.zeros(40),
    }
    vitesses = {nom: np.zeros_like(tableau) for nom, tableau in parameters.items()}
    contextes, cibles = context_windows(train, 3)
    contextes_v, cibles_v = context_windows(validation, 3)

    def perte():
        scores = mlp_logits(parameters, contextes_v)
        justes = np.einsum("ev,ev->e", scores, np.eye(40)[cibles_v])
        return (log_sommes(scores) - justes).mean()

    meilleure, gardes = perte(), {nom: t.copy() for nom, t in parameters.items()}
    for pas in range(pas_en_tout):
        tirage = rng.integers(len(cibles), size=lot)
        taux = 0.15 if pas < 0.7 * pas_en_tout else 0.02
        for nom, pente in gradients(parameters, contextes[tirage], cibles[tirage]).items():
            vitesses[nom] = 0.9 * vitesses[nom] - taux * pente
            parameters[nom] += vitesses[nom]
        if pas % 40 == 39:
            valeur = perte()
            if valeur < meilleure:
                meilleure, gardes = valeur, {nom: t.copy() for nom, t in parameters.items()}
    return gardes


# %%
N_STEPS, N_BATCH, LOOK_EVERY = 1000, 128, 50
cross_entropy = torch.nn.functional.cross_entropy


def learning_rate(step):
    return 1.0 if step < 700 else 0.1


def initial_parameters(generator, m=10, h=64):
    parameters = {
        "C": torch.randn(40, m, generator=generator, dtype=torch.float64),
        "H": torch.randn(h, 3 * m, generator=generator, dtype=torch.float64) / math.sqrt(3 * m),
        "d": torch.zeros(h, dtype=torch.float64),
        "U": torch.randn(40, h, generator=generator, dtype=torch.float64) / (10 * math.sqrt(h)),
        "b": torch.zeros(40, dtype=torch.float64),
    }
    return {name: array.requires_grad_() for name, array in parameters.items()}


# %%
def mlp_nll(names, parameters):
    contexts, targets = context_windows(names, 3)
    scores = torch.as_tensor(mlp_logits(parameters, contexts))
    return cross_entropy(scores, torch.as_tensor(targets)).item()


parameters = train_mlp(train, validation, seed=1)
bigrams = bigram_probabilities(bigram_counts(train), 0.1)
print("validation:", average_nll(validation, bigrams), mlp_nll(validation, parameters))
nlls = average_nll(test, bigrams), mlp_nll(test, parameters)
print("test, in bits per byte:", *(bits_per_byte(test, nll) for nll in nlls))
