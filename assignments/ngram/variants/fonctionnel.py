# %% [markdown]
# # Modèles de langue sur des prénoms
#
# Des fonctions pures que l'on compose : générateurs, `map`, `reduce`, `accumulate`.

# %%
# ruff: noqa: B007, B905, PTH123, S311, T201
import math
import operator
import random
from collections import Counter
from functools import partial, reduce
from itertools import accumulate, chain, islice, pairwise, repeat, starmap, takewhile

import numpy as np
import torch

ALPHABET = ".abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü"
INDEX = dict(map(reversed, enumerate(ALPHABET)))
MAX_LENGTH = 30

with open("prenoms.txt", encoding="utf-8") as file:
    NAMES = file.read().split()


# %%
def entourer(avant, name):
    return "." * avant + name + "."


def bigrammes(names):
    return chain.from_iterable(map(pairwise, map(partial(entourer, 1), names)))


def suites(n, name):
    """Les suites de n symboles d'un prénom, précédé de n - 1 frontières."""
    texte = entourer(n - 1, name)
    return map("".join, zip(*(islice(texte, debut, None) for debut in range(n))))


# %%
def bigram_counts(names):
    comptes = Counter(bigrammes(names))
    return np.array([[comptes[premier, second] for second in ALPHABET] for premier in ALPHABET])


# %%
counts = bigram_counts(["anna"])
print(counts.sum(), counts[INDEX["n"], INDEX["n"]], counts[INDEX["a"], INDEX["."]])


# %%
def bigram_probabilities(counts, k):
    def ligne(comptes):
        total = sum(comptes) + k * len(comptes)
        return [(compte + k) / total if total else 1 / len(comptes) for compte in comptes]

    return np.array(list(map(ligne, counts.tolist())), dtype=np.float64)


# %%
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 0))
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 1))


# %%
def trigram_counts(names):
    return Counter(chain.from_iterable(map(partial(suites, 3), names)))


# %%
print(trigram_counts(["léa"]))


# %%
def trigram_probability(counts, context, symbol, k):
    ligne = {suivant: counts.get(context + suivant, 0) + k for suivant in ALPHABET}
    total = sum(ligne.values())
    return ligne[symbol] / total if total else 1 / 40


# %%
example = {"..l": 3, "..z": 1}
print(trigram_probability(example, "..", "l", 0), trigram_probability(example, "..", "l", 1))
print(trigram_probability(example, "qx", "l", 0))


# %%
def transition_table(name, probabilities):
    return [
        (premier, second, probabilities[INDEX[premier], INDEX[second]].item()) for premier, second in bigrammes([name])
    ]


# %%
model = bigram_probabilities(bigram_counts(NAMES), 0.1)
for first, second, probability in transition_table("léonie", model):
    print(first, second, round(probability, 3))


# %%
def surprise(probabilite):
    return -math.log(probabilite) if probabilite else math.inf


def average_nll(names, probabilities):
    # Le couple (somme, nombre) s'accumule d'une transition à la suivante.
    def ajouter(bilan, transition):
        return bilan[0] + surprise(transition[2]), bilan[1] + 1

    transitions = chain.from_iterable(transition_table(name, probabilities) for name in names)
    return operator.truediv(*reduce(ajouter, transitions, (0.0, 0)))


# %%
def bits_per_byte(names, nll):
    transitions = sum(len(name) + 1 for name in names)
    size = sum(len((name + ".").encode("utf-8")) for name in names)
    return nll * transitions / (math.log(2) * size)


example = np.full((40, 40), 1 / 40)
print(average_nll(["al", ""], example), math.log(40))
print(bits_per_byte(["éa"], math.log(40)))
print(average_nll(NAMES, model), bits_per_byte(NAMES, average_nll(NAMES, model)))


# %%
def sample_names(probabilities, n, seed):
    rng = random.Random(seed)
    lois = dict(zip(ALPHABET, map(list, map(accumulate, probabilities.tolist()))))

    def suivant(symbole, _):
        return rng.choices(ALPHABET, cum_weights=lois[symbole])[0]

    def prenom(_):
        # La chaîne part de la frontière, que l'on saute avant de chercher la suivante.
        trajet = islice(accumulate(repeat(None), suivant, initial="."), 1, MAX_LENGTH + 1)
        return "".join(takewhile(lambda symbole: symbole != ".", trajet))

    return list(map(prenom, range(n)))


# %%
print(sample_names(model, 10, seed=1))


# %%
def split_names(names, seed):
    rng = random.Random(seed)
    dixieme = len(names) // 10
    # sorted appelle la clé une fois pour chaque prénom.
    melange = sorted(names, key=lambda _: rng.random())
    bornes = pairwise((2 * dixieme, len(names))), pairwise((0, dixieme, 2 * dixieme))
    return tuple(melange[slice(*borne)] for borne in chain(*bornes))


# %%
train, validation, test = split_names(NAMES, seed=1)
print(len(train), len(validation), len(test), validation[:5])
for k in (0.01, 0.1, 1):
    print(k, average_nll(validation, bigram_probabilities(bigram_counts(train), k)))


# %%
def context_windows(names, n):
    codes = [[INDEX[symbole] for symbole in suite] for name in names for suite in suites(n + 1, name)]
    tableau = np.fromiter(chain.from_iterable(codes), dtype=np.int64).reshape(-1, n + 1)
    return tableau[:, :-1], tableau[:, -1]


# %%
contexts, targets = context_windows(["léa"], 3)
for context, target in zip(contexts, targets):
    print("".join(ALPHABET[index] for index in context), "->", ALPHABET[target])


# %%
def linear_loss(weights, symbols, targets):
    paires = Counter(zip(symbols.tolist(), targets.tolist()))
    N, V = len(symbols), len(weights)
    presents = dict(reduce(lambda c, p: c + Counter({p[0][0]: p[1]}), paires.items(), Counter()))

    def log_somme(scores):
        plus_grand = max(scores)
        return plus_grand + math.log(sum(math.exp(score - plus_grand) for score in scores))

    scores = {symbole: weights[symbole].tolist() for symbole in presents}
    normes = {symbole: log_somme(ligne) for symbole, ligne in scores.items()}
    perte = sum(nombre * (normes[i] - scores[i][j]) for (i, j), nombre in paires.items()) / N

    def pente(i, j):
        if i not in presents:
            return 0.0
        return (presents[i] * math.exp(scores[i][j] - normes[i]) - paires[i, j]) / N

    return perte, np.array([[pente(i, j) for j in range(V)] for i in range(V)])


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
    C, H, d, U, b = map(torch.as_tensor, map(parameters.get, "CHdUb"))
    m = C.shape[1]
    # Une matrice (m, h) pour chaque place : H x est la somme des contributions des places.
    places = zip(torch.as_tensor(contexts).long().T, H.T.split(m))
    cachee = reduce(torch.add, starmap(lambda indices, bloc: C[indices] @ bloc, places), d)
    return torch.tanh(cachee) @ U.T + b


# %%
tiny = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
tiny = {name: np.array(values, dtype=np.float64) for name, values in tiny.items()}
print(mlp_logits(tiny, np.array([[1, 0]])))

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


# %% [markdown]
# L'entraînement est une suite d'états (paramètres, moyenne des paramètres) que `accumulate`
# déroule ; l'état retenu est celui dont la moyenne surprend le moins la validation.


# %%
def train_mlp(train, validation, seed):
    hasard = torch.Generator().manual_seed(seed)
    exemples = tuple(map(torch.as_tensor, context_windows(train, 3)))
    reserve = tuple(map(torch.as_tensor, context_windows(validation, 3)))

    def perte(parametres, contextes, cibles):
        x = parametres["C"][contextes].flatten(1)
        cachee = torch.tanh(torch.nn.functional.linear(x, parametres["H"], parametres["d"]))
        scores = torch.nn.functional.linear(cachee, parametres["U"], parametres["b"])
        return cross_entropy(scores, cibles)

    pente = torch.func.grad(perte)

    def avancer(etat, pas):
        parametres, moyenne = etat
        tirage = torch.randint(len(exemples[1]), (N_BATCH,), generator=hasard)
        pentes = pente(parametres, *(tableau[tirage] for tableau in exemples))
        nouveaux = {nom: parametres[nom] - 0.7 * pentes[nom] for nom in parametres}
        part = max(0.01, 1 / (pas + 2))
        return nouveaux, {nom: torch.lerp(moyenne[nom], nouveaux[nom], part) for nom in nouveaux}

    depart = {nom: tableau.detach() for nom, tableau in initial_parameters(hasard).items()}
    etats = accumulate(range(900), avancer, initial=(depart, depart))
    candidats = (moyenne for _, moyenne in islice(etats, 0, None, 50))
    meilleur = min(candidats, key=lambda moyenne: perte(moyenne, *reserve).item())
    return {nom: tableau.numpy() for nom, tableau in meilleur.items()}


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
