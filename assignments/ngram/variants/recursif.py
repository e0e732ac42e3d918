# %% [markdown]
# # Modèles de langue sur des prénoms
#
# Diviser pour régner : une liste se coupe en deux moitiés, un prénom aussi, et chaque fonction
# s'appelle elle-même sur les morceaux.

# %%
# ruff: noqa: B007, B905, PTH123, S311, T201
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
def fusionner(gauche, droite):
    """La somme de deux dictionnaires de comptes, sans toucher ni à l'un ni à l'autre."""
    somme = dict(gauche)
    for cle, nombre in droite.items():
        somme[cle] = somme.get(cle, 0) + nombre
    return somme


def compter(texte, taille):
    """Les suites de `taille` symboles d'un texte : celles de ses deux moitiés, qui se recouvrent."""
    places = len(texte) - taille + 1
    if places <= 0:
        return {}
    if places == 1:
        return {texte: 1}
    moitie = places // 2
    return fusionner(compter(texte[: moitie + taille - 1], taille), compter(texte[moitie:], taille))


def compter_tout(names, taille):
    if not names:
        return {}
    if len(names) == 1:
        return compter("." * (taille - 1) + names[0] + ".", taille)
    moitie = len(names) // 2
    return fusionner(compter_tout(names[:moitie], taille), compter_tout(names[moitie:], taille))


# %%
def bigram_counts(names):
    tableau = np.zeros((40, 40), dtype=np.int64)
    for (premier, second), nombre in compter_tout(names, 2).items():
        tableau[INDEX[premier], INDEX[second]] = nombre
    return tableau


# %%
counts = bigram_counts(["anna"])
print(counts.sum(), counts[INDEX["n"], INDEX["n"]], counts[INDEX["a"], INDEX["."]])


# %%
def bigram_probabilities(counts, k):
    def lisser(lignes):
        if len(lignes) > 1:
            moitie = len(lignes) // 2
            return np.concatenate([lisser(lignes[:moitie]), lisser(lignes[moitie:])])
        total = lignes.sum() + k * lignes.shape[1]
        if total == 0:
            return np.ones(lignes.shape) / lignes.shape[1]
        return (lignes + k) / total

    return lisser(counts)


# %%
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 0))
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 1))


# %%
def trigram_counts(names):
    return compter_tout(names, 3)


# %%
print(trigram_counts(["léa"]))


# %%
def trigram_probability(counts, context, symbol, k):
    def total(symboles):
        if not symboles:
            return 0
        return counts.get(context + symboles[0], 0) + k + total(symboles[1:])

    somme = total(ALPHABET)
    return (counts.get(context + symbol, 0) + k) / somme if somme else 1 / 40


# %%
example = {"..l": 3, "..z": 1}
print(trigram_probability(example, "..", "l", 0), trigram_probability(example, "..", "l", 1))
print(trigram_probability(example, "qx", "l", 0))


# %%
def transition_table(name, probabilities):
    def transitions(texte):
        if len(texte) == 2:
            p = probabilities[INDEX[texte[0]], INDEX[texte[1]]]
            return [(texte[0], texte[1], p)]
        milieu = len(texte) // 2
        return transitions(texte[: milieu + 1]) + transitions(texte[milieu:])

    return transitions("." + name + ".")


# %%
model = bigram_probabilities(bigram_counts(NAMES), 0.1)
for first, second, probability in transition_table("léonie", model):
    print(first, second, round(probability, 3))


# %%
def average_nll(names, probabilities):
    def somme(paires):
        if len(paires) > 1:
            moitie = len(paires) // 2
            return somme(paires[:moitie]) + somme(paires[moitie:])
        ((premier, second), nombre) = paires[0]
        p = probabilities[INDEX[premier], INDEX[second]]
        return nombre * -math.log(p) if p > 0 else math.inf

    comptes = compter_tout(names, 2)
    return somme(list(comptes.items())) / sum(comptes.values())


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
# Un tirage descend un arbre : à gauche ou à droite, selon le poids de chaque moitié de la ligne.


# %%
def arbre(ligne, debut=0):
    """Une feuille est un indice ; un nœud, (poids de gauche, poids, gauche, droite)."""
    if len(ligne) == 1:
        return debut
    milieu = len(ligne) // 2
    return (
        sum(ligne[:milieu]),
        sum(ligne),
        arbre(ligne[:milieu], debut),
        arbre(ligne[milieu:], debut + milieu),
    )


def descendre(noeud, rng):
    if isinstance(noeud, int):
        return noeud
    poids_gauche, poids, gauche, droite = noeud
    return descendre(gauche if rng.random() * poids < poids_gauche else droite, rng)


def sample_names(probabilities, n, seed):
    rng = random.Random(seed)
    arbres = [arbre(ligne) for ligne in probabilities.tolist()]

    def prolonger(debut, courant):
        if len(debut) == MAX_LENGTH:
            return debut
        suivant = descendre(arbres[courant], rng)
        return debut if suivant == 0 else prolonger(debut + ALPHABET[suivant], suivant)

    return [prolonger("", 0) for _ in range(n)]


# %%
print(sample_names(model, 10, seed=1))

# %% [markdown]
# Le mélange est un tri par fusion où une pièce, pipée selon ce qui reste, remplace la comparaison.


# %%
def melanger(names, rng):
    if len(names) < 2:
        return list(names)
    moitie = len(names) // 2
    gauche, droite = melanger(names[:moitie], rng), melanger(names[moitie:], rng)
    reunion = []
    while gauche or droite:
        pile = rng.randrange(len(gauche) + len(droite)) < len(gauche)
        reunion.append((gauche if pile else droite).pop())
    return reunion


def split_names(names, seed):
    melange = melanger(names, random.Random(seed))
    dixieme = len(names) // 10
    coupure = len(names) - 2 * dixieme
    return melange[:coupure], melange[coupure : coupure + dixieme], melange[coupure + dixieme :]


# %%
train, validation, test = split_names(NAMES, seed=1)
print(len(train), len(validation), len(test), validation[:5])
for k in (0.01, 0.1, 1):
    print(k, average_nll(validation, bigram_probabilities(bigram_counts(train), k)))


# %%
def context_windows(names, n):
    if not names:
        return np.empty((0, n), dtype=np.int64), np.empty(0, dtype=np.int64)
    if len(names) == 1:
        codes = [0] * n + [INDEX[symbole] for symbole in names[0]] + [0]
        contextes = [codes[fin - n : fin] for fin in range(n, len(codes))]
        return np.array(contextes), np.array(codes[n:])
    moitie = len(names) // 2
    deux = context_windows(names[:moitie], n), context_windows(names[moitie:], n)
    return tuple(np.concatenate(morceaux) for morceaux in zip(*deux))


# %%
contexts, targets = context_windows(["léa"], 3)
for context, target in zip(contexts, targets):
    print("".join(ALPHABET[index] for index in context), "->", ALPHABET[target])


# %%
def log_somme(scores):
    """ln(e^a + e^b + ...), deux moitiés à la fois."""
    if len(scores) == 1:
        return scores[0]
    moitie = len(scores) // 2
    a, b = log_somme(scores[:moitie]), log_somme(scores[moitie:])
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))


def linear_loss(weights, symbols, targets):
    normes = np.array([log_somme(ligne) for ligne in weights.tolist()])
    perte = (normes[symbols] - weights[symbols, targets]).mean()
    predit = np.exp(weights - normes[:, None])

    def pente(debut, fin):
        if fin - debut > 64:
            milieu = (debut + fin) // 2
            return pente(debut, milieu) + pente(milieu, fin)
        morceau = np.zeros(weights.shape)
        for symbole, cible in zip(symbols[debut:fin], targets[debut:fin]):
            morceau[symbole] += predit[symbole]
            morceau[symbole, cible] -= 1
        return morceau

    return float(perte), pente(0, len(symbols)) / len(symbols)


# %%
print(linear_loss(np.array([[0, math.log(3)], [0, 0]]), np.array([0]), np.array([1])))

contexts, targets = context_windows(train, 1)
weights = np.zeros((40, 40))
for step in range(100):
    loss, gradient = linear_loss(weights, contexts[:, 0], targets)
    weights -= 50 * gradient
print(loss, average_nll(train, bigram_probabilities(bigram_counts(train), 0)))


# %%
def mlp_logits(parameters, contexts):
    m = parameters["C"].shape[1]

    def entree(place):
        """d + H x, place après place."""
        if place == 0:
            return np.broadcast_to(parameters["d"], (len(contexts), len(parameters["d"])))
        bloc = parameters["H"][:, m * (place - 1) : m * place]
        return entree(place - 1) + parameters["C"][contexts[:, place - 1]] @ bloc.T

    return parameters["b"] + np.tanh(entree(contexts.shape[1])) @ parameters["U"].T


# %%
tiny = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
tiny = {name: np.array(values, dtype=np.float64) for name, values in tiny.items()}
print(mlp_logits(tiny, np.array([[1, 0]])))

# %% [markdown]
# ## 12. L'entraînement
#
# Pas de mini-lots ici : L-BFGS descend le gradient de tous les exemples, avec une pénalité sur
# les grands paramètres, et la récursion garde le meilleur de ce qui est fait et de ce qui reste.


# %%
def train_mlp(train, validation, seed):
    m, h, tours, penalite = 6, 24, 12, 3e-4
    hasard = torch.Generator().manual_seed(seed)

    def normale(*forme):
        return torch.randn(*forme, generator=hasard, dtype=torch.float64)

    parametres = {
        "C": normale(40, m),
        "H": normale(h, 3 * m) / math.sqrt(3 * m),
        "d": torch.zeros(h, dtype=torch.float64),
        "U": normale(40, h) / (10 * math.sqrt(h)),
        "b": torch.zeros(40, dtype=torch.float64),
    }
    for tableau in parametres.values():
        tableau.requires_grad_()
    exemples = [torch.tensor(tableau) for tableau in context_windows(train, 3)]
    reserve = [torch.tensor(tableau) for tableau in context_windows(validation, 3)]

    def perte(contextes, cibles):
        C, H, d, U, b = parametres.values()
        scores = b + torch.tanh(d + C[contextes].flatten(1) @ H.T) @ U.T
        return torch.nn.functional.cross_entropy(scores, cibles)

    def objectif():
        descente.zero_grad()
        valeur = perte(*exemples)
        valeur = valeur + penalite * sum((tableau**2).sum() for tableau in parametres.values())
        valeur.backward()
        return valeur

    descente = torch.optim.LBFGS(parametres.values(), max_iter=4, history_size=10, line_search_fn="strong_wolfe")

    def meilleur(tours_restants):
        with torch.no_grad():
            valeur = perte(*reserve).item()
        copie = {nom: tableau.detach().numpy().copy() for nom, tableau in parametres.items()}
        if tours_restants == 0:
            return valeur, copie
        descente.step(objectif)
        return min((valeur, copie), meilleur(tours_restants - 1), key=lambda couple: couple[0])

    return meilleur(tours)[1]


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
