# %% [markdown]
# # Modèles de langue sur des prénoms
#
# Une suite de symboles est d'abord un texte : expressions régulières, tables de traduction et
# octets font l'essentiel du travail, et NumPy ne lit que des octets.

# %%
# ruff: noqa: B007, B905, PTH123, S311, T201
import math
import random
import re
from collections import Counter
from heapq import nsmallest

import numpy as np
import torch

ALPHABET = ".abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü"
INDEX = {symbol: index for index, symbol in enumerate(ALPHABET)}
MAX_LENGTH = 30

with open("prenoms.txt", encoding="utf-8") as file:
    NAMES = file.read().split()

print(len(ALPHABET), len(NAMES), NAMES[:5])

# %%
BIGRAMME = re.compile(r"(?=(..))")
TRIGRAMME = re.compile(r"(?=(...))")
TRADUCTION = str.maketrans({symbole: chr(indice) for symbole, indice in INDEX.items()})


def octets(texte):
    """Un octet par symbole : son indice dans l'alphabet."""
    return texte.translate(TRADUCTION).encode("ascii")


# %%
def bigram_counts(names):
    comptes = Counter()
    for name in names:
        comptes.update(BIGRAMME.findall(f".{name}."))
    tableau = np.zeros((40, 40), dtype=np.uint32)
    for paire, nombre in comptes.items():
        tableau[tuple(octets(paire))] = nombre
    return tableau


# %%
counts = bigram_counts(["anna"])
print(counts.sum(), counts[INDEX["n"], INDEX["n"]], counts[INDEX["a"], INDEX["."]])


# %%
def bigram_probabilities(counts, k):
    V = len(counts)
    tableau = np.array(counts, dtype=np.float64) + k
    for i in range(V):
        tableau[i] = tableau[i] / tableau[i].sum() if tableau[i].any() else 1 / V
    return tableau


# %%
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 0))
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 1))


# %%
def trigram_counts(names):
    # Une fin de ligne, que le point d'une expression régulière n'accepte pas, sépare les prénoms.
    return Counter(TRIGRAMME.findall("\n".join(f"..{name}." for name in names)))


# %%
print(trigram_counts(["léa"]))


# %%
def trigram_probability(counts, context, symbol, k):
    suites = [nombre for trigramme, nombre in counts.items() if trigramme.startswith(context)]
    denominateur = sum(suites) + 40 * k
    if not denominateur:
        return 1 / 40
    return (counts.get(context + symbol, 0) + k) / denominateur


# %%
example = {"..l": 3, "..z": 1}
print(trigram_probability(example, "..", "l", 0), trigram_probability(example, "..", "l", 1))
print(trigram_probability(example, "qx", "l", 0))


# %%
def transition_table(name, probabilities):
    return [(*paire, float(probabilities[tuple(octets(paire))])) for paire in BIGRAMME.findall(f".{name}.")]


# %%
model = bigram_probabilities(bigram_counts(NAMES), 0.1)
for first, second, probability in transition_table("léonie", model):
    print(first, second, round(probability, 3))


# %%
def average_nll(names, probabilities):
    # Le produit des probabilités, gardé sous la forme mantisse × 2^exposant.
    mantisse, exposant, transitions = 1.0, 0, 0
    for name in names:
        for _, _, probabilite in transition_table(name, probabilities):
            facteur, puissance = math.frexp(probabilite)
            mantisse, decalage = math.frexp(mantisse * facteur)
            exposant += puissance + decalage
            transitions += 1
    if mantisse == 0:
        return math.inf
    return -(math.log(mantisse) + exposant * math.log(2)) / transitions


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
# Le tirage par rejet : un symbole au hasard, gardé d'autant plus souvent qu'il est probable.


# %%
def sample_names(probabilities, n, seed):
    rng = random.Random(seed)
    lignes = [(ligne, max(ligne)) for ligne in probabilities.tolist()]

    def suivant(indice):
        ligne, sommet = lignes[indice]
        while True:
            candidat = int(40 * rng.random())
            if rng.random() * sommet < ligne[candidat]:
                return candidat

    prenoms = []
    for _ in range(n):
        codes = [suivant(0)]
        while codes[-1] and len(codes) < MAX_LENGTH:
            codes.append(suivant(codes[-1]))
        prenoms.append("".join(ALPHABET[code] for code in codes).rstrip("."))
    return prenoms


# %%
print(sample_names(model, 10, seed=1))


# %%
def split_names(names, seed):
    # Chaque place tire un numéro ; les plus petits numéros gagnent une place dans une petite part.
    rng = random.Random(seed)
    numeros = [(rng.random(), place) for place in range(len(names))]
    dixieme = len(names) // 10
    gagnants = [place for _, place in nsmallest(2 * dixieme, numeros)]
    perdants = sorted(set(range(len(names))).difference(gagnants))
    places = perdants, gagnants[::2], gagnants[1::2]
    return [[names[place] for place in part] for part in places]


# %%
train, validation, test = split_names(NAMES, seed=1)
print(len(train), len(validation), len(test), validation[:5])
for k in (0.01, 0.1, 1):
    print(k, average_nll(validation, bigram_probabilities(bigram_counts(train), k)))


# %%
def context_windows(names, n):
    contextes, cibles = bytearray(), bytearray()
    for name in names:
        texte = octets("." * n + name + ".")
        for fin in range(n, len(texte)):
            contextes += texte[fin - n : fin]
        cibles += texte[n:]
    tableaux = (np.frombuffer(bytes(suite), dtype=np.uint8) for suite in (contextes, cibles))
    contextes, cibles = (tableau.astype(int) for tableau in tableaux)
    return contextes.reshape(len(cibles), n), cibles


# %%
contexts, targets = context_windows(["léa"], 3)
for context, target in zip(contexts, targets):
    print("".join(ALPHABET[index] for index in context), "->", ALPHABET[target])


# %%
def linear_loss(weights, symbols, targets):
    pertes, gradient = 0.0, np.zeros(weights.shape)
    for symbole in set(symbols.tolist()):
        suivants = np.bincount(targets[symbols == symbole], minlength=len(weights))
        ligne = weights[symbole]
        norme = np.logaddexp.reduce(ligne)
        pertes += suivants @ (norme - ligne)
        gradient[symbole] = suivants.sum() * np.exp(ligne - norme) - suivants
    return pertes / len(symbols), gradient / len(symbols)


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
    colonnes = [np.take(parameters["C"], colonne, axis=0) for colonne in contexts.T]
    cachee = np.tanh(np.hstack(colonnes) @ parameters["H"].T + parameters["d"])
    return cachee @ parameters["U"].T + parameters["b"]


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
# ## 12. L'entraînement
#
# Trois tailles de réseau se présentent ; la validation choisit la taille et le moment.


# %%
def candidats(train, validation, generateur, m, h):
    """Les couples (perte de validation, paramètres) d'un entraînement, pas à pas."""
    contextes, cibles = map(torch.from_numpy, context_windows(train, 3))
    parametres = initial_parameters(generateur, m, h)
    feuilles = list(parametres.values())
    pas_en_tout = 500
    for pas in range(pas_en_tout + 1):
        if pas % LOOK_EVERY == 0:
            gel = {nom: tableau.detach().numpy().copy() for nom, tableau in parametres.items()}
            reserve, attendues = context_windows(validation, 3)
            scores = torch.from_numpy(mlp_logits(gel, reserve))
            yield cross_entropy(scores, torch.from_numpy(attendues)).item(), gel
        lot = torch.randint(len(cibles), (N_BATCH,), generator=generateur)
        C, H, d, U, b = feuilles
        cachee = torch.tanh(C[contextes[lot]].flatten(1) @ H.T + d)
        pentes = torch.autograd.grad(cross_entropy(cachee @ U.T + b, cibles[lot]), feuilles)
        taux = 1.5 * (1 - pas / pas_en_tout)
        with torch.no_grad():
            for feuille, pente in zip(feuilles, pentes):
                feuille.sub_(taux * pente)


def train_mlp(train, validation, seed):
    generateur = torch.Generator().manual_seed(seed)
    meilleure, retenus = math.inf, None
    for m, h in ((5, 30), (10, 60), (20, 100)):
        for perte, parametres in candidats(train, validation, generateur, m, h):
            if perte < meilleure:
                meilleure, retenus = perte, parametres
    return retenus


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
